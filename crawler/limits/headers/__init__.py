"""Read the limits that a server declares, from header fields and bodies in all dialects, into one form: `Declared`."""
