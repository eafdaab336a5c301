"""The running crawl: scheduler, workers, writer, sinks, and how they start and stop together.

`crawl` and `run` in `api` are its entrance, `session` opens what a crawl needs, `wiring` creates its parts, and
`scheduler` has a diagram of them. All other rooms are below this one except the command line and the test kit; a client
without a crawl (`crawler.api_client`) shares its limits and its transport, not its code.
"""
