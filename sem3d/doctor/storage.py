"""The storage folder and the MLflow store: writable, reliable, and visible to other nodes."""

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from sem3d.doctor.finding import ANSWER_SECONDS, Finding
from sem3d.errors import UserError
from sem3d.files import locked_file, whole_folder, write_text
from sem3d.folders import nearest_there
from sem3d.tracking.answers import ask_server, authorization
from sem3d.tracking.store import is_server, with_login
from sem3d.tracking.trouble import LOGIN, sqlite_path, wrong_address

NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "lustre",
    "ceph",
    "glusterfs",
    "gpfs",
    "beegfs",
    "9p",
    "virtiofs",
}
SCARCE, LITTLE = 1 << 30, 10 << 30
SERVER = "mlflow server --host 127.0.0.1 --port 5000 --workers 1 --backend-store-uri sqlite:////a/local/disk/mlflow.db"


def storage(folder: str, remote: bool) -> list[Finding]:
    """Check by writing, renaming and locking in ``folder``; ``remote``: a cluster of other machines will use it."""
    if "://" in folder:
        fix = "mount it as a folder that can rename and lock (EFS, FSx, NFS) and name its path"
        return [Finding("storage", "FAIL", f"{folder} is no folder", fix)]
    path = Path(folder).expanduser().resolve()
    place = nearest_there(path)
    try:
        _try_out(place)
        free = shutil.disk_usage(place).free
    except (OSError, UserError) as error:
        fix = "name another folder with --storage (run.storage), or fix its owner or mount"
        return [Finding("storage", "FAIL", f"{place}: {getattr(error, 'strerror', None) or error}", fix)]
    kind = file_system(place)
    found = f"{path}{'' if place == path else ' (will be made)'}: {free >> 30} GiB free, {kind}, renames and locks work"
    if free < SCARCE:
        return [Finding("storage", "FAIL", found, f"free some space in {place}, or name another folder")]
    if free < LITTLE:
        return [Finding("storage", "warn", found, f"free some space in {place}, or lower run.keep")]
    if remote and not is_network(kind):
        fix = "mount a folder that all nodes share at the same path (NFS, EFS) and name it"
        return [Finding("storage", "warn", f"{found}; other machines do not see it", fix)]
    return [Finding("storage", "ok", found)]


def tracking(uri: str, storage_folder: str) -> list[Finding]:
    """Check that the MLflow store would take a run: of ``uri``, else ``MLFLOW_TRACKING_URI``, else in the storage folder."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri and "://" in storage_folder:
        return []
    store = with_login(uri or f"sqlite:///{Path(storage_folder).expanduser().resolve() / 'mlflow.db'}")
    reason, fix = wrong_address(store)
    if reason:
        return [Finding("MLflow", "FAIL", f"{store}: {reason}", fix)]
    path = sqlite_path(store)
    if path is not None:
        return [sqlite_store(path.resolve())]
    if is_server(store):
        return [server(store)]
    return [Finding("MLflow", "warn", f"{store}: this kind of store is not checked", "start a run and see")]


def sqlite_store(path: Path) -> Finding:
    """Check that a SQLite store can be locked for writing, without writing."""
    if not path.exists():
        place = nearest_there(path.parent)
        if not os.access(place, os.W_OK | os.X_OK):
            return Finding("MLflow", "FAIL", f"{path} cannot be made in {place}", "name another folder with --storage")
    else:
        try:
            with sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=ANSWER_SECONDS) as database:
                database.execute("begin immediate")
                database.execute("select count(*) from alembic_version").fetchone()
                database.rollback()
        except sqlite3.Error as error:
            fix = f"end whoever holds it (fuser {path}), fix its owner, or move it elsewhere for a new one"
            return Finding("MLflow", "FAIL", f"{path}: {error}", fix)
    if is_network(kind := file_system(nearest_there(path))):
        fix = f"{SERVER} and export MLFLOW_TRACKING_URI=http://HOST:5000"
        return Finding("MLflow", "warn", f"{path} lies on {kind}, where SQLite's locks are not safe", fix)
    return Finding("MLflow", "ok", f"{path}{'' if path.exists() else ' (will be made)'}")


def server(uri: str) -> Finding:
    """Check that a tracking server answers a question about experiments, as a run would ask it, with the same login."""
    answer, asked_with_login = ask_server(uri, ANSWER_SECONDS), bool(authorization(uri))
    if answer.status == 200 and not answer.words:
        return Finding("MLflow", "ok", f"{uri} answers")
    if answer.status == 200:
        return Finding("MLflow", "FAIL", f"{uri} answers, but not as MLflow does", f"name a server's root, or {LOGIN}")
    if answer.status == 401 and not asked_with_login:
        return Finding("MLflow", "warn", f"{uri} answers 401: it asks for a login", f"export it: {LOGIN}")
    if answer.status == 401:
        return Finding(
            "MLflow", "FAIL", f"{uri} answers 401: it refuses user, password or token", f"export it: {LOGIN}"
        )
    if answer.status == 403:
        hosts = f"start the server with --allowed-hosts {uri.split('//')[1].split('/')[0]}"
        fix = hosts if "host" in answer.words.lower() else f"export the login of who may use it: {LOGIN}"
        return Finding("MLflow", "FAIL", f"{uri} answers 403", fix)
    if answer.status:
        fix = "look at the server's log, and that it is MLflow"
        return Finding("MLflow", "FAIL", f"{uri} answers {answer.status}", fix)
    return Finding("MLflow", "FAIL", f"{uri} does not answer: {answer.words}", SERVER)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the kind of the file system that ``path`` lies on, ``unknown`` where the system does not say."""
    if not mounts.is_file():
        return "unknown"
    lines = [words for line in mounts.read_text(errors="replace").splitlines() if len(words := line.split()) > 2]
    found = [
        (len(words[1]), number, words[2])
        for number, words in enumerate(lines)
        if path.resolve().is_relative_to(words[1].replace("\\040", " "))
    ]
    return max(found)[2] if found else "unknown"


def is_network(kind: str) -> bool:
    """Return whether a file system of this kind can be the same folder on several machines."""
    return kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse.")


def _try_out(folder: Path) -> None:
    """Do everything that checkpoints and the MLflow store need of a folder; raise :class:`OSError` where it fails."""
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
        first = Path(name) / "first"
        with locked_file(Path(name) / "lock", wait=False) as held:
            if not held:
                raise OSError(f"a new file in {folder} cannot be locked")
        with whole_folder(Path(name) / "made", pending=first) as made:
            (made / "file").write_text("old")
        write_text(Path(name) / "made" / "file", "whole")
        if (Path(name) / "made" / "file").read_text() != "whole":
            raise OSError(f"a file renamed in {folder} lost its content")
