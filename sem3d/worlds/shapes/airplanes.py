"""Airplanes: airliners, light planes, gliders and jets; wings low or high, straight, swept or delta; several tails."""

from dataclasses import dataclass

import numpy as np

from sem3d.worlds.grammar.finishes import metal, paint
from sem3d.worlds.grammar.sketch import SIDES, Limbs, Mark, Part, Sketch, Vocabulary, farthest, mirrored
from sem3d.worlds.solids import Ring, Solid, closed_rings, loft, moved, rod, turned

AIRPLANE = Vocabulary(
    parts=("body", "wing", "tail", "engine"),
    keypoints=(
        "nose",
        "tail_end",
        *(f"wing_tip_{side}" for side, _ in SIDES),
        *(f"wing_tip_rear_{side}" for side, _ in SIDES),
        "fin_top",
        *(f"fin_top_{side}" for side, _ in SIDES),
        *(f"stabilizer_tip_{side}" for side, _ in SIDES),
        *(f"engine_front_{where}_{side}" for where in ("inner", "outer", "rear") for side, _ in SIDES),
        "propeller_hub",
    ),
)


@dataclass(frozen=True)
class Proportions:
    """Ranges of a kind of airplane, as shares of its length unless an angle (radians)."""

    radius: tuple[float, float]
    span: tuple[float, float]
    root: tuple[float, float]
    taper: tuple[float, float]
    sweep: tuple[float, float]
    engines: tuple[str, ...]


KINDS = {
    "airliner": Proportions(
        (0.045, 0.07), (0.4, 0.56), (0.15, 0.24), (0.2, 0.45), (0.35, 0.65), ("two", "four", "rear", "two")
    ),
    "light": Proportions(
        (0.055, 0.085), (0.5, 0.72), (0.14, 0.22), (0.5, 1.0), (-0.05, 0.12), ("nose", "props", "nose")
    ),
    "glider": Proportions((0.04, 0.055), (0.85, 1.15), (0.09, 0.12), (0.35, 0.6), (0.0, 0.1), ("none",)),
    "jet": Proportions((0.05, 0.075), (0.24, 0.42), (0.32, 0.5), (0.1, 0.3), (0.6, 1.0), ("tail", "tails")),
}
"""``span`` is half of the wing span."""


def airplane(rng: np.random.Generator) -> Sketch:
    """Draw an airplane of length 1 whose nose points to -y."""
    kind = ("airliner", "airliner", "light", "jet", "glider")[rng.integers(5)]
    shape = KINDS[kind]
    radius, span = rng.uniform(*shape.radius), rng.uniform(*shape.span)
    root, sweep = rng.uniform(*shape.root), rng.uniform(*shape.sweep)
    skin, wing_skin = paint(rng), (paint if rng.random() < 0.4 else metal)(rng)
    body = fuselage(rng, radius, kind)
    marks = {"nose": farthest([body], (0, -1, 0)), "tail_end": farthest([body], (0, 1, 0))}
    level = radius * (rng.choice([-0.55, 0.75]) if kind in ("airliner", "light") else rng.uniform(-0.3, 0.4))
    front = {"airliner": -0.16, "light": -0.2, "glider": -0.16, "jet": -0.06}[kind] + rng.uniform(-0.04, 0.04)
    wing = Wing(root, root * rng.uniform(*shape.taper), span, sweep, rng.uniform(-0.04, 0.14), rng.uniform(0.09, 0.13))
    left_wing = moved(wing.solid(), (0, front, level))
    wings = [left_wing, mirrored(left_wing)]
    parts = [Part(body, skin, "body")] + [Part(solid, wing_skin, "wing") for solid in wings]
    for (side, sign), solid in zip(SIDES, wings, strict=True):
        marks[f"wing_tip_{side}"] = farthest([solid], (sign, -0.1, 0))
        marks[f"wing_tip_rear_{side}"] = farthest([solid], (sign, 0.1, 0))
    tail, tail_marks = tail_surfaces(rng, radius, kind)
    tail_skin, steel = skin if rng.random() < 0.5 else wing_skin, metal(rng)
    parts += [Part(solid, tail_skin, "tail") for solid in tail]
    engine, pod_marks = engines(rng, str(rng.choice(shape.engines)), Airframe(radius, wing, front, level))
    parts += [Part(solid, steel, "engine") for solid in engine]
    return Sketch(parts, marks | tail_marks | pod_marks, AIRPLANE)


