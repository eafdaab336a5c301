"""What a crawl needs only if several workers share its job. `SharedPeers` is all that the engine sees of it."""
