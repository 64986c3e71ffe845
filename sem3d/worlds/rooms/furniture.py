"""The register of parametric furniture: kind -> family and NYU40 id. A piece is decided by (family, integers of its seed)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from sem3d.worlds.grammar.chairs import chair
from sem3d.worlds.grammar.sketch import Sketch
from sem3d.worlds.grammar.tables import table
from sem3d.worlds.rooms import openings, sanitary, storage, trinkets
from sem3d.worlds.rooms.beds import bed
from sem3d.worlds.rooms.piece import Piece, assemble
from sem3d.worlds.rooms.sofas import sofa

FAMILIES: dict[str, tuple[Callable[..., Sketch], int]] = {
    "chair": (chair, 5),
    "dining_chair": (partial(chair, style="dining"), 5),
    "office_chair": (partial(chair, style="office"), 5),
    "easy_chair": (partial(chair, style="easy"), 5),
    "sofa": (sofa, 6),
    "bed": (bed, 4),
    "dining_table": (partial(table, style="dining"), 7),
    "coffee_table": (partial(table, style="coffee"), 7),
    "side_table": (partial(table, style="side"), 7),
    "desk": (partial(table, style="desk"), 14),
    "nightstand": (storage.nightstand, 3),
    "sideboard": (storage.sideboard, 3),
    "dresser": (storage.dresser, 3),
    "wardrobe": (storage.wardrobe, 3),
    "wall_cabinet": (storage.wall_cabinet, 3),
    "bookshelf": (storage.bookshelf, 10),
    "counter": (storage.counter, 12),
    "refrigerator": (storage.refrigerator, 24),
    "toilet": (sanitary.toilet, 33),
    "sink": (sanitary.sink, 34),
    "bathtub": (sanitary.bathtub, 36),
    "door": (openings.door, 8),
    "window": (openings.window, 9),
    "curtain": (openings.curtain, 16),
    "picture": (openings.picture, 11),
    "floor_lamp": (trinkets.floor_lamp, 39),
    "plant": (trinkets.plant, 39),
    "bin_or_stool": (trinkets.bin_or_stool, 39),
    "table_lamp": (trinkets.table_lamp, 39),
    "books": (trinkets.books, 23),
    "crate": (trinkets.crate, 29),
    "vessel": (trinkets.vessel, 40),
    "monitor": (trinkets.monitor, 40),
}
"""Lamps and plants count as otherfurniture (39), so that the 20 classes cover them; NYU40 itself knows lamp as 35."""


def parametric_piece(kind: str, seed: tuple[int, ...], *sizes: float) -> Piece:
    """Draw the instance of family ``kind`` that the integers ``seed`` decide; the same integers give the same piece."""
    family, label = FAMILIES[kind]
    sketch = family(np.random.default_rng(seed), *sizes)
    return assemble(kind, label, f"{kind}-{'-'.join(map(str, seed))}", sketch)
