"""One self-contained HTML page that says what a sweep found: no request leaves it, and it reads without JavaScript."""

from sem3d.reporting.page.content import ClassTable, Confusion, Picture, SweepReview, TrialLine
from sem3d.reporting.page.headline import cautions, headline
from sem3d.reporting.page.page import render_page

__all__ = [
    "ClassTable",
    "Confusion",
    "Picture",
    "SweepReview",
    "TrialLine",
    "cautions",
    "headline",
    "render_page",
]
