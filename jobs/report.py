"""Report of a sweep, rendered again: ``python -m jobs.report SWEEP_FOLDER [--out DIR] [--publish]``.

A page that needs nothing but a browser, the label-budget curve, and two tables in CSV. ``--publish`` also puts them on the
sweep's MLflow run, registers its champion and delivers what the store did not take while it was unavailable, as the sweep
itself does at its end. ``--published`` prints the table of the method's paper with the results of sweeps, one for each class,
beside it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from jobs import command_line
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import place
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.registers import resolve
from sem3d.reporting.page import SweepReview, headline
from sem3d.reporting.tables import format_table
from sem3d.sweeps.delivery import deliver
from sem3d.sweeps.publish import publish
from sem3d.sweeps.report import PAGE, REPORT_FOLDER, write_report
from sem3d.sweeps.results import read_review
from sem3d.sweeps.space import read_space


@dataclass(frozen=True, kw_only=True)
class Report:
    """A choice of sweeps, and the place of their report."""

    sweeps: Positional[tuple[Path, ...]]
    """Folder of the sweep, such as runs/sweeps/NAME; several with --published only."""
    out: str = ""
    """Folder for the report; empty: the folder report inside the sweep's."""
    publish: bool = False
    """Put it on the sweep's MLflow run, register the champion, and deliver what the store did not take."""
    promote: bool = False
    """With --publish: make this sweep's best checkpoint the champion of its method, whatever the champion's score."""
    published: bool = False
    """Print the table of the method's paper, with ours beside it."""


def main() -> None:
    """Render, and publish if asked to."""
    config = command_line.parse(Report, args=sys.argv[1:], prog="python -m jobs.report", description=__doc__)
    begin_in_earnest()
    if config.published:
        print(published([read_review(place(sweep)) for sweep in config.sweeps]))
        return
    if len(config.sweeps) != 1:
        raise UserError("name one sweep, such as runs/sweeps/NAME; several go with --published")
    sweep = place(config.sweeps[0])
    if config.promote and not config.publish:
        raise UserError("--promote goes with --publish")
    if config.publish and config.out:
        raise UserError("--publish writes to the sweep's own folder: leave --out out, or run it twice")
    if config.publish:
        deliver(sweep)
        print("\n".join(publish(sweep, config.promote)))
        return
    out = place(config.out) if config.out else sweep / REPORT_FOLDER
    review = write_report(sweep, out)
    print(f"{headline(review)}\nreport     {out / PAGE}")


def published(reviews: Sequence[SweepReview]) -> str:
    """Return the table of the paper of the sweeps' method, with theirs beside; raises :class:`UserError` where it has none."""
    if not reviews:
        raise UserError("name the sweeps whose results stand beside the paper's")
    method = method_class(read_space(reviews[0].space).arms[0].trained.method)
    if not method.published:
        raise UserError(f"{reviews[0].name} is a sweep of {reviews[0].space}, of which no paper's table is kept")
    return format_table(*resolve(method.published)(reviews))


if __name__ == "__main__":
    run(main)
