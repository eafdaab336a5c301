"""HTTP by its RFCs, pure: cookies, redirects, robots.txt, and which addresses a page may lead to."""
