"""Training curves: the loss of every trial by step, one drawing a label budget."""

from dataclasses import dataclass

from sem3d.evaluation.figures.plot import COLOURS
from sem3d.reporting.page.content import SweepReview, Training

WIDTH, HEIGHT = 300, 150
MOST_POINTS = 100
"""Of a line."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """The losses of one trial, in the coordinates of a drawing."""

    colour: str
    points: str
    point: tuple[str, ...]
    """The only point there is, which no line shows; empty of several."""
    words: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The trials at one budget."""

    title: str
    top: str
    """Largest loss of the axis, which begins at 0 or at the lowest loss below."""
    bottom: str
    steps: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class TrainingCurves:
    """All drawings, and the colours of their arms."""

    drawings: tuple[Drawing, ...]
    arms: tuple[tuple[str, str], ...]
    """Colour and name."""
    width: int = WIDTH
    height: int = HEIGHT


def training_curves(review: SweepReview) -> TrainingCurves | None:
    """Return the losses of the trials by budget; None where no trial has any."""
    if not review.trainings:
        return None
    colours = {arm: COLOURS[number % len(COLOURS)] for number, arm in enumerate(review.arms)}
    drawings = []
    for budget in review.budgets.values:
        here = [item for item in review.trainings if item.budget == budget]
        if here:
            drawings.append(_drawing(review.budgets.text(budget), here, colours))
    shown = {item.arm for item in review.trainings}
    arms = tuple((colour, arm) for arm, colour in colours.items() if arm in shown)
    return TrainingCurves(drawings=tuple(drawings), arms=arms)


def _drawing(title: str, trainings: list[Training], colours: dict[str, str]) -> Drawing:
    last = max(item.steps[-1] for item in trainings)
    losses = [loss for item in trainings for loss in item.losses]
    bottom, top = min(0.0, *losses), max(0.0, *losses)
    span = top - bottom or 1.0

    def place(step: int, loss: float) -> str:
        return f"{WIDTH * step / max(last, 1):.1f},{HEIGHT * (top - loss) / span:.1f}"

    lines = []
    for item in trainings:
        kept = range(0, len(item.steps), -(-len(item.steps) // MOST_POINTS))
        numbers = sorted({*kept, len(item.steps) - 1})
        points = [place(item.steps[number], item.losses[number]) for number in numbers]
        point = tuple(points[0].split(",")) if len(points) == 1 else ()
        words = f"{item.arm}, seed {item.seed}: {item.losses[-1]:.3g} at step {item.steps[-1]}"
        lines.append(Line(colour=colours[item.arm], points=" ".join(points), point=point, words=words))
    return Drawing(title=title, top=f"{top:.3g}", bottom=f"{bottom:.3g}", steps=str(last), lines=tuple(lines))
