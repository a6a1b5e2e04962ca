"""How Aural is asked: requests within a key's budget, repeated where that is safe, no create twice."""
