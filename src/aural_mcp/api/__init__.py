"""What Aural is: the operations of its API, what they return, what can go wrong. Nothing here asks anybody."""
