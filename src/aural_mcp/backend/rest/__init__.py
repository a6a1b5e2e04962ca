"""Aural's REST API as HTTP: who asks, what is accepted, what is done."""
