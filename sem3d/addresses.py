"""Addresses of stores that may be given with a user and a password, as text that holds neither."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

SECRET_NAME = re.compile("pass|pwd|secret|token|key", re.IGNORECASE)
"""Names of settings in an address whose values are secrets."""
PATH = re.compile(r"(sqlite|file)\b|[/.~]", re.IGNORECASE)
"""Beginnings of addresses that are paths, in which @ is a letter like any other."""
ADDRESS = re.compile(r"[\w+.-]+://[^\s'\"<>]+")
"""An address in a message."""
UNMARKED = re.compile(r"(?<![^\s='\"(])[^\s/'\"<>@:=(]+:[^\s/'\"<>@]+@(?=[\w.-]+:\d)")
"""User and password before an address that lacks its ``http://``."""


class StoreUri(str):
    """The address of an MLflow store, without the user, password and tokens that it was given with.

    Printed, in JSON and as a setting it is the bare address. ``whole`` is what to connect with; only copies and pickles have it.
    """

    whole: str

    def __new__(cls, uri: str = "") -> "StoreUri":
        """Take an address with or without secrets."""
        made = super().__new__(cls, bare(uri))
        made.whole = getattr(uri, "whole", uri)
        return made

    def __reduce__(self) -> tuple[type["StoreUri"], tuple[str]]:
        """Return how a copy is made: from the whole address."""
        return StoreUri, (self.whole,)

    @property
    def login(self) -> tuple[str, str]:
        """Return user and password, decoded; both empty where the address has none."""
        before, at, _ = _authority(self.whole.partition("://")[2]).rpartition("@")
        user, _, password = before.partition(":") if at else ("", "", "")
        return unquote(user), unquote(password)


def bare(uri: str) -> str:
    """Return an address without user, password and secret settings; any other is returned as it is."""
    if PATH.match(uri):
        return uri
    scheme, mark, rest = uri.partition("://") if "://" in uri else ("", "", uri)
    named, question, settings = rest.partition("?")
    authority = _authority(rest)
    if is_cut(rest):
        named, question, settings = rest.rpartition("@")[2].partition("?")
    elif "@" in authority and (mark or ":" in authority.partition("@")[0]):
        named = authority.rpartition("@")[2] + named[len(authority) :]
    pairs = parse_qsl(settings, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not SECRET_NAME.search(name)]
    if len(kept) < len(pairs):
        question, settings = ("?", urlencode(kept)) if kept else ("", "")
    return f"{scheme}{mark}{named}{question}{settings}"


def is_cut(rest: str) -> bool:
    """Return whether a password in an address, of which ``rest`` follows ://, has a letter that ends a host's name: / ? #."""
    authority = _authority(rest)
    beyond = rest[len(authority) :]
    if "@" in authority:
        return "@" in beyond.partition("?")[0] or (beyond.startswith(("?", "#")) and "@" in beyond)
    has_port = authority.rpartition(":")[2].isdigit() or authority.endswith("]")
    return not has_port and ":" in rest.partition("@")[0].partition("?")[0] and "@" in beyond


def without_secrets(text: str) -> str:
    """Return a message without the users and passwords of the addresses in it."""
    return UNMARKED.sub("", ADDRESS.sub(lambda found: bare(found[0]), text))


def settings_without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run, JSON values, without the users and passwords of the addresses in them."""
    return {name: without_secrets(value) if isinstance(value, str) else value for name, value in settings.items()}


def _authority(rest: str) -> str:
    return re.split("[/?#]", rest, maxsplit=1)[0]
