"""The running crawl. `scheduler` has the picture of it; a request passes scheduler, worker and writer."""
