"""Ratios measured side by side in one run: ``python -m jobs.benchmark [case ...]``.

Each case times sem3d and its rival in turn on the same input and takes medians. A ratio above 1 means sem3d is faster.
"""

import sys
from importlib import import_module

from jobs.exits import run
from sem3d.errors import UserError
from sem3d.evaluation.tables import format_table

CASES = ("sens", "overlap", "stream", "ray_train", "sparse_convolution", "silhouettes")


def main() -> None:
    """Runs the named cases, or all, and prints one row a measurement."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(f"{__doc__}\ncases: {', '.join(CASES)}")
        return
    chosen = sys.argv[1:] or CASES
    if unknown := sorted(set(chosen) - set(CASES)):
        raise UserError(f"unknown benchmark '{unknown[0]}': choose from {', '.join(CASES)}")
    rows = []
    for case in chosen:
        print(f"measuring {case} ...", file=sys.stderr, flush=True)
        for what, ours, other, unit in import_module(f"jobs.benchmarks.{case}").run():
            rows.append({"measured": what, "sem3d": ours, "rival": other, "unit": unit, "ratio": ours / other})
    print(format_table(rows, ["measured", "sem3d", "rival", "unit", "ratio"]))


if __name__ == "__main__":
    run(main)
