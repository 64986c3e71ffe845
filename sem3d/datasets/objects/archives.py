"""Archives of meshes as folders: what a tar holds is looked at before any of it is written."""

import tarfile
import zlib
from lzma import LZMAError
from pathlib import Path

from sem3d.errors import UserError
from sem3d.files import whole_folder

MOST_BYTES, MOST_MEMBERS = 64 << 30, 2_000_000
ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
DAMAGE = (tarfile.TarError, EOFError, OSError, LZMAError, zlib.error, ValueError, OverflowError)


def is_tar(path: Path) -> bool:
    """Return whether a file's name is that of a tar."""
    return path.is_file() and path.name.lower().endswith(ENDINGS)


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack a tar into ``folder``, unless that is there, and return the only folder in it, or itself.

    Raises :class:`UserError` for a damaged archive, one that is too large, or one with members that are neither files nor folders
    or lead out of it; nothing of it is left then.
    """
    if not folder.exists():
        with whole_folder(folder) as building:
            try:
                unpack(archive, building)
            except DAMAGE as error:
                words = " ".join(str(error).split()) or type(error).__name__
                raise UserError(f"{archive} cannot be unpacked: {words}; download it again") from error
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def unpack(archive: Path, folder: Path) -> None:
    """Write the members of a tar below ``folder`` one after the other; errors as above, or one of :data:`DAMAGE`."""
    total = 0
    with tarfile.open(archive) as packed:
        for number, member in enumerate(packed):
            total += member.size
            if number >= MOST_MEMBERS or total > MOST_BYTES:
                raise UserError(f"{archive} is too large: more than {MOST_MEMBERS} members or {MOST_BYTES >> 30} GB")
            if not (member.isreg() or member.isdir()):
                raise UserError(f"{archive} has a member that is neither a file nor a folder: {member.name}")
            packed.extract(member, folder, filter="data")
