"""Where the embedded backend keeps things, how that is opened, and how it moves in and out."""
