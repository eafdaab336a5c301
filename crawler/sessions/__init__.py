"""Sessions: how a crawl logs in, keeps its sessions alive, and does not log out."""
