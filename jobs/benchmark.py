"""Ratios measured side by side in one run: ``python -m jobs.benchmark [case ...]``.

Each case times sem3d and its rival in turn on the same input and takes medians. A ratio above 1 means sem3d is faster.
"""

import sys
from importlib import import_module

import ray

from jobs.exits import run
from sem3d.errors import UserError
from sem3d.reporting.tables import format_table

CASES = (
    "sens",
    "overlap",
    "sources",
    "stream",
    "ray_train",
    "sparse_convolution",
    "silhouettes",
    "contrast",
    "scene_rays",
    "memory",
)


def main() -> None:
    """Run the named cases, or all, and print a table of each as soon as it is measured."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(f"{__doc__}\ncases: {', '.join(CASES)}")
        return
    chosen = sys.argv[1:] or CASES
    if unknown := sorted(set(chosen) - set(CASES)):
        raise UserError(f"unknown benchmark '{unknown[0]}': choose from {', '.join(CASES)}")
    for case in chosen:
        print(f"measuring {case} ...", file=sys.stderr, flush=True)
        rows = [
            {"measured": what, "sem3d": ours, "rival": other, "unit": unit, "ratio": ours / other}
            for what, ours, other, unit in import_module(f"jobs.benchmarks.{case}").run()
        ]
        print(format_table(rows, ["measured", "sem3d", "rival", "unit", "ratio"]), end="\n\n", flush=True)
        ray.shutdown()  # the next case wants a cluster of its own size


if __name__ == "__main__":
    run(main)
