"""The settings of a method that are used most, with their meaning and their value in a preset: ``jobs.train METHOD -h``."""

import ast
import dataclasses
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from sem3d.config import Experiment, flatten
from sem3d.methods.method import Method

MOST_USED = (
    "data.root",
    "init",
    "schedule.steps",
    "schedule.epochs",
    "optim.lr",
    "run.batch_size",
    "run.workers",
    "run.device",
    "run.precision",
    "run.seed",
    "run.evaluate_every",
    "run.checkpoint_every",
    "run.storage",
    "run.name",
)
WIDTH = 100


def short_help(method: type[Method], experiment: Experiment) -> str:
    """Return the settings that are used most, the method's label budget among them, and how many others there are."""
    values = flatten(experiment)
    first, *others = MOST_USED
    leaves = [leaf for leaf in dict.fromkeys((first, method.label_budget, *others)) if leaf in values]
    lines = []
    for leaf in leaves:
        shown = values[leaf] if values[leaf] != "" else '""'
        lines += [f"  --{leaf.replace('_', '-')} {shown}", *_wrapped(meaning(experiment, leaf))]
    return "\n".join([*lines, "", f"and {len(values) - len(leaves)} others: --help instead of -h"])


def meaning(config: Any, leaf: str) -> str:
    """Return the words below the field of a dotted leaf in the source of its dataclass."""
    *parts, name = leaf.split(".")
    for part in parts:
        config = getattr(config, part)
    for kind in type(config).__mro__:
        if dataclasses.is_dataclass(kind):
            declared = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
            assert isinstance(declared, ast.ClassDef)
            for field, said in pairwise(declared.body):
                if (
                    isinstance(field, ast.AnnAssign)
                    and ast.unparse(field.target) == name
                    and isinstance(said, ast.Expr)
                ):
                    return inspect.cleandoc(ast.literal_eval(said.value))
    return ""


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
