"""Renders the report of a sweep again: ``python -m jobs.report SWEEP_FOLDER [--out DIR] [--publish]``.

A page that needs nothing but a browser, the label-budget curve, and two tables in CSV. ``--publish`` also puts them on the
sweep's MLflow run and registers its champion, as the sweep itself does at its end.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from jobs import command_line
from jobs.exits import run
from sem3d.errors import UserError
from sem3d.evaluation.sweep_page import headline
from sem3d.training.sweeps.report import PAGE, REPORT_FOLDER, write_report
from sem3d.training.sweeps.review import publish


@dataclass(frozen=True, kw_only=True)
class Report:
    """Which sweep, and where its report goes."""

    sweep: Positional[Path]
    """Folder of the sweep, such as runs/sweeps/NAME."""
    out: str = ""
    """Folder for the report; empty: the folder report inside the sweep's."""
    publish: bool = False
    """Put it on the sweep's MLflow run and register the champion."""


def main() -> None:
    """Renders, and publishes if asked to."""
    config = command_line.parse(Report, args=sys.argv[1:], prog="python -m jobs.report", description=__doc__)
    if config.publish and config.out:
        raise UserError("--publish writes to the sweep's own folder: leave --out away, or run it twice")
    if config.publish:
        print("\n".join(publish(config.sweep)))
        return
    out = Path(config.out) if config.out else config.sweep / REPORT_FOLDER
    review = write_report(config.sweep.resolve(), out)
    print(f"{headline(review)}\nreport     {out / PAGE}")


if __name__ == "__main__":
    run(main)
