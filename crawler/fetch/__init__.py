"""Requests on the wire: the only room that imports httpx or libcurl."""
