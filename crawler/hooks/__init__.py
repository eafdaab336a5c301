"""Plugins: `plugin` is the page for their authors, `table` checks the hooks, `load` finds and creates plugins.

`sink` is the base class of outputs, and `state` has the values that a plugin keeps in a job. This room defines the
hooks; the engine calls them.
"""
