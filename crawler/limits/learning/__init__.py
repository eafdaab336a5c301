"""Learn the limits that a server does not declare from the requests that it refuses."""
