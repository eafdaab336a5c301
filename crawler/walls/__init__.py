"""Walls: responses that take the place of a page, such as challenges and login forms. Pure."""
