"""Registers are plain dicts of ``"name": "module:attribute"``, resolved on first use."""

from importlib import import_module
from typing import Any


def resolve(path: str) -> Any:
    """Import the module of ``module:attribute`` and return the attribute."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
