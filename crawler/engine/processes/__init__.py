"""Callbacks and fetches in several processes (setting `processes`): the first process does everything else."""
