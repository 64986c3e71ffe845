"""Ray's token, about which server and client must agree."""

import os
import stat
from pathlib import Path

from sem3d.doctor.finding import Finding

MODE = "RAY_AUTH_MODE"
NEW_TOKEN = f"ray get-auth-token --generate >/dev/null; export {MODE}=token    # on server and client"


def default_token_file() -> Path:
    """Return the file in which Ray keeps its token unless told otherwise."""
    return Path.home() / ".ray" / "auth_token"


def token_source() -> tuple[str, str]:
    """Return the place from which Ray would take its token, and the token; both empty if there is none."""
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return "RAY_AUTH_TOKEN", token
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    path = Path(named).expanduser() if named else default_token_file()
    try:
        token = path.read_text().strip()
    except OSError:
        token = ""
    return (str(path), token) if token else ("", "")


def authentication() -> list[Finding]:
    """Check mode and token, and that commands would agree about them."""
    mode, (source, _) = os.environ.get(MODE), token_source()
    if mode is None and source:
        found = (
            f"{MODE} is not set but {source} has one: 'ray start --head' will ask for it, 'ray job submit' not send it"
        )
        return [Finding("Ray token", "warn", found, f"export {MODE}=token    # on server and client")]
    if mode is None:
        found = f"{MODE} is not set and there is no token: a head would let in everyone who reaches its ports"
        return [Finding("Ray token", "warn", found, NEW_TOKEN)]
    if mode.lower() == "disabled":
        return [Finding("Ray token", "ok", f"switched off by {MODE}=disabled: right for loopback only")]
    if mode.lower() != "token":
        return [Finding("Ray token", "FAIL", f"{MODE} is '{mode}'", f"export {MODE}=token")]
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    if not source:
        where = named or str(default_token_file())
        fix = f"copy the cluster's token to {where}, or for a new cluster: {NEW_TOKEN}"
        return [Finding("Ray token", "FAIL", f"{MODE}=token, but no token in {where}", fix)]
    path = Path(source)
    if path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return [Finding("Ray token", "warn", f"{source} can be read by others", f"chmod 600 {source}")]
    return [Finding("Ray token", "ok", f"{MODE}=token, token from {source}")]
