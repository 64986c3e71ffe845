"""Real furniture: Sweet Home 3D's catalogues as pieces for rooms.

A catalogue folder holds ``index.json`` beside ``<category>/<id>/<model>.obj``, or ``.sh3f`` archives (Debian's package
sweethome3d-furniture: zip files with a ``PluginFurnitureCatalog.properties``), or both. Archives are read in place; nothing is
unpacked to disk. What cannot be used is named in :attr:`Catalogue.quarantine`.
"""

import hashlib
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sem3d.datasets.objects.npz_stream import DAMAGE
from sem3d.errors import BadSample, UserError
from sem3d.files import first_of_content, open_regular, read_json
from sem3d.folders import named, root_entries
from sem3d.texts import decode_text, lines_of, read_regular

LARGEST_FILE = 32 << 20
MOST_MEMBERS = 20_000
LARGEST_ARCHIVE = 8 << 30
"""Bytes of an archive that is compared with others."""
ARCHIVE = ".sh3f"
"""Ending of an archive, in any case of letters."""
PROPERTIES = "PluginFurnitureCatalog.properties"

KIND_BY_WORD = (
    ("lamp", "lamp"),
    ("armchair chair", "chair"),
    ("sofa couch futon", "sofa"),
    ("desk", "desk"),
    ("table", "table"),
    ("bookcase bookshelf", "bookshelf"),
    ("wardrobe", "wardrobe"),
    ("nightstand", "nightstand"),
    ("sideboard", "sideboard"),
    ("dresser chest", "dresser"),
    ("fridge refrigerator", "refrigerator"),
    ("toilet", "toilet"),
    ("washbasin", "sink"),
    ("bathtub", "bathtub"),
    ("bed", "bed"),
)
"""First match decides the kind of an archive's entry from its English name."""
OTHER_THINGS = {
    *("wall", "ceiling", "hanging", "pendant", "lounger", "deck", "beach", "paper", "holder", "brush", "bat", "fan"),
    *("set", "unit", "opened", "baby", "crib", "mirror", "child", "kids", "pool", "tennis", "football"),
}
"""Words that tell that a name means something else, or something out of place."""
SIZES = {
    "chair": ((0.3, 1.2), (0.3, 1.2), (0.55, 1.35)),
    "sofa": ((1.1, 3.0), (0.5, 1.9), (0.5, 1.2)),
    "desk": ((0.8, 2.2), (0.4, 1.1), (0.6, 1.5)),
    "table": ((0.35, 2.2), (0.3, 1.3), (0.25, 1.0)),
    "lamp": ((0.08, 0.7), (0.08, 0.7), (0.2, 2.0)),
    "bookshelf": ((0.4, 2.5), (0.15, 0.6), (0.6, 2.4)),
    "wardrobe": ((0.6, 2.5), (0.35, 0.8), (1.5, 2.4)),
    "nightstand": ((0.3, 0.8), (0.25, 0.6), (0.3, 0.8)),
    "sideboard": ((0.8, 2.2), (0.3, 0.7), (0.4, 1.2)),
    "dresser": ((0.5, 1.6), (0.3, 0.7), (0.5, 1.4)),
    "refrigerator": ((0.45, 1.2), (0.45, 1.0), (1.2, 2.1)),
    "toilet": ((0.3, 0.6), (0.45, 0.9), (0.5, 1.2)),
    "sink": ((0.35, 1.2), (0.3, 0.8), (0.6, 1.3)),
    "bathtub": ((1.2, 2.0), (0.6, 1.1), (0.4, 0.9)),
    "bed": ((0.8, 2.2), (1.7, 2.4), (0.4, 1.8)),
}
"""Plausible width, depth and height in metres; other sizes (a doll's bed, a parasol table) are left out by name."""


@dataclass(frozen=True)
class Entry:
    """One model: where it lies, how large it is in metres, how it must be turned, whom to credit."""

    identity: str
    kind: str
    """One of :data:`SIZES`."""
    name: str
    source: str
    """Folder or archive."""
    model: str
    """Path of the .obj inside ``source``."""
    size: tuple[float, float, float]
    rotation: tuple[float, ...]
    credit: str

    @property
    def split(self) -> str:
        """Return "train" or "val" (a quarter), decided by the identity alone."""
        return "val" if hashlib.sha256(self.identity.encode()).digest()[0] < 64 else "train"


