"""When the next request may start, and what the limits of a server are.

`throttle.Throttle` holds all limits of one lane or budget, and `permit.Permit` is what one request takes of them.
`headers` reads the limits that a server declares, `quotas` tracks them, and `learning` finds those that it does not
declare. Everything here is pure: no I/O, and `now` is always an argument, in seconds.
"""
