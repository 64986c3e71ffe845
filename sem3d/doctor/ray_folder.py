"""The folder of Ray's sockets and logs on this machine: it must be short, because the name of a socket is."""

import os
import sys
from pathlib import Path

from sem3d.doctor.finding import Finding
from sem3d.errors import UserError
from sem3d.folders import nearest_there

VARIABLE = "RAY_TMPDIR"
LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107
"""Bytes of a socket's path."""
BELOW = "/ray/session_2026-11-26_17-20-31_123456_4194304/sockets/plasma_store"
"""Ray's longest path to a socket below the folder, with the moment and the number of its process."""
PART = "Ray folder"


def flaw(folder: Path) -> str:
    """Return why Ray cannot keep its sockets below a folder; empty if it can."""
    length, most = len(os.fsencode(folder)), LONGEST_SOCKET - len(BELOW)
    if length > most:
        return f"its path has {length} bytes, Ray's sockets leave {most}"
    place = nearest_there(folder / "ray")
    if not place.is_dir():
        return f"{place} is no folder"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"


def ray_folder() -> tuple[Path, str]:
    """Return the folder that a Ray of this machine's own is given, and why it is not ``TMPDIR`` where it is another.

    That is ``RAY_TMPDIR``, else ``TMPDIR``, else a short one. Raises :class:`UserError` for a ``RAY_TMPDIR`` that will not do,
    and where nothing else does.
    """
    if named := os.environ.get(VARIABLE, ""):
        if why := flaw(Path(named).absolute()):
            raise UserError(f"{VARIABLE} {named} is of no use: {why}: export {VARIABLE}=/tmp, or another short folder")
        return Path(named).absolute(), ""
    asked = os.environ.get("TMPDIR", "") if sys.platform != "darwin" else ""
    wanted = Path(asked or "/tmp").absolute()
    short = [Path("/tmp"), Path(f"/tmp/ray-{os.getuid()}"), Path(f"/dev/shm/ray-{os.getuid()}")]
    why = flaw(wanted)
    chosen = next((folder for folder in (wanted, *short) if not flaw(folder)), None)
    if chosen is None:
        raise UserError(f"Ray has no folder for its sockets: {wanted}: {why}: export {VARIABLE} with a short folder")
    return chosen, f"{wanted} is no folder for Ray: {why}; {chosen} is ({VARIABLE} names another)" if why else ""


def folder_of_ray() -> list[Finding]:
    """Check that Ray can keep its sockets on this machine."""
    try:
        folder, why = ray_folder()
    except UserError as error:
        return [Finding(PART, "FAIL", str(error), f"export {VARIABLE}=/tmp    # or another short folder")]
    if why:
        return [Finding(PART, "warn", why, f"export {VARIABLE}={folder}")]
    return [Finding(PART, "ok", f"{folder}")]
