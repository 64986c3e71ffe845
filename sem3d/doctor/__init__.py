"""What has to be well before a run starts; each part is looked at on its own and says what mends it.

Nothing here needs a package beyond Python's own until it is looked at, because a missing package is one of the things found.
"""
