"""The label-budget curve as pictures of the page: wide and narrow, light and dark."""

from dataclasses import dataclass

from sem3d.reporting.budget_curve import draw_budget_curve
from sem3d.reporting.page.content import SweepReview
from sem3d.reporting.page.gallery import png_uri
from sem3d.reporting.page.marks import limits_by_budget

LEGEND = "Bars: 95 % interval over seeds; one that leaves the picture is wider still. Faint points: single seeds."
MARKS = (
    " Dashed: floor, reached without a look at the input; dotted, as far as it is in the picture: bound, the most that the "
    "labels allow."
)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Data URIs of the curve, and its caption."""

    wide: str
    wide_dark: str
    narrow: str
    narrow_dark: str
    caption: str


def curve(review: SweepReview) -> Curve | None:
    """Return the curve; None where no trial has a score."""
    if not review.seeds_by_cell:
        return None

    limits = limits_by_budget(review)

    def drawn(dark: bool, size: str) -> str:
        return png_uri(
            draw_budget_curve(review.scores, review.arms, review.metric, review.budgets, limits, dark=dark, size=size)
        )

    return Curve(
        wide=drawn(False, "wide"),
        wide_dark=drawn(True, "wide"),
        narrow=drawn(False, "narrow"),
        narrow_dark=drawn(True, "narrow"),
        caption=(LEGEND if review.repeated else "One seed: no intervals.") + (MARKS if any(limits.values()) else ""),
    )
