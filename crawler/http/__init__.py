"""HTTP by its RFCs: cookies, redirects, robots.txt, and the addresses that requests may be sent to.

Everything here is pure: it decides what a message means, and neither sends nor receives one.
"""
