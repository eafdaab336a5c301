"""When the next request may start: pure rules, no clock, no I/O. `now` is always an argument, in seconds."""