@dataclass(frozen=True)
class Catalogue:
    """Usable entries in the order of their identity, what was left out and why."""

    entries: tuple[Entry, ...]
    quarantine: list[dict[str, str]] = field(default_factory=list)
    skipped: int = 0
    """Entries of categories that no room uses."""

    def of(self, kind: str, split: str) -> list[Entry]:
        """Return entries of a kind in a split."""
        return [entry for entry in self.entries if entry.kind == kind and entry.split == split]


def read_catalogue(folder: str | Path) -> Catalogue:
    """Read ``index.json`` and every ``.sh3f`` in ``folder``; models themselves are read when first used.

    Raises :class:`UserError` if there is neither, if the index is no list of objects, or if an archive is hostile or broken.
    """
    root = Path(folder)
    archives = (
        [path for path in named(root_entries(root), f"*{ARCHIVE}") if is_archive(str(path))] if root.is_dir() else []
    )
    index = root / "index.json"
    if not index.is_file() and not archives:
        raise UserError(
            f"no furniture in {root}: need index.json or .sh3f files (Debian package sweethome3d-furniture)"
        )
    raw = indexed_models(index) if index.is_file() else []
    entries, quarantine, skipped = {}, [], 0
    for archive, first in first_of_content(archives, LARGEST_ARCHIVE).items():
        if first == archive:
            raw += archived_models(archive)
        else:
            quarantine.append({"source": str(archive), "reason": f"a copy of an archive: {first.name}; taken once"})
    for source, fields in raw:
        try:
            entry = make_entry(source, fields)
            if entry is None:
                skipped += 1
            elif entry.identity in entries:
                raise BadSample(entry.identity, "the same id occurs twice")
            else:
                entries[entry.identity] = entry
        except BadSample as bad:
            quarantine.append({"source": bad.source, "reason": bad.reason})
    return Catalogue(tuple(entries[identity] for identity in sorted(entries)), quarantine, skipped)


def indexed_models(index: Path) -> list[tuple[str, dict[str, Any]]]:
    """Yield (folder, fields) of each entry of an index.json."""
    try:
        listed = read_json(index)
    except UserError as error:
        raise UserError(f"{index} is no furniture index: {error}") from error
    if not isinstance(listed, list) or not all(isinstance(fields, dict) for fields in listed):
        raise UserError(f"{index} is no furniture index: a list of objects was expected; fetch it again")
    found = []
    for fields in listed:
        model = "/".join(str(fields.get(part, "")) for part in ("category", "id", "obj"))
        found.append((str(index.parent), fields | {"model": model}))
    return found


def archived_models(archive: Path) -> list[tuple[str, dict[str, Any]]]:
    """Yield (archive, fields) of each entry of a .sh3f, with the names that index.json uses."""
    try:
        with open_regular(archive) as file, zipfile.ZipFile(file) as opened:
            members = opened.infolist()
            if len(members) > MOST_MEMBERS:
                raise UserError(f"{archive} holds {len(members)} files: not a furniture catalogue")
            for member in members:
                if not inside(member.filename):
                    raise UserError(f"{archive} refused: member '{member.filename}' leads out of the archive")
            properties = bounded_read(opened, PROPERTIES, str(archive))
            text = decode_text(properties, f"{archive}: {PROPERTIES}", fallback="latin-1")
    except (*DAMAGE, BadSample) as error:
        raise UserError(f"{archive} is no Sweet Home 3D catalogue: {error}") from error
    groups: dict[str, dict[str, str]] = {}
    for line in lines_of(re.sub(r"\\\n[ \t]*", "", text)):
        key, equals, value = line.strip().partition("=")
        name, hash_sign, number = key.strip().partition("#")
        if equals and hash_sign and not line.startswith("#"):
            plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), value.strip())
            groups.setdefault(number, {})[name] = plain.replace("\\", "")
    found = []
    for number, fields in groups.items():
        sizes = {f"{side}_cm": fields.get(side) for side in ("width", "depth", "height")}
        rest = {
            "id": f"{archive.stem}__{fields.get('id', number).rpartition('#')[2]}",
            "category": None,
            "model": fields.get("model", "").removeprefix("/"),
            "name": fields.get("name", ""),
            "creator": fields.get("creator", ""),
            "license": f"see {archive.name}",
            "modelRotation": fields.get("modelRotation"),
        }
        found.append((str(archive), rest | sizes))
    return found


