"""Choice of generated objects that are drawn as posed views, whatever is drawn of them: their rows and the object of a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.bounds import AtLeastOne, Seed
from sem3d.errors import UserError
from sem3d.worlds.grammar.sketch import Sketch
from sem3d.worlds.posed.write import PosedSummary
from sem3d.worlds.shapes.register import FAMILIES


@dataclass(frozen=True, kw_only=True)
class GeneratedObjects:
    """Choice of the objects that are generated."""

    kind: str = "chair"
    """A family: chair, table, lamp, car or airplane."""
    train: AtLeastOne = 100
    """Training objects."""
    val: AtLeastOne = 10
    """Objects to choose the best checkpoint by."""
    test: AtLeastOne = 20
    """Objects to score on."""
    seed: Seed = 0
    """Decides the objects; object k of a split is the same whatever their number."""

    def rows(self) -> list[dict[str, Any]]:
        """Return a row an object; raises :class:`UserError` for an unknown family."""
        if self.kind not in FAMILIES:
            raise UserError(f"no shape family '{self.kind}': choose of {', '.join(sorted(FAMILIES))}")
        counts = {"train": self.train, "val": self.val, "test": self.test}
        return [
            {
                "kind": self.kind,
                "seed": self.seed,
                "split": split,
                "number": number,
                "name": f"{self.kind}-{split}-{number:05d}",
            }
            for split, count in counts.items()
            for number in range(count)
        ]

    def classes(self) -> tuple[str, ...]:
        """Return the names of parts, the first of which is none."""
        return ("background", *FAMILIES[self.kind].vocabulary.parts)


def sketch_of(row: Mapping[str, Any]) -> Sketch:
    """Return the object of a row as its family draws it, the same for the same kind, seed, split and number."""
    places = {"train": 0, "val": 1, "test": 2}
    return FAMILIES[row["kind"]].draw(np.random.default_rng([row["seed"], places[row["split"]], row["number"]]))


def made_line(made: PosedSummary, folder: Path) -> str:
    """Return a line on drawn objects."""
    return f"{'found' if made.reused else 'drew'} {sum(made.objects.values())} objects: {folder}"


def drawing_line(views: int, side: int, seconds_per_pixel: float, kind: str, cpus: float) -> str:
    """Return what the drawing of so many square pictures will take."""
    seconds = views * side**2 * seconds_per_pixel / max(cpus, 1)
    return f"drawing {views} views of {kind}s: about {max(seconds, 1):.0f} s on {cpus:g} CPUs"
