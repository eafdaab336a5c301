"""Archives of sites: `Warc` writes them, `Replay` crawls them without a network, `Cache` and `HttpCache` keep pages."""
