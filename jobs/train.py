"""Training of one method: ``python -m jobs.train <method> [--preset paper] [--data.root DIR] ...``.

``python -m jobs.train <method> --help`` lists every setting of the method with its meaning and default, ``-h`` those used most.
"""

import shlex
import sys
from pathlib import Path

from jobs import command_line
from jobs.bars import SHOWN, progress_shown
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import absolute
from jobs.short_help import short_help
from sem3d.config import NAMED_WEIGHTS, Experiment, flatten, override
from sem3d.errors import UserError, near
from sem3d.methods import COMPOSED, METHODS, first_preset, method_class
from sem3d.methods.method import Method
from sem3d.reporting.tables import format_table, metric_table
from sem3d.runs.checkpoint import weights_file
from sem3d.runs.checkpoint_files import read_state
from sem3d.runs.run_folder import run_folder
from sem3d.runs.stored_run import settings_of

DEFAULT_PRESET = "paper"
USAGE = """usage: python -m jobs.train METHOD [--preset NAME] [--progress auto|bar|lines] [settings]

Trains a method on Ray, evaluates it and records the run in MLflow. The same command resumes an interrupted run. Without
--preset it is the preset paper. On a terminal, steps are shown as a bar; --progress lines prints a line every so many.

methods:
{methods}

examples:
{examples}
"""


def describe_methods() -> str:
    """Return one line a method: name, first line of its module, presets."""
    lines = []
    for name in METHODS:
        method = method_class(name)
        summary = (sys.modules[method.__module__].__doc__ or "").partition("\n")[0]
        lines.append(f"  {name}\n      {summary}\n      presets: {', '.join(method.presets)}")
    return "\n".join(lines)


def examples() -> str:
    """Return a command line for each method, and the one that explains all settings."""
    lines = [
        f"  python -m jobs.train {name} --preset {first_preset(method_class(name))} --data.root DATA --run.storage runs"
        for name in METHODS
    ]
    for asked, found in {"-h": "the settings used most", "--help": "every setting, its meaning and default"}.items():
        lines.append(f"  {f'python -m jobs.train {next(iter(METHODS))} {asked}':<46} {found}")
    return "\n".join(lines)


def take(option: str, default: str, arguments: list[str]) -> tuple[str, list[str]]:
    """Return the value of an option of this job itself, and the other arguments."""
    rest = list(arguments)
    for number, argument in enumerate(arguments):
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2], rest[:number] + rest[number + 1 :]
        if argument == option:
            if number + 1 == len(arguments):
                raise UserError(f"{option} needs a name, such as {default}")
            return arguments[number + 1], rest[:number] + rest[number + 2 :]
    return default, rest


def take_preset(name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """Return the preset that the arguments choose of a method, and the others; raise :class:`UserError` for an unknown one."""
    preset, rest = take("--preset", DEFAULT_PRESET, arguments)
    known = method_class(name).presets
    if preset not in known:
        raise UserError(f"unknown preset '{preset}' of {name}: choose one of {', '.join(known)}{near(preset, known)}")
    return preset, rest


def preset_line(name: str, arguments: list[str], steps: int) -> str:
    """Return the line that says which preset is trained, and which others there are where none was asked for."""
    preset, rest = take_preset(name, arguments)
    others = ", ".join(other for other in method_class(name).presets if other != preset)
    chosen = f", since no --preset was given; others: {others}" if len(rest) == len(arguments) else ""
    return f"preset     {preset} ({steps} steps){chosen}"


def explained_shortly(name: str, arguments: list[str]) -> str:
    """Return usage, preset and the settings that are used most of a method."""
    preset, _ = take_preset(name, arguments)
    make = method_class(name).presets[preset]
    line = preset_line(name, [argument for argument in arguments if argument != "-h"], make().schedule.steps)
    usage = f"usage: python -m jobs.train {name} [--preset NAME] [settings]"
    about = " ".join((make.__doc__ or "").split())
    return f"{usage}\n\n{line}\n{about}\n\n{short_help(method_class(name), make())}"


def parse(name: str, arguments: list[str]) -> Experiment:
    """Return the experiment that a command line describes.

    Raises :class:`UserError` for an unknown method or preset, or a wrong argument.
    """
    method = method_class(name)
    if name in COMPOSED:
        raise UserError(
            f"{name} is made of trained runs and not trained itself: python -m jobs.tune {name} trains them all"
        )
    preset, rest = take_preset(name, arguments)
    default = method.presets[preset]()
    kind = Experiment[method.Config, method.Data]
    prog = f"python -m jobs.train {name} --preset {preset}"
    experiment = command_line.parse(
        kind, default=default, args=rest, prog=prog, description=method.presets[preset].__doc__
    )
    experiment = absolute(experiment)
    begin_in_earnest()
    if experiment.init in NAMED_WEIGHTS or not Path(experiment.init).is_dir():
        return experiment
    default = with_network_of(method, default, Path(experiment.init))
    return absolute(command_line.parse(kind, default=default, args=rest, prog=prog))


def with_network_of(method: type[Method], default: Experiment, source: Path) -> Experiment:
    """Return ``default`` with the settings of the network of the checkpoint it starts from, so that the weights fit."""
    folder = weights_file(source).parent
    stored = read_state(folder).get("experiment")
    if not isinstance(stored, dict) or not method.handed_on:
        return default
    leaves = [leaf for leaf in flatten(default) if leaf.startswith(method.handed_on) and leaf in stored]
    return override(default, settings_of(default, {leaf: stored[leaf] for leaf in leaves}, folder))


def main() -> None:
    """Parse, train, print the result."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(USAGE.format(methods=describe_methods(), examples=examples()))
        return
    name, arguments = sys.argv[1], sys.argv[2:]
    if "-h" in arguments and name in METHODS:
        print(explained_shortly(name, arguments))
        return
    shown, arguments = take("--progress", SHOWN[0], arguments)
    if shown not in SHOWN:
        raise UserError(f"--progress is '{shown}': choose one of {', '.join(SHOWN)}")
    experiment = parse(name, arguments)
    print(preset_line(name, arguments, experiment.schedule.steps), flush=True)
    print(f"run        {run_folder(name, experiment)}", flush=True)
    from sem3d.training.ray.launch import train

    with progress_shown(shown) as listener:
        result = train(name, experiment, say=listener.say)
    print(format_table(*metric_table(dict(sorted(result.metrics.items()))), digits=3))
    print(f"run        {result.run_folder}\ncheckpoint {result.checkpoint_best or result.checkpoint_last}")
    print(f"next       python -m jobs.evaluate {shlex.quote(str(result.run_folder))}")


if __name__ == "__main__":
    run(main)
