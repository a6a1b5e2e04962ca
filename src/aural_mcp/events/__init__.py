"""Webhooks: what happened to sessions and candidates, written down with the change itself and delivered from there.

`outbox.py` keeps it, `addresses.py` and `sending.py` get it to an address, `delivering.py` does so until it has
arrived or is given up; `watching.py` finds out what happened where a backend does not say, and `run.py` does both.
Processes share the work by `sharing.py`, interviews by `portions.py`, as fast as `pacing.py` says.
"""
