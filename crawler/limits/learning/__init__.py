"""Learn limits that a server does not declare from its refusals."""
