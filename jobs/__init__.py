"""Verbs: each module is one command, ``python -m jobs.<verb>``."""
