"""What programs say of their arguments, and settings of methods; run as a program, with stand-ins for libraries that compute."""

import contextlib
import io
import json
import os
import sys
from importlib import import_module

from sem3d.config import flatten, kinds
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class

COMMANDS = (
    ("train", "--help"),
    ("train", "ppkt", "--help"),
    ("train", "ssr", "-h"),
    ("tune", "pri3d", "--help"),
    ("evaluate", "--help"),
    ("predict", "pixel_semantics", "--help"),
    ("prepare", "--help"),
    ("train", "pri3d", "--data.rot", "x"),
    ("train", "pri3d", "--preset", "lapto"),
    ("train", "pri3d", "--data.root", "/no/such/folder"),
    ("tune", "pri3d", "--set", "schedule.step=3"),
    ("tune", "pri3d", "--budgetz", "1"),
    ("tune", "pri3d", "--data.root", ".", "--budgets", "20"),
    ("evaluate", "correspondenc", "runs"),
    ("predict", "pri3d", "--image", "/no/such/file", "--out", "x.png"),
    ("prepare", "rooms", "--ou", "x"),
    ("report", "--publis"),
    ("export", "x", "--to", "paper"),
    ("benchmark", "senss"),
    ("evidence.__main__", "pri3d", "--size", "big"),
)


def explanations() -> dict[str, str]:
    """Return what each of the commands says, and which settings each method has."""
    found, given = {}, sys.argv
    for verb, *arguments in COMMANDS:
        printed = io.StringIO()
        sys.argv = [verb, *arguments]
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            try:
                import_module(f"jobs.{verb}").main()
            except UserError as error:
                printed.write(f"error: {error}")
        found[" ".join((verb, *arguments))] = printed.getvalue()
    sys.argv = given
    return found | {name: settings(name) for name in METHODS}


def settings(method: str) -> str:
    """Return the presets of a method, their values and types, and what its class declares beside."""
    declared, lines = method_class(method), []
    for preset, make in declared.presets.items():
        experiment = make()
        lines.append(f"{preset}: {flatten(experiment)} {kinds(experiment)}")
    lines += [f"{name}: {getattr(declared, name)}" for name in ("score", "evaluations", "prediction", "label_budget")]
    return "\n".join(lines)


if __name__ == "__main__":
    from jobs.explanation import stand_in

    stand_in()
    os.execv = print  # a command that is right would start this program once more, and again
    print(json.dumps(explanations()))
    absent = [name for name in ("torch", "ray", "pyarrow") if hasattr(sys.modules.get(name), "__version__")]
    sys.exit(f"imported: {absent}" if absent else 0)
