"""Callbacks and fetches in several processes (setting `processes`).

The first process does everything else: limits, frontier, commits, outputs. `keeper` starts the other processes, `pool`
gives them pages, `wire` has the messages between them, and `child` is the program that they run.
"""
