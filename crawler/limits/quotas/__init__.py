"""Track how much of each declared quota is left."""
