"""Questions that every paper's table asks of the sweeps beside it."""

from collections.abc import Sequence
from pathlib import Path

from sem3d.errors import UserError
from sem3d.reporting.page import SweepReview


def require_space(reviews: Sequence[SweepReview], space: str) -> None:
    """Raise :class:`UserError` unless all sweeps are of ``space``."""
    for review in reviews:
        if review.space != space:
            raise UserError(
                f"{review.name} is a sweep of {review.space}, this table is for sweeps of {space}: leave it out"
            )


def data_of(reviews: Sequence[SweepReview]) -> str:
    """Return the folders that sweeps learnt from, each by its own name and that of the folder it lies in."""
    roots = {Path(str(review.shared_settings.get("data.root", "unknown"))) for review in reviews}
    return ", ".join(sorted(f"{root.parent.name}/{root.name}" for root in roots))
