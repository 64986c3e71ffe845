"""Advice for a store that cannot be used, by its cause."""

import importlib.util
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from sem3d.addresses import StoreUri, is_cut, without_secrets
from sem3d.errors import UserError
from sem3d.tracking.answers import PORTS, ask_database, ask_server, authorization, sqlite_trouble

SECONDS_FOR_ANSWER = 7.0
LONGEST_REASON = 300
"""Letters of a message that is not sem3d's own."""
LOGIN = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
START = "start the server, or set run.tracking_uri"
SQLITE = "sqlite:///"
ANOTHER_FILE = f"or name another one with run.tracking_uri, such as {SQLITE}/absolute/path/mlflow.db"
HOST = re.compile(r"(?:localhost|\[[0-9a-fA-F:]+\]|[\w-]+(?:\.[\w-]+)+|[\w-]+(?=:\d))(?::\d+)?(?:/.*)?")
FILE_ADVICE = (
    ("readonly|unable to open|ermission denied|cannot be written", "make it and its folder writable, " + ANOTHER_FILE),
    ("is locked", "another process holds it: wait for that one, or find it with fuser and end it"),
    ("disk is full|disk I/O|No space", "free some space there, " + ANOTHER_FILE),
    ("no file|no folder", f"name a file: {SQLITE}/absolute/path/mlflow.db"),
    ("not a database|malformed", "restore a copy of it, or move it away and a new one is made"),
    ("database schema|locate revision|no such table|no such column", "another version of MLflow made it: copy the file, "
     "then run mlflow db upgrade with this address, " + ANOTHER_FILE),
)  # fmt: skip
DRIVERS = {"postgresql": "psycopg2", "mysql": "MySQLdb", "mssql": "pyodbc"}


class StoreTrouble(UserError):
    """The MLflow store cannot be used."""


class StoreAway(StoreTrouble):
    """The MLflow store does not answer for now; another try may help."""


def wrong_address(uri: str) -> tuple[str, str]:
    """Return what is wrong with the form of a store's address, and what to write instead; both empty if nothing is."""
    scheme, mark, rest = StoreUri(uri).whole.partition("://")
    bare = str(StoreUri(uri))
    kind = scheme.partition("+")[0].lower()
    if not mark or kind == "file":
        return _wrong_path(bare)
    if kind == "sqlite" and rest and not rest.startswith("/"):
        return "a path follows three slashes", f"write {SQLITE}{rest}, or {SQLITE}/{rest} from the root"
    if kind not in ("http", "https", *PORTS):
        return "", ""
    if is_cut(rest):
        advice = f"write / as %2F, ? as %3F, # as %23 and @ as %40 in them, or set {LOGIN}"
        return "its user or password has a letter that ends a host's name", advice
    try:
        parts = urlsplit(bare)
        port = parts.port
    except ValueError:
        return "its port is no number from 1 to 65535", f"write {kind}://HOST:PORT"
    if port == 0 or not (parts.hostname or kind in PORTS):
        return "it names no host and port", f"write {kind}://HOST:PORT"
    return "", ""


def _wrong_path(uri: str) -> tuple[str, str]:
    """Return what is wrong with an address without ://, or with that of a folder."""
    name, _, rest = uri.partition(":")
    if name in ("http", "https"):
        return "two slashes are missing", f"write {name}://{rest.lstrip('/')}"
    if name == "sqlite":
        return "a path follows three slashes", f"write {SQLITE}{rest}"
    if uri.startswith("databricks") or os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1"):
        return "", ""
    if HOST.fullmatch(uri) and not Path(uri).exists():
        return "it has no http:// before it", f"write http://{uri}"
    path = Path(uri.removeprefix("file:").removeprefix("//") or "/").absolute()
    return "MLflow no longer takes a plain folder as its store", f"use a SQLite file, {SQLITE}{path / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite store, ``None`` for every other store."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).absolute() if uri.startswith(SQLITE) else None


