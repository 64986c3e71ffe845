"""A furnished, lit room as arrays of triangles. World frame: z up, metres, one corner of the floor at the origin."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int32, UInt8, UInt16

from sem3d.errors import UserError
from sem3d.worlds.grammar.finishes import floor_finish, hard_finish, wall_finish
from sem3d.worlds.grammar.sketch import Part, Sketch
from sem3d.worlds.rooms.layout import Layout, NoPlaceLeft, Placed
from sem3d.worlds.rooms.piece import Piece, assemble
from sem3d.worlds.rooms.recipes import RECIPES, Supply
from sem3d.worlds.rooms.walkable import walkable_floor
from sem3d.worlds.solids import box
from sem3d.worlds.textures import Material, MaterialTable

WALL, FLOOR, CEILING = 1, 2, 22
ATTEMPTS = 60


@dataclass(frozen=True, eq=False)
class Surface:
    """All triangles of a room, one row a face; ``local`` are the corners in the frame of their piece."""

    corners: Float[np.ndarray, "face 3 3"]
    local: Float[np.ndarray, "face 3 3"]
    normals: Float[np.ndarray, "face 3 3"]
    uv: Float[np.ndarray, "face 3 2"]
    material: Int32[np.ndarray, " face"]
    label: UInt8[np.ndarray, " face"]
    instance: UInt16[np.ndarray, " face"]
    """label * 1000 + number within the label, from 1."""
    materials: MaterialTable


@dataclass(frozen=True, eq=False)
class Lighting:
    """Light from everywhere (``ambient``), and point lights that fall off softly; linear RGB."""

    ambient: Float[np.ndarray, "3"]
    positions: Float[np.ndarray, "light 3"]
    colors: Float[np.ndarray, "light 3"]


@dataclass(frozen=True, eq=False)
class Room:
    """A generated room; ``furniture`` excludes floor, walls and ceiling."""

    kind: str
    size: tuple[float, float, float]
    """Width, depth and height in metres."""
    furniture: tuple[Placed, ...]
    surface: Surface
    lighting: Lighting
    attempt: int
    """How many draws were thrown away before this one fitted."""


def build_room(kind: str, seed: tuple[int, ...], supply: Supply) -> Room:
    """Draw the room of this kind that ``seed`` decides.

    A draw in which a piece finds no place, or which leaves the camera no way, is replaced by the next sub-seed's;
    :class:`UserError` after 60 of them. ``supply(kind, *sizes)`` hands out a new piece at each call.
    """
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng((*seed, attempt))
        recipe, sides = RECIPES[kind]
        width, depth = rng.uniform(*sides, 2)
        layout = Layout(float(width), float(depth), float(rng.uniform(2.4, 2.8)), rng)
        try:
            recipe(layout, supply, rng)
            size = (layout.width, layout.depth, layout.height)
            walkable_floor(size, layout.placed)
            shell = room_shell(layout, rng, tiled=kind in ("bathroom", "kitchen"))
            return Room(
                kind=kind,
                size=size,
                furniture=tuple(layout.placed),
                surface=join_surface([*shell, *layout.placed]),
                lighting=draw_lighting(layout, rng),
                attempt=attempt,
            )
        except NoPlaceLeft:
            continue
    raise UserError(f"no {kind} could be furnished from seed {seed} in {ATTEMPTS} draws: use smaller furniture")


def room_shell(layout: Layout, rng: np.random.Generator, tiled: bool) -> list[Placed]:
    """Draw floor, ceiling and four walls with skirting, each its own instance."""
    width, depth, height = layout.width, layout.depth, layout.height
    paint, accent, trim = wall_finish(rng, tiled), wall_finish(rng, tiled), hard_finish(rng)
    floor = flat_piece("floor", FLOOR, (width + 0.2, depth + 0.2, 0.1), floor_finish(rng, tiled))
    ceiling = flat_piece("ceiling", CEILING, (width + 0.2, depth + 0.2, 0.1), wall_finish(rng, False))
    shell = [Placed(floor, width / 2, depth / 2, -0.1), Placed(ceiling, width / 2, depth / 2, height)]
    special = int(rng.integers(8))
    for wall in range(4):
        length = depth if wall % 2 else width
        finish = accent if wall == special else paint
        piece = flat_piece(f"wall{wall}", WALL, (length, 0.1, height), finish)
        shell.append(layout.at_wall(piece, wall, 0.0, 0.0, -0.1))
        strip = flat_piece(f"wall{wall}", WALL, (length, 0.012, 0.08), trim)
        shell.append(layout.at_wall(strip, wall, 0.0, 0.0, 0.0))
    return shell


def flat_piece(name: str, label: int, size: tuple[float, float, float], material: Material) -> Piece:
    """Make a box as a piece."""
    return assemble(name, label, name, Sketch([Part(box(size, (0.0, 0.0, size[2] / 2.0)), material)]))


def join_surface(placed: list[Placed]) -> Surface:
    """Move every piece to its place and number instances within each label; pieces of the same wall share a number."""
    counts: Counter[int] = Counter()
    numbers: dict[tuple[str, int], int] = {}
    materials: list[Material] = []
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("corners", "local", "normals", "uv", "material", "label", "instance")
    }
    for order, one in enumerate(placed):
        piece = one.piece
        rotation = np.eye(3)
        rotation[:2, :2] = one.axes.T
        instance = np.empty(len(piece.corners), np.uint16)
        for label in np.unique(piece.face_label):
            key = (piece.identity if piece.label == WALL else f"#{order}", int(label))
            if key not in numbers:
                counts[int(label)] += 1
                numbers[key] = counts[int(label)]
            instance[piece.face_label == label] = int(label) * 1000 + numbers[key]
        columns["corners"].append(piece.corners @ rotation.T + np.array([one.x, one.y, one.z]))
        columns["normals"].append(piece.normals @ rotation.T)
        columns["local"].append(piece.corners)
        columns["uv"].append(piece.uv)
        columns["material"].append(piece.face_material + len(materials))
        columns["label"].append(piece.face_label)
        columns["instance"].append(instance)
        materials += piece.materials
    joined = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    return Surface(
        corners=joined["corners"].astype(np.float32),
        local=joined["local"].astype(np.float32),
        normals=joined["normals"].astype(np.float32),
        uv=joined["uv"].astype(np.float32),
        material=joined["material"].astype(np.int32),
        label=joined["label"].astype(np.uint8),
        instance=joined["instance"],
        materials=MaterialTable(materials),
    )


def draw_lighting(layout: Layout, rng: np.random.Generator) -> Lighting:
    """Draw warm or cool light: one to three lamps under the ceiling, and what the walls throw back."""
    count = int(rng.integers(1, 4))
    warmth = rng.uniform(-0.15, 0.3)
    tint = np.array([1.0 + 0.3 * warmth, 1.0, 1.0 - 0.7 * warmth])
    sides = np.array([layout.width, layout.depth])
    ground = sides / 2.0 + rng.uniform(-0.32, 0.32, (count, 2)) * sides
    positions = np.column_stack([ground, layout.height - rng.uniform(0.12, 0.35, count)])
    strength = rng.uniform(0.5, 1.0, (count, 1))
    colors = tint * strength / strength.sum() * rng.uniform(1.1, 1.8)
    return Lighting(ambient=tint * rng.uniform(0.28, 0.45), positions=positions, colors=colors)
