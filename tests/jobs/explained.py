"""Explanations of programs, and settings of methods; run as a program, with stand-ins for the libraries that compute."""

import contextlib
import io
import json
import sys
from importlib import import_module

from sem3d.config import flatten, kinds
from sem3d.methods import METHODS, method_class

COMMANDS = (
    ("train", "--help"),
    ("train", "ppkt", "--help"),
    ("tune", "pri3d", "--help"),
    ("evaluate", "--help"),
    ("predict", "pixel_semantics", "--help"),
    ("prepare", "--help"),
)


def explanations() -> dict[str, str]:
    """Return what each of the commands prints, and which settings each method has."""
    found, given = {}, sys.argv
    for verb, *arguments in COMMANDS:
        printed = io.StringIO()
        sys.argv = [verb, *arguments]
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            import_module(f"jobs.{verb}").main()
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
    from jobs.explanation import leave_out_libraries

    leave_out_libraries(["--help"])
    print(json.dumps(explanations()))
    absent = [name for name in ("torch", "ray", "pyarrow") if hasattr(sys.modules.get(name), "__version__")]
    sys.exit(f"imported: {absent}" if absent else 0)
