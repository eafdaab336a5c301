"""libcurl as an httpx transport: `curl.CurlTransport`, with a resolver, decoders and errors of its own.

This is the only room that imports pycurl. It knows requests as bytes, and nothing of crawls.
"""
