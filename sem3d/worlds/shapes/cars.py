"""Cars: sedan, hatchback, coupe, estate, off-roader, pickup, van; a lofted body, a tapered cabin, wheels on the ground."""

from dataclasses import dataclass

import numpy as np

from sem3d.worlds.grammar.finishes import paint
from sem3d.worlds.grammar.sketch import CORNERS, SIDES, Mark, Part, Sketch, Vocabulary, farthest
from sem3d.worlds.solids import Ring, Solid, box_between, loft, moved, rod, rounded_box, turned
from sem3d.worlds.textures import Material, Texture

CAR = Vocabulary(
    parts=("body", "cabin", "wheel", "mirror", "bumper", "bed"),
    keypoints=(
        *(f"wheel_{corner}" for corner, _, _ in CORNERS),
        *(f"roof_{corner}" for corner, _, _ in CORNERS),
        *(f"body_{corner}" for corner, _, _ in CORNERS),
        *(f"mirror_{side}" for side, _ in SIDES),
    ),
)
RUBBER = Material(texture=Texture.PLAIN, color=(0.03, 0.03, 0.03), second=(0.05, 0.05, 0.05), shine=0.1)


@dataclass(frozen=True)
class Outline:
    """Ranges in metres, and places along the length as shares from front (0) to back (1)."""

    length: tuple[float, float]
    height: tuple[float, float]
    belt: tuple[float, float]
    """Height of the body's upper edge as a share of the car's height."""
    hood: tuple[float, float]
    """Height of the bonnet at its front end as a share of the belt."""
    windscreen: tuple[float, float]
    """Beginning of the cabin at the belt."""
    roof: tuple[float, float]
    """Beginning and end of the roof."""
    rear: tuple[float, float]
    """End of the cabin at the belt."""
    clearance: tuple[float, float]


KINDS = {
    "sedan": Outline(
        (4.3, 5.1), (1.38, 1.5), (0.6, 0.66), (0.75, 0.9), (0.26, 0.33), (0.42, 0.7), (0.8, 0.88), (0.15, 0.2)
    ),
    "hatchback": Outline(
        (3.5, 4.3), (1.42, 1.62), (0.58, 0.64), (0.78, 0.92), (0.22, 0.28), (0.38, 0.88), (0.95, 0.99), (0.14, 0.2)
    ),
    "coupe": Outline(
        (4.1, 4.7), (1.12, 1.3), (0.6, 0.66), (0.6, 0.8), (0.32, 0.42), (0.5, 0.66), (0.84, 0.95), (0.1, 0.15)
    ),
    "estate": Outline(
        (4.4, 4.9), (1.42, 1.55), (0.6, 0.65), (0.75, 0.9), (0.25, 0.3), (0.4, 0.92), (0.96, 0.99), (0.15, 0.2)
    ),
    "offroad": Outline(
        (4.0, 4.9), (1.7, 2.0), (0.58, 0.64), (0.88, 0.98), (0.26, 0.32), (0.34, 0.94), (0.97, 0.99), (0.22, 0.32)
    ),
    "pickup": Outline(
        (4.8, 5.6), (1.7, 1.95), (0.56, 0.62), (0.85, 0.96), (0.24, 0.28), (0.33, 0.5), (0.55, 0.6), (0.24, 0.34)
    ),
    "van": Outline(
        (4.2, 5.6), (1.85, 2.4), (0.48, 0.56), (0.8, 0.95), (0.06, 0.14), (0.2, 0.96), (0.98, 0.995), (0.16, 0.24)
    ),
}


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Metres of one car; the belt is the height of the body's upper edge, the clearance that of its lower one."""

    length: float
    width: float
    height: float
    belt: float
    clearance: float


