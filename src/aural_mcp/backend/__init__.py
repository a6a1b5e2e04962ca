"""The embedded backend: Aural's REST API on SQL, and the pages on which a candidate takes the interview."""
