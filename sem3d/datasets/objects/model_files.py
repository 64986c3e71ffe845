"""The files beside a mesh, as trimesh asks for them: those of its own folder or archive and no others."""

import posixpath

from trimesh.resolvers import Resolver

from sem3d.datasets.objects.sweet_home import inside, read_member
from sem3d.datasets.pictures import MOST_PIXELS, read_user_picture
from sem3d.errors import BadSample
from sem3d.texts import plain_text

MOST_TEXTURE_PIXELS = 4 * MOST_PIXELS
"""Pixels of all pictures of a model together: trimesh decodes one anew for each material that names it."""


class ModelFiles(Resolver):
    """Serves the .mtl and the pictures beside a model, and nothing outside its catalogue.

    trimesh goes on without a file that cannot be read, so what was refused is kept in ``refused`` for the caller.
    """

    def __init__(self, source: str, folder: str):
        self.source, self.folder = source, folder
        self.refused: list[str] = []
        self.pixels = 0

    def get(self, name: str) -> bytes:
        """Return content of a file named relative to the model."""
        path = posixpath.normpath(posixpath.join(self.folder, name.strip().replace("\\", "/")))
        if not inside(path):
            self.refused.append(f"its file '{name.strip()}' leads out of the catalogue")
        content = read_member(self.source, path)
        if path.lower().endswith(".mtl"):
            return plain_text(content, path)
        self.check_picture(content, name.strip())
        return content

    def check_picture(self, content: bytes, name: str) -> None:
        """Raise :class:`BadSample` for what is no picture, before trimesh hands it to every reader that PIL has."""
        try:
            picture = read_user_picture(content, name)
            self.pixels += picture.width * picture.height
            if self.pixels > MOST_TEXTURE_PIXELS:
                raise BadSample(name, f"huge textures: more than {MOST_TEXTURE_PIXELS} pixels in all its materials")
        except BadSample as error:
            self.refused.append(f"unreadable texture picture: {error}")
            raise

    def write(self, name: str, data: bytes) -> None:  # noqa: ARG002 -- trimesh's signature
        """Raise PermissionError: a catalogue is only read."""
        raise PermissionError(f"{self.source} is only read")

    def namespaced(self, namespace: str) -> "ModelFiles":
        """Return the same files seen from a folder below."""
        return ModelFiles(self.source, posixpath.join(self.folder, namespace))

    def keys(self) -> list[str]:
        """Return nothing: files are asked for by name."""
        return []
