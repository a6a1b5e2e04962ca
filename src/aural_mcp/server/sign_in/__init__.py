"""People sign in over HTTP: an authorization server for hosts, in front of the user's key or the company's provider."""
