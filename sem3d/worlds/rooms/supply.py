"""Sources of the furniture of a room: parametric families, or a catalogue of real models with families beside it."""

import numpy as np

from sem3d.datasets.objects.sweet_home import Catalogue, Entry
from sem3d.datasets.quarantine import faults_of
from sem3d.errors import BadSample
from sem3d.worlds.rooms.furniture import parametric_piece
from sem3d.worlds.rooms.models import load_piece, recolored
from sem3d.worlds.rooms.piece import Piece

SPLITS = ("train", "val")


class ParametricSupply:
    """A fresh instance at each call, named by (seed, split, room, number): no two rooms or splits share one."""

    def __init__(self, seed: int, split: str, room: int):
        self.seed = (seed, SPLITS.index(split), room)
        self.handed_out = 0

    def __call__(self, kind: str, *sizes: float) -> Piece:
        """Return the next piece of this kind."""
        self.handed_out += 1
        return parametric_piece(kind, (*self.seed, self.handed_out), *sizes)


class CatalogueSupply:
    """Real models of the split where the catalogue has some for a kind, else a parametric piece.

    Models that turn out unreadable are added to ``quarantine`` and another is taken; ``notes`` are on those that are used.
    """

    def __init__(self, catalogue: Catalogue, seed: int, split: str, room: int):
        self.families = ParametricSupply(seed, split, room)
        self.catalogue, self.split = catalogue, split
        self.rng = np.random.default_rng((*self.families.seed, 0))
        self.quarantine: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def __call__(self, kind: str, *sizes: float) -> Piece:
        """Return the next piece of this kind."""
        choices = candidates(self.catalogue, kind, self.split)
        for number in self.rng.permutation(len(choices)):
            entry = choices[number]
            where = f"{entry.source}: {entry.identity}"
            try:
                with faults_of(where):
                    piece = recolored(load_piece(entry), self.rng)
            except BadSample as bad:
                self.quarantine[bad.source] = bad.reason
                continue
            if piece.notes:
                self.notes[where] = "; ".join(piece.notes)
            return piece
        return self.families(kind, *sizes)


def candidates(catalogue: Catalogue, kind: str, split: str) -> list[Entry]:
    """Return catalogue entries that can serve as ``kind`` of a recipe: by name for chairs, by height for tables and lamps."""
    if kind in ("chair", "dining_chair", "office_chair", "easy_chair"):
        chairs = catalogue.of("chair", split)
        easy = [entry for entry in chairs if entry.size[0] > 0.62]
        work = [entry for entry in chairs if "office" in entry.name.lower()]
        upright = [entry for entry in chairs if entry.size[0] <= 0.62]
        return {"chair": chairs, "easy_chair": easy, "office_chair": work or upright, "dining_chair": upright}[kind]
    if kind in ("dining_table", "coffee_table", "side_table"):
        tables = catalogue.of("table", split)
        tall = [entry for entry in tables if entry.size[2] > 0.62]
        low = [entry for entry in tables if entry.size[2] <= 0.62]
        small = [entry for entry in low if max(entry.size[:2]) <= 0.65]
        return {"dining_table": tall, "coffee_table": [one for one in low if one not in small], "side_table": small}[
            kind
        ]
    if kind in ("floor_lamp", "table_lamp"):
        return [entry for entry in catalogue.of("lamp", split) if (entry.size[2] > 0.9) == (kind == "floor_lamp")]
    return catalogue.of(kind, split)
