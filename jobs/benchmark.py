"""Ratios measured side by side in one run: ``python -m jobs.benchmark [case ...] [--device gpu]``.

Each case times sem3d and its rival in turn on the same input and takes medians. A ratio above 1 means sem3d is faster.
With ``--device gpu`` the cases that have a part for GPUs run that, and print each line when it is measured.
"""

import sys
from importlib import import_module

import ray

from jobs.exits import run
from jobs.explanation import begin_in_earnest
from sem3d.errors import UserError, near
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
    "presets",
)
GPU_CASES = ("sparse_convolution", "silhouettes", "unets", "pri3d_step", "stream")


def main() -> None:
    """Run the named cases, or all, and print a table of each as soon as it is measured."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(f"{__doc__}\ncases: {', '.join(CASES)}\non a GPU: {', '.join(GPU_CASES)}")
        return
    named, on_gpu = _arguments(sys.argv[1:])
    known = GPU_CASES if on_gpu else CASES
    if unknown := sorted(set(named) - set(known)):
        if not on_gpu and unknown[0] in GPU_CASES:
            raise UserError(f"benchmark {unknown[0]} is one of GPUs: add --device gpu")
        device = " of GPUs" if on_gpu else ""
        choice = f"choose from {', '.join(known)}{near(unknown[0], known)}"
        raise UserError(f"unknown benchmark '{unknown[0]}'{device}: {choice}")
    begin_in_earnest()
    for case in named or known:
        print(f"measuring {case} ...", file=sys.stderr, flush=True)
        if on_gpu:
            for line in import_module(f"jobs.benchmarks.{case}_gpu").lines():
                print(line, flush=True)
            continue
        rows = [
            {"measured": what, "sem3d": ours, "rival": other, "unit": unit, "ratio": ours / other}
            for what, ours, other, unit in import_module(f"jobs.benchmarks.{case}").run()
        ]
        print(format_table(rows, ["measured", "sem3d", "rival", "unit", "ratio"]), end="\n\n", flush=True)
        ray.shutdown()  # the next case wants a cluster of its own size


def _arguments(words: list[str]) -> tuple[list[str], bool]:
    """Return the named cases, and whether their parts for GPUs are meant."""
    if "--device" not in words:
        return words, False
    place = words.index("--device")
    device = words[place + 1 : place + 2]
    if device not in (["cpu"], ["gpu"]):
        raise UserError("--device: choose cpu or gpu")
    return words[:place] + words[place + 2 :], device == ["gpu"]


if __name__ == "__main__":
    run(main)
