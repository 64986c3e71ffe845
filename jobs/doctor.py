"""Check of everything that a run needs, with the fix of each fault: ``python -m jobs.doctor [--data.root DIR] [--storage DIR]``.

Exit code 0 if nothing FAILs, 1 otherwise. It reads its arguments without tyro, which may be among what is missing.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

from jobs.exits import run
from sem3d.doctor.authentication import authentication
from sem3d.doctor.data import data
from sem3d.doctor.finding import Check, Finding, look
from sem3d.doctor.packages import compiled_packages, package_versions, python_version, services
from sem3d.doctor.ray_cluster import cluster, is_remote
from sem3d.doctor.storage import storage, tracking
from sem3d.errors import UserError

COLUMN = 16


class OneLineParser(argparse.ArgumentParser):
    """Wrong arguments are errors of one line, as in every job."""

    def error(self, message: str) -> NoReturn:
        """Raise :class:`UserError`."""
        raise UserError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """Return what the doctor may be told."""
    words = OneLineParser(
        prog="python -m jobs.doctor", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    words.add_argument("--data.root", dest="root", default="", metavar="DIR", help="scans or index to look at")
    words.add_argument(
        "--storage", "--run.storage", default="runs", metavar="DIR", help="run.storage of the runs (runs)"
    )
    words.add_argument(
        "--tracking-uri", "--run.tracking-uri", default="", metavar="URI", help="MLflow store (MLFLOW_TRACKING_URI)"
    )
    words.add_argument("--address", default="", help="Ray head host:port, or http://HOST:8265 (RAY_ADDRESS)")
    words.add_argument("--json", action="store_true", help="findings as JSON lines")
    return words


def checks(words: argparse.Namespace) -> dict[str, Check]:
    """Return all that is checked, in the order of the report."""
    address = words.address or os.environ.get("RAY_ADDRESS", "") or os.environ.get("RAY_API_SERVER_ADDRESS", "")
    return {
        "python": python_version,
        "versions": package_versions,
        "packages": compiled_packages,
        "services": services,
        "Ray token": authentication,
        "Ray cluster": lambda: cluster(words.address),
        "storage": lambda: storage(words.storage, is_remote(address)),
        "MLflow": lambda: tracking(words.tracking_uri, words.storage),
        "data": lambda: data(words.root, words.storage),
    }


def lines(finding: Finding) -> str:
    """Return a finding for people; what fixes it stands below."""
    text = f"{finding.level:<5}{finding.part:<{COLUMN}} {finding.found}"
    return text + (f"\n{'':<{5 + COLUMN}} -> {finding.fix}" if finding.fix else "")


def examine(arguments: Sequence[str]) -> int:
    """Print the report; returns how many parts FAIL."""
    words = parser().parse_args(arguments)
    failures = warnings = 0
    for finding in look(checks(words)):
        failures += finding.level == "FAIL"
        warnings += finding.level == "warn"
        print(json.dumps(asdict(finding)) if words.json else lines(finding), flush=True)
    if not words.json:
        print(f"\n{failures} FAIL, {warnings} warn")
    return failures


def main() -> None:
    """End with code 1 if anything FAILs."""
    if examine(sys.argv[1:]):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
