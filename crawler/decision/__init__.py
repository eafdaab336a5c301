"""What follows from the result of an attempt, for crawls and clients alike.

`decide` is a pure function of the result, a few `Facts` and the `Policy`. It returns a `Decision`, which its caller
carries out.
"""
