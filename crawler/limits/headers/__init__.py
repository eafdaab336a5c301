"""What a server says of its limits, read from header fields and bodies."""
