"""The running crawl. `scheduler` has a diagram of it; a request passes scheduler, worker and writer."""
