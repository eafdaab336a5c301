"""Read what a server declares about its limits, from header fields and bodies."""
