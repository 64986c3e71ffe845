"""One self-contained HTML page that says what a sweep found: no request leaves it, and it reads without JavaScript."""

from sem3d.reporting.page.content import (
    ClassTable,
    Confusion,
    Effect,
    Limits,
    Picture,
    SweepReview,
    Training,
    TrialLine,
)
from sem3d.reporting.page.headline import cautions, headline, unranked
from sem3d.reporting.page.marks import limits_by_budget, mark_lines
from sem3d.reporting.page.page import render_page

__all__ = [
    "ClassTable",
    "Confusion",
    "Effect",
    "Limits",
    "Picture",
    "SweepReview",
    "Training",
    "TrialLine",
    "cautions",
    "headline",
    "limits_by_budget",
    "mark_lines",
    "render_page",
    "unranked",
]
