"""The embedded backend: Aural's REST API on this computer, and the pages on which candidates take interviews."""