def make_entry(source: str, fields: dict[str, Any]) -> Entry | None:
    """Return one checked entry; None for a thing that rooms do not use; :class:`BadSample` for one that cannot be used."""
    identity = str(fields.get("id") or "")
    name = str(fields.get("name") or "")
    words = set(re.findall(r"[a-z]+", name.lower()))
    category = fields.get("category")
    matches = (kind for choices, kind in KIND_BY_WORD if words & set(choices.split()))
    kind = next(matches, None) if category is None else str(category)
    if category == "table" and "desk" in name.lower():
        kind = "desk"
    if kind not in SIZES:
        return None
    if words & OTHER_THINGS:
        return None
    where = f"{source}: {identity or name or 'entry without id'}"
    model = str(fields.get("model") or "")
    if not identity or not inside(model):
        raise BadSample(where, f"no id, or its model '{model}' leads out of the catalogue")
    if not model.lower().endswith(".obj"):
        raise BadSample(where, f"its model '{model}' is no .obj")
    try:
        width, depth, height = (float(fields[f"{side}_cm"]) / 100.0 for side in ("width", "depth", "height"))
        rotation = tuple(float(number) for number in str(fields.get("modelRotation") or "1 0 0 0 1 0 0 0 1").split())
    except (KeyError, TypeError, ValueError) as error:
        raise BadSample(where, f"its size or modelRotation is no number: {error}") from error
    size = (width, depth, height)
    if not is_rotation(rotation):
        raise BadSample(where, "its modelRotation is no rotation")
    if not all(low <= side <= high for side, (low, high) in zip(size, SIZES[kind], strict=True)):
        raise BadSample(where, "its size {:.2f} x {:.2f} x {:.2f} m is not that of a {}".format(*size, kind))
    credit = f"{name} by {fields.get('creator') or 'unknown'}, {fields.get('license') or 'licence unknown'}"
    return Entry(identity, kind, name, source, model, size, rotation, credit)


def is_rotation(numbers: Sequence[float]) -> bool:
    """Return whether nine numbers, row-major, turn without stretching."""
    if len(numbers) != 9 or not all(abs(number) < 2 for number in numbers):
        return False
    matrix = np.array(numbers).reshape(3, 3)
    return np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-2)


def inside(path: str) -> bool:
    """Return whether a relative path stays below the place it starts from."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and not set("\\:\0") & set(path)


def is_archive(source: str) -> bool:
    """Return whether a catalogue is a file, and no folder."""
    return source.lower().endswith(ARCHIVE) and not os.path.isdir(source)


def bounded_read(archive: zipfile.ZipFile, member: str, where: str) -> bytes:
    """Return a member of at most 32 MB; :class:`BadSample` if it is missing, larger or broken."""
    try:
        with archive.open(member) as opened:
            content = opened.read(LARGEST_FILE + 1)
    except DAMAGE as error:
        raise BadSample(where, f"cannot read '{member}': {error}") from error
    if len(content) > LARGEST_FILE:
        raise BadSample(where, f"'{member}' is larger than {LARGEST_FILE} bytes")
    return content


def read_member(source: str, path: str) -> bytes:
    """Return content of a file in a catalogue folder or archive; refuses paths that lead out of it."""
    if not inside(path):
        raise BadSample(source, f"'{path}' leads out of the catalogue")
    if is_archive(source):
        try:
            with open_regular(source) as file, zipfile.ZipFile(file) as archive:
                return bounded_read(archive, path, source)
        except DAMAGE as error:
            raise BadSample(source, f"cannot read '{path}': {error}") from error
    root = Path(source).resolve()
    file = (root / path).resolve()
    if not file.is_relative_to(root):
        raise BadSample(source, f"'{path}' leads out of the catalogue")
    return read_regular(file, LARGEST_FILE, f"{source}: {path}")
