"""Checks of everything that a run needs, before it starts; each part is checked on its own and names its fix.

Nothing here needs a package beyond Python's own until it is checked, because a missing package is one of the things found.
"""
