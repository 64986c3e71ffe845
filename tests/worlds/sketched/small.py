"""A few generated chairs with sketches, drawn without Ray."""

from pathlib import Path

from sem3d.datasets.objects.srn_write import write_classes
from sem3d.worlds.shapes.register import FAMILIES
from sem3d.worlds.sketched.shapes import draw_generated
from sem3d.worlds.sketched.subject import SketchesConfig

VIEWS = SketchesConfig(side=32, training_views=3, test_views=3, samples=1, voxels=16)


def write_chairs(folder: Path, counts: dict[str, int], views: SketchesConfig = VIEWS) -> Path:
    """So many chairs of each split."""
    for split, count in counts.items():
        for number in range(count):
            name = f"chair-{split}-{number:05d}"
            row = {"kind": "chair", "seed": 0, "split": split, "number": number, "name": name}
            draw_generated(folder / split / name, row, views)
    write_classes(folder, ("background", *FAMILIES["chair"].vocabulary.parts))
    return folder
