"""Check of everything that a run needs, with the fix of each fault: ``python -m jobs.doctor [--data.root DIR] [--storage DIR]``.

Exit code 0 if all is verified and nothing FAILs, 1 if anything does, 3 if something had no time to answer. It reads its
arguments without tyro, which may be among what is missing.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

from jobs.exits import run
from sem3d.doctor.authentication import authentication
from sem3d.doctor.data import data
from sem3d.doctor.finding import Check, Finding, look
from sem3d.doctor.packages import compiled_packages, package_versions, python_version, services
from sem3d.doctor.ray_cluster import cluster, is_remote
from sem3d.doctor.ray_folder import folder_of_ray
from sem3d.doctor.storage import storage, tracking
from sem3d.errors import UserError

COLUMN = 16
FAILED, NOT_VERIFIED = 1, 3


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
        "Ray folder": folder_of_ray,
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
    """Print the report; returns the code that the doctor ends with."""
    words = parser().parse_args(arguments)
    levels: Counter[str] = Counter()
    for finding in look(checks(words)):
        levels[finding.level] += 1
        print(json.dumps(asdict(finding)) if words.json else lines(finding), flush=True)
    if not words.json:
        late = f", {levels['late']} not verified" if levels["late"] else ""
        print(f"\n{levels['FAIL']} FAIL, {levels['warn']} warn{late}")
    return FAILED if levels["FAIL"] else NOT_VERIFIED if levels["late"] else 0


def main() -> None:
    """End with the code that tells whether all is well."""
    sys.exit(examine(sys.argv[1:]))


if __name__ == "__main__":
    run(main)
