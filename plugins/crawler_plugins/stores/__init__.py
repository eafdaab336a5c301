"""First-party stores of jobs that many workers share, by the scheme of a job's URL: entry points `crawler.stores`."""
