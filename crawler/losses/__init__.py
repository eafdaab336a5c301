"""What a crawl has lost, judged from its counts: why it has no page, and which of its pages are missing."""