def car(rng: np.random.Generator) -> Sketch:
    """Draw a car in metres whose front is at -y and whose wheels stand on z = 0."""
    outline = KINDS[tuple(KINDS)[rng.integers(len(KINDS))]]
    length, height = rng.uniform(*outline.length), rng.uniform(*outline.height)
    width, clearance = rng.uniform(1.6, 1.95), rng.uniform(*outline.clearance)
    belt = height * rng.uniform(*outline.belt)
    measures = Measures(length=length, width=width, height=height, belt=belt, clearance=clearance)
    coat, glass = paint(rng), tinted_glass(rng)
    body, (cabin, roof) = car_body(rng, outline, measures), car_cabin(rng, outline, measures)
    parts = [Part(body, coat, "body"), Part(cabin, glass, "cabin"), Part(roof, coat, "cabin")]
    marks = {f"roof_{corner}": farthest([roof], (sign, front, 0.4)) for corner, front, sign in CORNERS}
    marks |= {f"body_{corner}": farthest([body], (sign, 2 * front, 0.05)) for corner, front, sign in CORNERS}
    radius, thick = rng.uniform(0.28, 0.34) * (1.2 if clearance > 0.22 else 1.0), rng.uniform(0.17, 0.26)
    axles = {"front": -length * rng.uniform(0.28, 0.34), "back": length * rng.uniform(0.26, 0.34)}
    for corner, front, sign in CORNERS:
        y = axles["front" if front < 0 else "back"]
        outer = sign * (width / 2 + 0.015)
        wheel = rod((outer - sign * thick, y, radius), (outer, y, radius), radius, sections=18)
        parts.append(Part(wheel, RUBBER, "wheel"))
        marks[f"wheel_{corner}"] = Mark(wheel, (outer, y, radius))
    if outline is KINDS["pickup"]:
        parts += [Part(wall, coat, "bed") for wall in truck_bed(outline, measures)]
    if rng.random() < 0.6:
        start = -length / 2 + length * outline.windscreen[1] + 0.1
        for side, sign in SIDES:
            place = (sign * (width / 2 + 0.06), start, belt + 0.09)
            mirror = rounded_box((0.2, 0.12, 0.16), place, 3.0, 3)
            parts.append(Part(mirror, coat, "mirror"))
            marks[f"mirror_{side}"] = farthest([mirror], (sign, 0, 0))
    if rng.random() < 0.5:
        for front in (-1, 1):
            size = (width * 0.92, 0.16, rng.uniform(0.16, 0.24))
            middle = (0, front * (length / 2 - 0.02), clearance + 0.18)
            parts.append(Part(rounded_box(size, middle, 4.0), RUBBER, "bumper"))
    return Sketch(parts, marks, CAR)


def tinted_glass(rng: np.random.Generator) -> Material:
    """Draw dark, bluish glass."""
    level = rng.uniform(0.05, 0.25)
    color = (0.7 * level, 0.85 * level, level)
    return Material(texture=Texture.PLAIN, color=color, second=color, shine=0.8, gloss=80.0)


def car_body(rng: np.random.Generator, outline: Outline, measures: Measures) -> Solid:
    """Draw rounded sections from the front to the back, the bonnet lower than the belt."""
    hood, begin = rng.uniform(*outline.hood), rng.uniform(*outline.windscreen)
    tail = rng.uniform(0.85, 1.0)
    stations = [
        (0.0, 0.86, hood * 0.72),
        (0.025, 0.95, hood * 0.9),
        (0.1, 0.99, hood),
        (begin, 1.0, 0.5 + 0.5 * hood if begin > 0.2 else 1.0),
        (begin + 0.08, 1.0, 1.0),
        (0.88, 1.0, 1.0),
        (0.97, 0.97, tail),
        (1.0, 0.88, tail * 0.85),
    ]
    rings = []
    for place, wide, high in stations:
        low, top = measures.clearance, measures.clearance + (measures.belt - measures.clearance) * high
        x, y = measures.width / 2 * wide, measures.length * (0.5 - place)
        rings.append(Ring(x, (top - low) / 2, y, 5.0, (top + low) / 2))
    return turned(loft(rings, sections=20), 0, np.pi / 2)


def car_cabin(rng: np.random.Generator, outline: Outline, measures: Measures) -> tuple[Solid, Solid]:
    """Draw the windows, narrower toward the roof, and the roof as a slab on them."""
    low = (rng.uniform(*outline.windscreen), rng.uniform(*outline.rear))
    high = (max(outline.roof[0], low[0] + 0.04), min(outline.roof[1], low[1] - 0.01))
    inset, thick = rng.uniform(0.78, 0.9), 0.07
    belt, height = measures.belt, measures.height

    def ring(span: tuple[float, float], wide: float, z: float) -> Ring:
        middle = measures.length * ((span[0] + span[1]) / 2 - 0.5)
        return Ring(measures.width / 2 * wide, measures.length * (span[1] - span[0]) / 2, z, 8.0, middle)

    glass = loft([ring(low, 0.97, belt - 0.12), ring(low, 0.97, belt), ring(high, inset, height - thick)], sections=24)
    small = (high[0] + 0.015, high[1] - 0.015)
    roof = loft(
        [ring(high, inset, height - thick), ring(high, inset, height - 0.03), ring(small, inset * 0.9, height)],
        sections=24,
    )
    return glass, roof


def truck_bed(outline: Outline, measures: Measures) -> list[Solid]:
    """Make side walls and tailgate above the body behind a pickup's cabin."""
    start, end = measures.length * (outline.rear[1] - 0.5), measures.length * 0.49
    x, belt = measures.width / 2 - 0.03, measures.belt
    sides = [
        box_between((sign * x - 0.04, start, belt - 0.15), (sign * x + 0.04, end, belt + 0.18)) for sign in (-1, 1)
    ]
    return [*sides, moved(box_between((-x, -0.04, -0.15), (x, 0.04, 0.18)), (0, end - 0.04, belt))]
