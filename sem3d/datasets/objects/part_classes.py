"""Classes of parts of objects in labelled views: the data's own list, or PartNet's coarsest level."""

from pathlib import Path

from sem3d.errors import UserError
from sem3d.folders import is_there
from sem3d.texts import lines_of, read_text

BACKGROUND = 0
UNKNOWN = -1
CLASSES_NAME = "classes.txt"
MOST_CLASSES = 62
"""Classes are kept as bits of a whole number."""
PARTNET_PATHS = {
    "chair": (
        *("chair/chair_head", "chair/chair_back", "chair/chair_arm", "chair/chair_base"),
        "chair/chair_seat",
    ),
    "table": (
        "table/game_table/ping_pong_table/ping_pong_net",
        "table/game_table/ping_pong_table/tabletop",
        "table/game_table/ping_pong_table/table_base",
        "table/game_table/pool_table/tabletop",
        "table/game_table/pool_table/table_base",
        "table/picnic_table/regular_table/tabletop",
        "table/picnic_table/regular_table/table_base",
        "table/picnic_table/bench",
        "table/regular_table/tabletop",
        "table/regular_table/table_base",
    ),
}
"""Lines of PartNet's ``<Class>-level-1.txt`` in their order; classes are numbered from 1 on, as in the released semantic data."""
PARTNET = {
    "chair": ("background", "head", "back", "arm", "base", "seat"),
    "table": (
        *("background", "ping-pong net", "ping-pong top", "ping-pong base", "pool top", "pool base"),
        *("picnic top", "picnic base", "bench", "top", "base"),
    ),
}
"""Names for these and for the background."""


def class_names(root: Path, category: str) -> tuple[str, ...]:
    """Return the names of the classes, background first: of ``classes.txt`` in the data's folder, one a line, else of PartNet's
    class that ``category`` is; none where neither is known.

    Raises :class:`UserError` for a list that is none.
    """
    path = root / CLASSES_NAME
    if is_there(path):
        names = tuple(line.strip() for line in lines_of(read_text(path)) if line.strip())
        if not 2 <= len(names) <= MOST_CLASSES or len(set(names)) < len(names):
            raise UserError(f"{path} must name 2 to {MOST_CLASSES} different classes, one a line, background first")
        return names
    return PARTNET.get(category.lower().removesuffix("s"), ())


def known_or_numbered(root: str, category: str, count: int) -> tuple[str, ...]:
    """Return ``count`` names of classes, background first: :func:`class_names` of a folder that may be gone, where it names as
    many, else numbers.
    """
    names = class_names(Path(root), category) if root else PARTNET.get(category.lower().removesuffix("s"), ())
    return names if len(names) == count else ("background", *(f"part {number}" for number in range(1, count)))
