"""A web page of a running crawl, and one of the jobs in a folder: what they do, with controls, and a JSON API."""