def check_store(uri: str) -> None:
    """Raise :class:`StoreTrouble` within seconds where the store at ``uri`` certainly cannot be used.

    It is :class:`StoreAway` where a server does not answer. Everything else is left for MLflow to find.
    """
    reason, advice = wrong_address(uri)
    path, kind = sqlite_path(uri), uri.partition("://")[0].partition("+")[0].lower()
    if not reason and path is not None:
        reason = sqlite_trouble(path)
        advice = _file_advice(reason)
    elif not reason and kind in ("http", "https"):
        answer = ask_server(uri, SECONDS_FOR_ANSWER)
        if answer.silent:
            raise StoreAway(_line(uri, answer.words, START))
    elif not reason and kind in PORTS:
        driver = uri.partition("://")[0].partition("+")[2] or DRIVERS[kind]
        if importlib.util.find_spec(driver) is None:
            reason, advice = f"its driver {driver} is not installed", f"install it: pip install {driver}"
        elif (answer := ask_database(uri, SECONDS_FOR_ANSWER)).silent:
            raise StoreAway(_line(uri, answer.words, "start the database, or set run.tracking_uri"))
    if reason:
        raise StoreTrouble(_line(uri, reason, advice))


def is_away(uri: str) -> bool:
    """Return whether nobody answers at ``uri`` for now."""
    try:
        check_store(uri)
    except StoreTrouble as error:
        return isinstance(error, StoreAway)
    return False


def trouble(uri: str, error: Exception) -> UserError:
    """Return the error that tells a user what MLflow met at ``uri``, and by its cause what to do."""
    if isinstance(error, UserError):
        return error
    text, reason = str(error), first_line(error)
    if re.search("must be in the 'active' state|deleted state", text):
        advice = "restore it, or choose another one with run.experiment"
        return StoreTrouble(_line(uri, reason, advice))
    if "://" in uri and uri.lower().startswith(("http://", "https://")):
        return _of_server(uri, error, text, reason)
    if sqlite_path(uri) is not None:
        kind = StoreAway if "is locked" in text else StoreTrouble
        return kind(_line(uri, reason, _file_advice(text)))
    return StoreTrouble(_line(uri, reason, "look at the database's log, or set run.tracking_uri"))


def _of_server(uri: str, error: Exception, text: str, reason: str) -> UserError:
    status = status_of(error)
    if "host header" in text.lower():
        return StoreTrouble(_line(uri, reason, f"start the server with --allowed-hosts {urlsplit(uri).netloc}"))
    if status == 401:
        given = "it refuses the user, password or token that are set: " if authorization(uri) else ""
        return StoreTrouble(_line(uri, "401, it asks for a login", f"{given}set {LOGIN}"))
    if status == 403:
        return StoreTrouble(_line(uri, f"403, {reason}", f"this user may not do that: set {LOGIN} of one who may"))
    if "CERTIFICATE" in text:
        return StoreTrouble(_line(uri, reason, "name the server's certificate with MLFLOW_TRACKING_SERVER_CERT_PATH"))
    if "SSL" in text:
        return StoreTrouble(_line(uri, reason, "if the server does not speak https, write http:// before its address"))
    if "valid JSON format" in text or (status == 404 and "failed with error code" in text):
        advice = (
            "name the root address of an MLflow server, such as http://HOST:5000; if a login page is before it, set "
        )
        return StoreTrouble(_line(uri, "the answer is not that of MLflow", advice + LOGIN))
    if status in (429, 502, 503, 504):
        return StoreAway(_line(uri, reason, "wait until the server is up, and look at its log"))
    if status:
        return StoreTrouble(_line(uri, reason, "look at the server's log"))
    return StoreAway(_line(uri, reason, START))


def status_of(error: Exception) -> int:
    """Return the HTTP status of a server's answer that MLflow took for an error; 0 where there was no answer."""
    said = re.search(r"failed with error code (\d{3})|too many (\d{3}) error responses", str(error))
    if said:
        return int(said[1] or said[2])
    if re.search("failed with (timeout )?exception", str(error)) or not hasattr(error, "get_http_status_code"):
        return 0
    return int(error.get_http_status_code())  # pyright: ignore[reportAttributeAccessIssue]


def first_line(error: Exception) -> str:
    """Return the message of an error, cut to its most telling line, without users and passwords."""
    lines = [line.strip() for line in (str(error) or type(error).__name__).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("(raised as a result")] or [type(error).__name__]
    line = without_secrets(telling[0].partition(" Response body: '<")[0])
    return line if isinstance(error, UserError) else line[:LONGEST_REASON]


def _file_advice(text: str) -> str:
    return next((advice for pattern, advice in FILE_ADVICE if re.search(pattern, text)), "look at it, " + ANOTHER_FILE)


def _line(uri: str, reason: str, advice: str) -> str:
    return f"MLflow store {StoreUri(uri)} cannot be used ({without_secrets(reason)}): {advice}"
