"""Requests to a run, made through its folder: all that a driver, a Train controller and process 0 are sure to share."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FolderRequest:
    """A request that is made, seen and taken back by a file of this name in the folder of the run."""

    name: str

    def make(self, folder: Path) -> None:
        """Ask the run of this folder; any process that shares the folder may."""
        (folder / self.name).write_text("asked\n")

    def clear(self, folder: Path) -> None:
        """Take a request back, or away once it is met.

        The file stays, empty: opening a file that is there asks an NFS server anew, whereas looking for one that was absent
        may be answered from a cache for half a minute.
        """
        (folder / self.name).write_text("")

    def is_made(self, folder: Path) -> bool:
        """Return whether the run of this folder is asked, and has not met it yet."""
        try:
            return bool((folder / self.name).read_bytes())
        except OSError:  # absent, or a file server is away: the next look tells
            return False


STOP = FolderRequest(".stop")
"""To write a checkpoint and end."""
CHECKPOINT = FolderRequest(".checkpoint")
"""To write a checkpoint now and go on."""