def fuselage(rng: np.random.Generator, radius: float, kind: str) -> Solid:
    """Draw a tube along y from -0.5 to 0.5 with a pointed or round nose and a tail that rises."""
    sharp = {"airliner": 0.7, "light": 0.75, "glider": 0.7, "jet": 0.2}[kind] + rng.uniform(-0.1, 0.1)
    slim = rng.uniform(0.35, 0.6) if kind in ("glider", "light") else rng.uniform(0.75, 1.0)
    flat, rise = rng.uniform(0.85, 1.25), 0.6 * radius
    stations = [
        (-0.5, 0.05, 0.0),
        (-0.47, 0.45 * sharp, 0.0),
        (-0.42, 0.35 + 0.5 * sharp, 0.0),
        (-0.33, 0.97, 0.0),
        (-0.1, 1.0, 0.0),
        (0.12, 0.5 + 0.5 * slim, 0.1 * rise),
        (0.3, 0.75 * slim, 0.5 * rise),
        (0.43, 0.45 * slim, 0.85 * rise),
        (0.5, 0.12 if kind != "jet" else 0.5, rise),
    ]
    rings = [Ring(radius * size, radius * size * flat, -y, 2.3, lift) for y, size, lift in stations]
    return turned(loft(rings, sections=14), 0, np.pi / 2)


@dataclass(frozen=True)
class Wing:
    """A tapered, swept half wing toward +x whose leading edge at the root is the origin."""

    root: float
    tip: float
    span: float
    sweep: float
    dihedral: float
    thick: float

    def leading(self, across: float) -> tuple[float, float, float]:
        """Return the place of the leading edge at a share ``across`` of the span."""
        x = across * self.span
        return x, x * np.tan(self.sweep), x * np.tan(self.dihedral)

    def chord(self, across: float) -> float:
        """Return the chord at a share of the span."""
        return self.root + (self.tip - self.root) * across

    def solid(self) -> Solid:
        """Make the surface through sections of a blunt-nosed profile at root, middle and tip."""
        profile = np.array([(0.0, 0.0), (0.12, 0.4), (0.4, 0.5), (1.0, 0.06), (1.0, -0.06), (0.4, -0.5), (0.12, -0.4)])
        layers = []
        for across in (0.0, 0.5, 1.0):
            chord = self.chord(across)
            along = np.array([[0.0, chord * y, chord * self.thick * z] for y, z in profile])
            layers.append(along + np.array(self.leading(across)))
        return closed_rings(np.stack(layers))


def upright(wing: Wing) -> Solid:
    """Turn a wing into a fin: its span along +z."""
    return turned(wing.solid(), 1, -np.pi / 2)


def tail_surfaces(rng: np.random.Generator, radius: float, kind: str) -> Limbs:
    """Draw fin and stabilisers in conventional, T, V or twin-fin arrangement."""
    arrangement = {
        "airliner": ("conventional", "conventional", "T"),
        "light": ("conventional", "T", "V"),
        "glider": ("T", "conventional", "V"),
        "jet": ("twin", "conventional"),
    }[kind]
    chosen = arrangement[rng.integers(len(arrangement))]
    height, chord = rng.uniform(0.11, 0.19), rng.uniform(0.12, 0.18)
    place, level = 0.49 - chord * rng.uniform(1.0, 1.15), 0.45 * radius
    fin = Wing(chord, chord * rng.uniform(0.4, 0.7), height, rng.uniform(0.25, 0.75), 0.0, 0.1)
    chord_flat = chord * rng.uniform(0.7, 0.9)
    flat = Wing(
        chord_flat, chord_flat * rng.uniform(0.4, 0.8), rng.uniform(0.13, 0.22), rng.uniform(0.1, 0.6), 0.0, 0.1
    )
    if chosen == "V":
        left = turned(moved(flat.solid(), (0, place, 0)), 1, -rng.uniform(0.5, 0.8))
        left = moved(left, (0, 0, level))
        surfaces = [left, mirrored(left)]
        return surfaces, stabilizer_marks(surfaces)
    if chosen == "twin":
        left_fin = moved(turned(upright(fin), 1, rng.uniform(0.0, 0.35)), (radius * 0.75, place, level))
        fins = [left_fin, mirrored(left_fin)]
        marks = {f"fin_top_{side}": farthest([solid], (0, 0, 1)) for (side, _), solid in zip(SIDES, fins, strict=True)}
        lift = 0.3 * radius
    else:
        fins = [moved(upright(fin), (0, place, level))]
        marks = {"fin_top": farthest(fins, (0, -0.2, 1))}
        lift = level + height * 0.95 if chosen == "T" else 0.6 * radius
    back = place + (fin.leading(0.95)[1] if chosen == "T" else 0.02)
    left = moved(flat.solid(), (0, back, lift))
    surfaces = [left, mirrored(left)]
    return [*fins, *surfaces], marks | stabilizer_marks(surfaces)


