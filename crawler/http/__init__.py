"""HTTP by its RFCs, pure: cookies, redirects, robots.txt, and the addresses that requests may be sent to."""
