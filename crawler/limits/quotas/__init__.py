"""What is left of each declared quota."""
