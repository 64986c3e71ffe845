"""Kinds of room: what stands in a living room, bedroom, kitchen, bathroom, office or studio, and where.

A recipe calls :class:`~sem3d.worlds.rooms.layout.Layout` for every piece; ``supply(kind, *sizes)`` hands out pieces, a
fresh instance at each call. Small things on tables are optional; furniture is not: if it does not fit, the room is redrawn.
"""

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from sem3d.worlds.rooms.layout import Layout, NoPlaceLeft, Placed
from sem3d.worlds.rooms.piece import Piece

Supply = Callable[..., Piece]
SMALL = ("books", "vessel", "crate", "vessel", "books", "table_lamp")


def living_room(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Furnish with a sofa and a low table, easy chairs, a sideboard with a screen, shelves."""
    openings(layout, supply, rng, windows=1 + int(rng.random() < 0.5))
    sofa = layout.against_wall(supply("sofa"))
    table = layout.before(sofa, supply("coffee_table"), rng.uniform(0.25, 0.4), facing=False)
    strew(layout, supply, rng, table, 2)
    sideboard = layout.against_wall(supply("sideboard"))
    with suppress(NoPlaceLeft):
        layout.on_top(sideboard, supply("monitor"), turned=False)
    strew(layout, supply, rng, sideboard, 2)
    for _ in range(int(rng.integers(1, 3))):
        layout.in_corner(supply("easy_chair"), 0.8)
    layout.against_wall(supply("bookshelf"))
    layout.in_corner(supply("floor_lamp" if rng.random() < 0.5 else "plant"))
    if rng.random() < 0.5:
        strew(layout, supply, rng, layout.beside(sofa, supply("side_table")), 1)
    pictures(layout, supply, rng, int(rng.integers(1, 4)))


def bedroom(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Furnish with a bed and nightstands, a wardrobe or dresser, often a desk."""
    openings(layout, supply, rng, windows=1)
    bed = layout.against_wall(supply("bed"))
    for _ in range(int(rng.integers(1, 3))):
        strew(layout, supply, rng, layout.beside(bed, supply("nightstand")), 1)
    layout.against_wall(supply("wardrobe"))
    strew(layout, supply, rng, layout.against_wall(supply("dresser")), 2)
    if rng.random() < 0.6:
        work_place(layout, supply, rng)
    else:
        layout.in_corner(supply("easy_chair"))
    layout.in_corner(supply("plant" if rng.random() < 0.5 else "bin_or_stool"))
    if rng.random() < 0.4:
        layout.against_wall(supply("bookshelf"))
    pictures(layout, supply, rng, int(rng.integers(1, 3)))


def kitchen(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Furnish with a counter below hanging cabinets, a refrigerator, a table with chairs."""
    openings(layout, supply, rng, windows=1)
    counter = layout.against_wall(supply("counter"), gap=0.015)
    base = layout.placed[counter]
    hanging = supply("wall_cabinet")
    aside = max(0.0, float(base.half[0] - hanging.size[0] / 2.0))
    offset = (rng.uniform(-aside, aside), float(base.half[1] - hanging.size[1] / 2.0))
    with suppress(NoPlaceLeft):
        layout.add(layout.relative(counter, hanging, offset, rng.uniform(1.45, 1.6), 0.0))
    strew(layout, supply, rng, counter, 3)
    with suppress(NoPlaceLeft):
        layout.beside(counter, supply("refrigerator"))
    if not any(one.piece.kind == "refrigerator" for one in layout.placed):
        layout.against_wall(supply("refrigerator"))
    table = layout.free(supply("dining_table"), 0.45)
    for _ in range(int(rng.integers(2, 5))):
        layout.around(table, supply("dining_chair"))
    strew(layout, supply, rng, table, 3)
    if rng.random() < 0.5:
        layout.against_wall(supply("dresser"))
    if rng.random() < 0.5:
        layout.in_corner(supply("bin_or_stool"))
    pictures(layout, supply, rng, int(rng.integers(0, 3)))


def bathroom(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Furnish with bathtub, toilet, sink and a cabinet."""
    openings(layout, supply, rng, windows=int(rng.random() < 0.7))
    layout.against_wall(supply("bathtub"), gap=0.015)
    layout.against_wall(supply("toilet"))
    sink = layout.against_wall(supply("sink"), gap=0.015)
    if rng.random() < 0.6:
        mirror = supply("picture")
        offset = (0.0, float(layout.placed[sink].half[1] + 0.015 - mirror.size[1] / 2.0))
        with suppress(NoPlaceLeft):
            layout.add(layout.relative(sink, mirror, offset, rng.uniform(1.2, 1.35), 0.0))
    strew(layout, supply, rng, layout.against_wall(supply("nightstand" if rng.random() < 0.5 else "dresser")), 2)
    layout.in_corner(supply("bin_or_stool" if rng.random() < 0.6 else "plant"), 0.05)
    if rng.random() < 0.4:
        layout.against_wall(supply("wall_cabinet"), z=rng.uniform(1.3, 1.5), gap=0.0)


def office(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Furnish with one or two desks with chairs, shelves, cabinets, a meeting table or a sofa."""
    openings(layout, supply, rng, windows=1 + int(rng.random() < 0.4))
    for _ in range(int(rng.integers(1, 3))):
        work_place(layout, supply, rng)
    layout.against_wall(supply("bookshelf"))
    strew(layout, supply, rng, layout.against_wall(supply("dresser" if rng.random() < 0.5 else "sideboard")), 2)
    if rng.random() < 0.5:
        table = layout.free(supply("dining_table"), 0.3)
        for _ in range(2):
            layout.around(table, supply("chair"))
    else:
        layout.against_wall(supply("sofa"))
    layout.in_corner(supply("plant" if rng.random() < 0.5 else "floor_lamp"))
    layout.in_corner(supply("bin_or_stool"))
    pictures(layout, supply, rng, int(rng.integers(1, 3)))


def studio(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Furnish with a bit of everything: bed, sofa or desk, table with chairs, kitchen corner."""
    openings(layout, supply, rng, windows=1)
    layout.against_wall(supply("bed"))
    if rng.random() < 0.5:
        strew(layout, supply, rng, layout.against_wall(supply("counter"), gap=0.015), 2)
        layout.against_wall(supply("refrigerator"))
    else:
        layout.against_wall(supply("sofa"))
        layout.against_wall(supply("bookshelf"))
    table = layout.free(supply("dining_table"), 0.3)
    for _ in range(2):
        layout.around(table, supply("chair"))
    strew(layout, supply, rng, table, 2)
    if rng.random() < 0.5:
        work_place(layout, supply, rng)
    else:
        layout.against_wall(supply("wardrobe"))
    layout.in_corner(supply("floor_lamp" if rng.random() < 0.5 else "plant"))
    pictures(layout, supply, rng, int(rng.integers(1, 3)))


def work_place(layout: Layout, supply: Supply, rng: np.random.Generator) -> None:
    """Place a desk with a screen and a chair before it."""
    desk = layout.against_wall(supply("desk"))
    layout.before(desk, supply("office_chair" if rng.random() < 0.6 else "chair"), rng.uniform(0.02, 0.25), facing=True)
    if rng.random() < 0.8:
        with suppress(NoPlaceLeft):
            layout.on_top(desk, supply("monitor"), turned=False)
    strew(layout, supply, rng, desk, 2)


def openings(layout: Layout, supply: Supply, rng: np.random.Generator, windows: int) -> None:
    """Place a door with clear floor before it, windows, and curtains before most windows."""
    door = layout.placed[layout.against_wall(supply("door"), gap=0.0)]
    ahead = door.center - 0.35 * door.axes[1]
    layout.kept_clear.append(Placed(door.piece, float(ahead[0]), float(ahead[1]), 0.0, door.yaw + np.pi / 2))
    for _ in range(windows):
        pane = supply("window")
        sill = rng.uniform(0.8, 1.0)
        window = layout.against_wall(pane, z=sill, gap=0.0, margin=0.2)
        if rng.random() < 0.75:
            top = sill + pane.size[2] + 0.05
            bottom = 0.05 if rng.random() < 0.4 else sill - 0.1
            cloth = supply("curtain", float(pane.size[0] + rng.uniform(0.1, 0.3)), float(top - bottom))
            offset = (0.0, float(layout.placed[window].half[1] - pane.size[1] - cloth.size[1] / 2.0 - 0.01))
            with suppress(NoPlaceLeft):
                layout.add(layout.relative(window, cloth, offset, float(bottom), 0.0), 0.0)


def pictures(layout: Layout, supply: Supply, rng: np.random.Generator, count: int) -> None:
    """Hang pictures at eye height, where the wall is free."""
    for _ in range(count):
        piece = supply("picture")
        with suppress(NoPlaceLeft):
            layout.against_wall(piece, z=rng.uniform(1.45, 1.65) - piece.size[2] / 2.0, gap=0.0, margin=0.08)


def strew(layout: Layout, supply: Supply, rng: np.random.Generator, host: int, most: int) -> None:
    """Strew up to ``most`` small things on a piece, as many as find room."""
    for _ in range(int(rng.integers(0, most + 1))):
        with suppress(NoPlaceLeft):
            layout.on_top(host, supply(SMALL[rng.integers(len(SMALL))]))


RECIPES: dict[str, tuple[Callable[[Layout, Supply, np.random.Generator], None], tuple[float, float]]] = {
    "living_room": (living_room, (3.8, 5.8)),
    "bedroom": (bedroom, (3.6, 5.2)),
    "kitchen": (kitchen, (3.5, 5.2)),
    "bathroom": (bathroom, (2.5, 3.6)),
    "office": (office, (3.8, 5.6)),
    "studio": (studio, (4.6, 6.2)),
}
"""Recipe of each kind of room, and the range of its side lengths in metres."""
