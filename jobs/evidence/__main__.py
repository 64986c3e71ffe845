"""Evidence for a paper's claim: ``python -m jobs.evidence SPACE --size laptop|gpu|paper``.

Runs the comparison of a space of ``tune_spaces`` at a named size and prints one table: the paper's numbers, ours by the paper's
protocol, ours here, with seeds, intervals and marks. It is a sweep of ``jobs.tune`` that resumes: the same command goes on
where it was stopped. The record is kept in STORAGE/evidence; ``--show`` prints it without running anything.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from jobs import command_line, tune
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import storage_place
from sem3d.errors import UserError, near
from sem3d.reporting.tables import format_table, markdown_table
from sem3d.sweeps.evidence import (
    Evidence,
    about,
    evidence_of,
    evidence_table,
    listed,
    read_evidence,
    sizes_of,
    tune_arguments,
    write_evidence,
)
from sem3d.sweeps.records import sweep_folder
from sem3d.sweeps.space import read_space

PROG = "python -m jobs.evidence"
KEPT = Path(__file__).parent
"""Records of this project's own runs; the README shows them."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A comparison of a named size."""

    space: Positional[str]
    """Name of a module in tune_spaces."""
    size: str = "laptop"
    """Named size of the space: laptop, gpu or paper."""
    root: Annotated[str, tyro.conf.arg(name="data.root")] = ""
    """Folder of the paper's data, for size paper; empty: the generated world of the size."""
    storage: str = "runs"
    """Folder for the world, runs, sweeps and evidence."""
    max_concurrent: int = 0
    """Trials at a time; 0: as the size says, at most as many as the cluster holds."""
    show: bool = False
    """Print what is found already, as Markdown, and end."""
    dry_run: bool = False
    """Try some steps of each kind of training here, say what would be run and what that would take, and end."""


def block(evidence: Evidence) -> str:
    """Return evidence as Markdown, as the README has it between its markers."""
    rows, columns = evidence_table(evidence)
    return f"{markdown_table(rows, columns)}\n\n{listed(about(evidence))}"


def main() -> None:
    """Run the sweep of the size, or what is left of it, then record and print what it found."""
    asked = command_line.parse(Asked, prog=PROG, description=__doc__)
    sizes, space = sizes_of(asked.space), read_space(asked.space)
    if asked.size not in sizes:
        names = ", ".join(sizes)
        raise UserError(f"{asked.space} has no size '{asked.size}': choose one of {names}{near(asked.size, sizes)}")
    begin_in_earnest()
    size = sizes[asked.size]
    storage = storage_place(asked.storage, "storage")
    path = storage / "evidence" / f"{asked.space}-{asked.size}.json"
    if not asked.show:
        root = ["--data.root", asked.root] if asked.root else []
        command = shlex.join([*PROG.split(), asked.space, "--size", asked.size, *root])
        generated = tune.data_class(space).generated
        words = tune_arguments(asked.space, asked.size, size, asked.root, str(storage), generated, asked.dry_run)
        print(f"runs python -m jobs.tune {shlex.join(words)}", flush=True)
        tune.tune([*words, "--max-concurrent", str(asked.max_concurrent or size.max_concurrent)])
        if asked.dry_run:
            return
        folder = sweep_folder(storage, f"evidence-{asked.space}-{asked.size}")
        write_evidence(path, evidence_of(folder, space, asked.size, command))
    evidence = read_evidence(path)
    if asked.show:
        print(block(evidence))
        return
    rows, columns = evidence_table(evidence)
    print(format_table(rows, columns))
    print("\n".join(about(evidence)))
    print(f"evidence   {path}")


if __name__ == "__main__":
    run(main)