def stabilizer_marks(surfaces: list[Solid]) -> dict[str, Mark]:
    """Mark the tips of the left and the right stabiliser."""
    return {
        f"stabilizer_tip_{side}": farthest([solid], (sign, -0.1, 0))
        for (side, sign), solid in zip(SIDES, surfaces, strict=True)
    }


@dataclass(frozen=True)
class Airframe:
    """Mounting of the engines: a fuselage of this radius, and a left wing whose root begins at (0, front, level)."""

    radius: float
    wing: Wing
    front: float
    level: float


def engines(rng: np.random.Generator, kind: str, frame: Airframe) -> Limbs:
    """Draw jets under the wing or at the rear, nozzles, propellers on the nose or on the wings, or nothing."""
    radius, wing, front, level = frame.radius, frame.wing, frame.front, frame.level
    solids, marks = [], {}
    size, length = radius * rng.uniform(0.42, 0.62), rng.uniform(0.1, 0.15)
    if kind in ("two", "four"):
        for where, across in (("inner", 0.32), ("outer", 0.62))[: 1 if kind == "two" else 2]:
            x, y, z = wing.leading(across)
            hung = z + level - 1.05 * size
            pods = pair((x, y + front - 0.4 * length, hung), size, length)
            solids += pods
            marks |= engine_marks(where, pods, (x, front - length + y, hung))
    elif kind == "rear":
        x, y, z = 1.0 * radius + 0.9 * size, 0.2, 0.5 * radius
        solids = pair((x, y, z), size, length)
        marks = engine_marks("rear", solids, (x, y - length, z))
    elif kind == "props":
        x, y, z = wing.leading(0.33)
        nose = y + front - 0.06
        pods = pair((x, y + front, z + level), 0.5 * radius, 0.14)
        blades = propeller((x, nose - 0.01, z + level), radius * 1.5)
        solids = pods + blades + [mirrored(blade) for blade in blades]
        marks = engine_marks("inner", pods, (x, nose - 0.1, z + level))
    elif kind == "nose":
        solids = propeller((0.0, -0.497, 0.0), radius * 1.7)
        marks = {"propeller_hub": Mark(solids[0], (0.0, -0.53, 0.0))}
    elif kind in ("tail", "tails"):
        if kind == "tails":
            solids = pair((0.45 * radius, 0.44, 0.6 * radius), 0.5 * radius, 0.16)
        else:
            solids = [nacelle((0.0, 0.44, 0.6 * radius), 0.62 * radius, 0.16)]
    return solids, marks


def pair(middle: tuple[float, float, float], radius: float, length: float) -> list[Solid]:
    """Make a pod on the left and its mirror image."""
    left = nacelle(middle, radius, length)
    return [left, mirrored(left)]


def nacelle(middle: tuple[float, float, float], radius: float, length: float) -> Solid:
    """Make a pod along y, widest at a third of its length, open-looking ends flat."""
    rings = [(-0.5, 0.85), (-0.35, 1.0), (0.1, 0.95), (0.5, 0.6)]
    pod = loft([Ring(radius * size, radius * size, -length * y) for y, size in rings], sections=12)
    return moved(turned(pod, 0, np.pi / 2), middle)


def engine_marks(where: str, pods: list[Solid], left: tuple[float, float, float]) -> dict[str, Mark]:
    """Mark the centres of the front faces of a pair of pods; ``left`` is that of the left one."""
    x, y, z = left
    return {
        f"engine_front_{where}_{side}": Mark(solid, (sign * x, y, z))
        for (side, sign), solid in zip(SIDES, pods, strict=True)
    }


def propeller(hub: tuple[float, float, float], radius: float) -> list[Solid]:
    """Make a spinner and two blades that stand upright."""
    x, y, z = hub
    spinner = rod((x, y + 0.02, z), (x, y - 0.025, z), 0.16 * radius, 0.05 * radius)
    blades = [
        turned(Wing(0.13 * radius, 0.08 * radius, radius, 0.0, 0.0, 0.25).solid(), 1, sign * np.pi / 2)
        for sign in (-1, 1)
    ]
    return [spinner] + [moved(blade, (x, y - 0.01, z)) for blade in blades]
