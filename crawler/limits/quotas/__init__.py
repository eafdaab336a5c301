"""Track how much of each quota is left, and when its next request may start."""
