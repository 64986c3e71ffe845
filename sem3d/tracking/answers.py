"""Questions to a store that are answered within seconds, asked without MLflow, which waits and repeats for minutes."""

import base64
import json
import os
import queue
import socket
import sqlite3
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sem3d.addresses import StoreUri
from sem3d.folders import is_there

PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Databases that MLflow can be connected with directly, and where they listen unless told otherwise."""
LOGIN_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
before: dict[str, str | None] = {}
"""Values of these from before this process used an address with a login."""
LONGEST_ANSWER = 1 << 20
FIRST_WORDS = 200


@dataclass(frozen=True)
class Answer:
    """An answer to one question."""

    status: int = 0
    """HTTP status; 0: none came."""
    words: str = ""
    """Beginning of an answer that is none of MLflow's, or the reason why there is none."""
    silent: bool = False
    """Nobody listens, or nothing came in time."""


def ask_server(uri: str, seconds: float) -> Answer:
    """Return what a tracking server answers to a question about experiments, as a run would ask it."""
    return _within(2 * seconds, lambda: _asked(uri, seconds))


def ask_database(uri: str, seconds: float) -> Answer:
    """Return whether the server of a database takes connections."""
    parts = urlsplit(uri)
    place = (parts.hostname or "localhost", parts.port or PORTS[parts.scheme.partition("+")[0]])

    def connected() -> Answer:
        try:
            socket.create_connection(place, seconds).close()
        except OSError as error:
            return Answer(words=str(error) or type(error).__name__, silent=True)
        return Answer(200)

    return _within(2 * seconds, connected)


def sqlite_trouble(path: Path) -> str:
    """Return why SQLite could not write a store at ``path``, "" where it could; nothing is written."""
    there = is_there(path)
    if there and not path.is_file():
        return "it is no file"
    place = path.parent
    while not is_there(place):
        place = place.parent
    if not place.is_dir():
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK) or (there and not os.access(path, os.R_OK | os.W_OK)):
        return "it cannot be written"
    if not there:
        return ""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)) as database:
            database.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "" if "locked" in str(error) else str(error)
    return ""


def authorization(uri: str) -> dict[str, str]:
    """Return the header that MLflow sends to a server: the address's own user, else the environment's, else its token."""
    put_login(uri)
    user, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN")
    )
    if user and password:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def put_login(uri: str) -> None:
    """Put user and password of an address where MLflow looks for them, and take away those of another address.

    MLflow prints addresses and writes them into errors, so it is given them without.
    """
    for name, value in zip(LOGIN_VARIABLES, StoreUri(uri).login, strict=True):
        if value:
            before.setdefault(name, os.environ.get(name))
            os.environ[name] = value
        elif name in before:
            found = before.pop(name)
            os.environ.pop(name, None)
            os.environ |= {name: found} if found is not None else {}


def _asked(uri: str, seconds: float) -> Answer:
    request = urllib.request.Request(
        f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search",
        json.dumps({"max_results": 1}).encode(),
        {"Content-Type": "application/json", **authorization(uri)},
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            content = answer.read(LONGEST_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(FIRST_WORDS).decode(errors="replace"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Answer(words=str(reason) or type(reason).__name__, silent=not isinstance(reason, ssl.SSLError))
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return Answer(200, content[:FIRST_WORDS].decode(errors="replace"))
    return Answer(200)


def _within(seconds: float, asked: Callable[[], Answer]) -> Answer:
    """Return an answer that is there in time; names may take longer to look up than a connection may to be made."""
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(asked()), name="answer", daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return Answer(words=f"no answer within {seconds:.0f} s", silent=True)
