"""The files beside a model that its text names: those of its own folder or archive and no others, each decoded once."""

import os
import posixpath
import re
import zipfile
from pathlib import Path

from PIL import Image

from sem3d.datasets.objects.sweet_home import inside, is_archive, read_member
from sem3d.datasets.pictures import MOST_PIXELS, read_user_picture
from sem3d.errors import BadSample

MOST_TEXTURE_PIXELS = 4 * MOST_PIXELS
"""Pixels of all pictures of a model together."""
LONGEST_PATH = 4096
"""Characters; no system has a file of a longer one."""
ELSEWHERE = re.compile(r"([A-Za-z]:)?/+")
"""Beginning of a path on the machine that wrote the model."""


class ModelFiles:
    """Finds and reads the .mtl and the pictures that a model names, and nothing outside its catalogue.

    Names may be written as Windows does, in another case of letters, and with the folders of another machine, whose last ones
    are then looked for beside the model. Errors are :class:`BadSample` in the name of ``owner``, the model.
    """

    def __init__(self, source: str, folder: str, owner: str):
        self.source, self.folder, self.owner = source, folder, owner
        self.archived = is_archive(source)
        self.pixels = 0
        self.names: dict[Path, dict[str, list[str]]] = {}
        """Names in folders and archives that were looked into, by their lower case."""

    def find(self, name: str, folder: str | None = None) -> str | None:
        """Return the path in the catalogue of the file that ``name`` means in ``folder``, by default the model's.

        None where there is no such file, or several that the name may mean.
        """
        folder = self.folder if folder is None else folder
        name = name.strip().strip('"').replace("\\", "/")
        if len(name) > LONGEST_PATH:
            return None
        start = ELSEWHERE.match(name)
        if start is None:
            return self.existing(name, folder)
        parts = [part for part in name[start.end() :].split("/") if part not in ("", ".")]
        endings = ("/".join(parts[first:]) for first in range(len(parts)) if ".." not in parts[first:])
        return next((path for ending in endings if (path := self.existing(ending, folder))), None)

    def existing(self, name: str, folder: str) -> str | None:
        """Return the path of a file named relative to ``folder``, in another case where only one such file is there."""
        path = posixpath.normpath(posixpath.join(folder, name))
        if not inside(path):
            why = "has a colon in its name" if ":" in path else "leads out of the catalogue"
            raise BadSample(self.owner, f"its file '{name}' {why}")
        if self.archived:
            return self.the_one(path, Path(self.source))
        found = Path(self.source)
        for part in path.split("/"):
            here = part if os.path.lexists(found / part) else self.the_one(part, found)
            if here is None:
                return None
            found /= here
        return found.relative_to(self.source).as_posix()

    def the_one(self, name: str, place: Path) -> str | None:
        """Return ``name`` where a folder or archive has it, else the only name there that differs in case; None without one."""
        if place not in self.names:
            self.names[place] = {}
            for other in names_in(place):
                self.names[place].setdefault(other.casefold(), []).append(other)
        alike = self.names[place].get(name.casefold(), [])
        return name if name in alike else alike[0] if len(alike) == 1 else None

    def read(self, path: str) -> bytes:
        """Return the content of a file that :meth:`find` found."""
        try:
            return read_member(self.source, path)
        except BadSample as error:
            raise BadSample(self.owner, f"its file '{path}' cannot be used: {error.reason}") from error

    def picture(self, path: str) -> Image.Image:
        """Return a picture that :meth:`find` found, decoded as it is stored and not kept: a large one takes hundreds of MB."""
        content = self.read(path)
        try:
            picture = read_user_picture(content, posixpath.relpath(path, self.folder or "."), upright=False)
        except BadSample as error:
            raise BadSample(self.owner, f"unreadable texture picture: {error}") from error
        self.pixels += picture.width * picture.height
        if self.pixels > MOST_TEXTURE_PIXELS:
            raise BadSample(self.owner, f"huge textures: more than {MOST_TEXTURE_PIXELS} pixels in all its materials")
        return picture


def names_in(place: Path) -> list[str]:
    """Return the names in a folder, or the paths in an archive; none where it cannot be looked into."""
    try:
        if place.is_dir():
            return os.listdir(place)
        with zipfile.ZipFile(place) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return []
