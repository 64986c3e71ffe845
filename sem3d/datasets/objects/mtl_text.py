"""Wavefront .mtl as text: the colours and the picture of each material."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sem3d.datasets.objects.obj_lines import shown, whole_lines
from sem3d.errors import BadSample
from sem3d.texts import decode_any_text

DEFAULT_LEVEL = 102
"""Of a colour that a material does not name, 0 to 255."""
NUMBERS = {"-o": 3, "-s": 3, "-t": 3, "-mm": 2, "-bm": 1, "-boost": 1, "-texres": 2}
"""Options of a picture, with the most numbers that follow each; one word follows the others."""
OPTIONS = NUMBERS.keys() | {"-blendu", "-blendv", "-cc", "-clamp", "-imfchan", "-type"}
CHANGING = {"-t", "-mm", "-cc", "-clamp"}
"""Options that may change colours and are not applied."""
HARMLESS = (["off"], ["0", "1"], ["0"], ["0", "0"], ["0", "0", "0"])
"""Values of those that change nothing."""

WORDS = {"kd", "ks", "map_kd", "map_d", "d"}
MOST_MATERIALS = 100_000
MOST_NOTES = 10
"""Notes on one material, and on one model."""

Levels = tuple[int, int, int]


@dataclass(frozen=True)
class ObjMaterial:
    """A material as an .mtl describes it; colours in 8-bit levels."""

    diffuse: Levels = (DEFAULT_LEVEL, DEFAULT_LEVEL, DEFAULT_LEVEL)
    specular: Levels = (DEFAULT_LEVEL, DEFAULT_LEVEL, DEFAULT_LEVEL)
    picture: str = ""
    """File of its diffuse picture; empty where it has none."""
    colored: bool = False
    """Whether its .mtl gives it a diffuse colour."""
    library: str = ""
    """Path of the .mtl."""
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    """By which texture coordinates are multiplied and then moved."""
    notes: tuple[str, ...] = ()
    """What of it is not read as it says."""


def read_materials(content: bytes, source: str) -> dict[str, ObjMaterial]:
    """Return the materials of an .mtl by name; of several of one name, and of several lines of one kind, the last counts.

    Raises :class:`BadSample` for more than :data:`MOST_MATERIALS`.
    """
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for _, line in whole_lines(decode_any_text(content, source)):
        words = line.split(None, 1)
        word = words[0].lower() if words else ""
        rest = words[1].strip() if len(words) > 1 else ""
        if word == "newmtl":
            current = {}
            if rest:
                found[" ".join(rest.split())] = current
                if len(found) > MOST_MATERIALS:
                    raise BadSample(source, f"more than {MOST_MATERIALS} materials")
        elif word in WORDS and rest:
            current[word] = line
    return {name: material_of(lines, source) for name, lines in found.items()}


def material_of(lines: Mapping[str, str], source: str) -> ObjMaterial:
    """Return the material that lines describe, given by their first words in lower case."""
    material = ObjMaterial(library=source)
    for word in ("kd", "ks"):
        if word in lines:
            material = with_color(material, lines[word].partition("#")[0].split())
    named = {word: lines[word].split(None, 1)[1].strip() for word in ("map_kd", "map_d") if word in lines}
    if "map_kd" in named:
        material = with_picture(material, named["map_kd"])
    if "map_d" in named and named["map_d"] != named.get("map_kd"):
        material = noted(material, f"picture of opacity: {shown(lines['map_d'])} is not applied")
    opacity = finite_numbers(lines.get("d", "").split()[1:2])
    return (
        noted(material, f"invisible material: {shown(lines['d'])}, it is drawn whole") if opacity == [0.0] else material
    )


def with_color(material: ObjMaterial, words: Sequence[str]) -> ObjMaterial:
    """Return the material with the colour of a line, or with a note on a line that gives none.

    A highlight brighter than 1 is common and needs no note.
    """
    values = finite_numbers(words[1:])
    if len(values) not in (1, 3, 4) or len(values) != len(words) - 1:
        return noted(material, f"unusable colour: {shown(' '.join(words))} is not read")
    diffuse = words[0].lower() == "kd"
    if diffuse and not 0 <= min(values) <= max(values) <= 1:
        material = noted(material, f"implausible colour: {shown(' '.join(words))} is cut to 0 to 1")
    levels = [round(255.0 * min(1.0, max(0.0, value))) for value in values]
    red, green, blue = levels[:3] if len(levels) > 1 else 3 * levels
    color = (red, green, blue)
    return replace(material, diffuse=color, colored=True) if diffuse else replace(material, specular=color)


def with_picture(material: ObjMaterial, rest: str) -> ObjMaterial:
    """Return the material with the picture that a ``map_Kd`` names after its options."""
    words = list(re.finditer(r"\S+", rest))
    place, scale, offset = 0, [1.0, 1.0], [0.0, 0.0]
    while place < len(words) - 1 and (option := words[place][0].lower()) in OPTIONS:
        last = min(place + 1 + NUMBERS.get(option, 1), len(words) - 1)
        following = [word[0] for word in words[place + 1 : last]]
        values = finite_numbers(following)
        given = following[: len(values)] if option in NUMBERS else following
        place += 1 + len(given)
        if option == "-s":
            scale = [*values[:2], *scale[len(values) :]]
        elif option == "-o":
            offset = [*values[:2], *offset[len(values) :]]
        elif option in CHANGING and given not in HARMLESS:
            material = noted(material, f"option of a picture: '{option} {' '.join(given)}' is not applied")
    name = rest[words[place].start() :] if words else ""
    (along, across), (right, up) = scale, offset
    return replace(material, picture=name, scale=(along, across), offset=(right, up))


def finite_numbers(words: Sequence[str]) -> list[float]:
    """Return the numbers that the words begin with."""
    numbers = []
    for word in words:
        try:
            number = float(word)
        except ValueError:
            break
        if not math.isfinite(number):
            break
        numbers.append(number)
    return numbers


def noted(material: ObjMaterial, note: str) -> ObjMaterial:
    """Return the material with one more note, unless it has that one or many."""
    if note in material.notes or len(material.notes) >= MOST_NOTES:
        return material
    return replace(material, notes=(*material.notes, note))
