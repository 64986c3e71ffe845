"""Ray's token, about which server and client must agree, and which nobody else may read."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from sem3d.doctor.finding import Finding
from sem3d.files import unfinished
from sem3d.folders import nearest_there

MODE = "RAY_AUTH_MODE"
TOKEN = "RAY_AUTH_TOKEN"
TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
TOKEN_FILE = "~/.ray/auth_token"
NEW_TOKEN = (
    f"ray get-auth-token --generate >/dev/null; chmod 600 {TOKEN_FILE}; export {MODE}=token    # on server and client"
)


def default_token_file() -> Path:
    """Return the file in which Ray keeps its token unless told otherwise; one that cannot be where a user has no home."""
    path = os.path.expanduser(TOKEN_FILE)
    return Path(os.devnull, TOKEN_FILE) if path == TOKEN_FILE else Path(path)


def token_source() -> tuple[str, str]:
    """Return the place from which Ray would take its token, and the token; both empty if there is none."""
    if token := os.environ.get(TOKEN, "").strip():
        return TOKEN, token
    named = os.environ.get(TOKEN_PATH, "")
    path = Path(named).expanduser() if named else default_token_file()
    try:
        token = path.read_text().strip()
    except (OSError, ValueError):
        token = ""
    return (str(path), token) if token else ("", "")


def authentication() -> list[Finding]:
    """Check mode and token, and that commands would agree about them."""
    mode, (source, _) = os.environ.get(MODE), token_source()
    if mode is not None and mode.lower() not in ("token", "disabled"):
        return [Finding("Ray token", "FAIL", f"{MODE} is '{mode}'", f"export {MODE}=token")]
    if mode is not None and mode.lower() == "disabled":
        found = f"{MODE}=disabled: whoever reaches this machine over the network can run code as you, for Ray listens to all"
        return [Finding("Ray token", "warn", found, NEW_TOKEN)]
    if not source and (named := os.environ.get(TOKEN_PATH, "")):
        fix = f"copy the cluster's token there, or for a new cluster unset {TOKEN_PATH}"
        return [Finding("Ray token", "FAIL", f"no token in {named} ({TOKEN_PATH})", fix)]
    if not source and (why := unwritable(default_token_file())):
        fix = f"export {TOKEN_PATH}=FILE, with the cluster's token; runs without a cluster make one of their own"
        return [Finding("Ray token", "warn", f"{default_token_file()} cannot be made: {why}", fix)]
    if mode is None and source:
        found = (
            f"{MODE} is not set but {source} has one: 'ray start --head' will ask for it, 'ray job submit' not send it"
        )
        return [Finding("Ray token", "warn", found, f"export {MODE}=token    # on server and client")]
    if mode is None:
        found = f"{MODE} is not set and there is no token: a head would let in everyone who reaches its ports"
        return [Finding("Ray token", "warn", found, NEW_TOKEN)]
    if not source:
        fix = f"copy the cluster's token to {default_token_file()}, or for a new cluster: {NEW_TOKEN}"
        return [Finding("Ray token", "FAIL", f"{MODE}=token, but no token in {default_token_file()}", fix)]
    path = Path(source)
    if path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return [Finding("Ray token", "warn", f"{source} can be read by others", f"chmod 600 {source}")]
    return [Finding("Ray token", "ok", f"{MODE}=token, token from {source}")]


def unwritable(file: Path) -> str:
    """Return why a file cannot be made, empty if it can; as it looks, for nothing is written."""
    place = nearest_there(file.parent)
    if not place.is_dir():
        return f"{place} is no folder"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"


def keep_token() -> str:
    """Make the token of a cluster that this process starts, which its owner alone can read, and return what to say of it.

    Ray's own would be readable by all. Where the home folder cannot be written, the token is this process's and its children's
    alone. A token that is there already is taken, and hidden from others if it lies where Ray looks first.
    """
    source, default = token_source()[0], default_token_file()
    if os.environ.get(MODE, "token").lower() != "token":
        return ""
    if source == str(default):
        with suppress(OSError):
            default.chmod(0o600)
    if source:
        return ""
    try:
        _write_token(default)
    except OSError as error:
        os.environ[TOKEN] = secrets.token_hex(32)
        why = unwritable(default) or error.strerror
        return f"{default} cannot be made ({why}): this run's Ray has a token of its own; {TOKEN_PATH} names one that stays"
    return ""


def _write_token(path: Path) -> None:
    """Write a new token, whole, unless another process has written one meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pending = unfinished(path)
    try:
        with os.fdopen(os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):
            os.link(pending, path)
    finally:
        pending.unlink(missing_ok=True)
