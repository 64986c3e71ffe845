"""Lines of Wavefront .obj and .mtl files: continuations, comments, and the statements of an .obj by their first word."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from sem3d.errors import BadSample

CHARACTERS_AT_ONCE = 1 << 24
SHOWN = 60
"""Characters of a faulty line that are shown."""
IGNORED = {
    *("vn", "vp", "g", "o", "s", "mg", "l", "p", "lod", "bevel", "c_interp", "d_interp"),
    *("usemap", "maplib", "shadow_obj", "trace_obj", "ctech", "stech", "csh"),
    *(
        "cstype",
        "deg",
        "bmat",
        "step",
        "curv",
        "curv2",
        "parm",
        "trim",
        "hole",
        "scrv",
        "sp",
        "end",
        "con",
        "cdc",
        "cdp",
    ),
}
"""Words that make no surface, among them those of curves; ``surf`` and ``call`` do."""


@dataclass
class Statements:
    """Lines of an .obj by their first word, without it."""

    vertices: list[str] = field(default_factory=list)
    coordinates: list[str] = field(default_factory=list)
    faces: list[str] = field(default_factory=list)
    vertices_before: array = field(default_factory=lambda: array("q"))
    """Vertices that stand before each face, from which negative indices count back."""
    coordinates_before: array = field(default_factory=lambda: array("q"))
    face_material: array = field(default_factory=lambda: array("q"))
    materials: dict[str, int] = field(default_factory=lambda: {"": 0})
    libraries: list[str] = field(default_factory=list)


def statements_of(text: str, source: str) -> Statements:
    """Return the lines that matter; raises :class:`BadSample` for one that no .obj has, or whose surface is not read."""
    found = Statements()
    material = 0
    for number, line in whole_lines(text):
        word, rest = first_word(line)
        if word == "v":
            found.vertices.append(rest)
        elif word == "vt":
            found.coordinates.append(rest)
        elif word in ("f", "fo"):
            found.faces.append(rest)
            found.vertices_before.append(len(found.vertices))
            found.coordinates_before.append(len(found.coordinates))
            found.face_material.append(material)
        elif word == "usemtl":
            material = found.materials.setdefault(" ".join(rest.split()), len(found.materials))
        elif word == "mtllib":
            found.libraries.append(rest.strip())
        elif word and word not in IGNORED:
            raise BadSample(source, f"unreadable mesh: line {number} is of a kind that is not read: {shown(line)}")
    return found


def whole_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines and their numbers, those that a backslash continues as one; comments are never continued."""
    lines = enumerate(lines_in(text), 1)
    for number, line in lines:
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts = []
            while line.endswith("\\"):
                parts.append(line[:-1])
                line = next(lines, (0, ""))[1]
            line = " ".join([*parts, line])
        yield number, line


def lines_in(text: str) -> Iterator[str]:
    """Yield the lines of a large text without a list of all of them."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + CHARACTERS_AT_ONCE)
        end = len(text) if end < 0 else end
        yield from text[start:end].split("\n")
        start = end + 1


def first_word(line: str) -> tuple[str, str]:
    """Return the first word of a line and what follows it, without a comment where the line holds numbers."""
    words = line.split(None, 1)
    if not words or words[0].startswith("#"):
        return "", ""
    rest = words[1] if len(words) > 1 else ""
    return words[0], rest.partition("#")[0] if "#" in rest and words[0] in ("v", "vt", "f", "fo") else rest


def refuse_line(text: str, words: tuple[str, ...], place: int, reason: str, source: str) -> NoReturn:
    """Raise :class:`BadSample` with the line of the statement of this place among those that begin with ``words``."""
    alike = ((number, line) for number, line in whole_lines(text) if first_word(line)[0] in words)
    number, line = next(found for count, found in enumerate(alike) if count == place)
    raise BadSample(source, f"unreadable mesh: line {number} {reason}: {shown(line)}")


def shown(line: str) -> str:
    """Return the beginning of a line for a message."""
    return repr(line.strip()[:SHOWN])
