"""What of candidates may be seen, what a person should look at, and what is written down of it."""
