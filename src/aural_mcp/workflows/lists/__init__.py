"""Lists of people as they come: read, matched with who is registered, and registered, each person once."""
