"""Explanations and errors of command lines without the libraries that compute, which take seconds to import.

The settings of a method are declared beside its network, so that its module has to be imported for either. While a program reads
its command line, stand-ins take the place of those libraries: names that can be annotated with, inherited from and decorate, and
of which no number can be had. Asked for its ``--help``, or given wrong arguments, the program says so and ends. One that has read
its arguments calls :func:`begin_in_earnest`: the same process starts once more, with the libraries.
"""

import os
import signal
import sys
from abc import ABCMeta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

LEFT_OUT = (
    "MinkowskiEngine",
    "matplotlib",
    "mlflow",
    "pyarrow",
    "pytorch3d",
    "ray",
    "scipy",
    "sklearn",
    "torch",
    "torchvision",
)
ASKING = ("--help", "-h")
READ_FIRST = ("benchmark", "evaluate", "evidence", "export", "predict", "prepare", "report", "train", "tune")
"""Programs that call :func:`begin_in_earnest`; others are without libraries for their ``--help`` only."""
ARGUMENTS_READ = "SEM3D_ARGUMENTS_READ"
"""Variable of the environment: the process whose arguments have been read, which keeps its number when it starts once more."""


class _Named(ABCMeta):
    """Classes of stand-ins: whatever is asked of the first one is itself, and it decorates without any effect."""

    __iter__ = None  # Python would take what has indices for an endless sequence

    def __getattr__(cls, name: str) -> Any:
        """Return the stand-in, except for what Python itself looks for."""
        if cls is not StandIn or name.startswith("__"):
            raise AttributeError(name)
        return StandIn

    def __call__(cls, *given: Any, **named: Any) -> Any:
        """Return the function that is decorated, else the stand-in."""
        if cls is not StandIn:
            return super().__call__(*given, **named)
        return given[0] if len(given) == 1 and isinstance(given[0], FunctionType | type) else StandIn

    def __getitem__(cls, of: Any) -> Any:
        """Return the stand-in, which is generic in anything."""
        return cls


class StandIn(metaclass=_Named):
    """Any class, function, module or value of a library that is left out."""


class Absent(MetaPathFinder, Loader):
    """A finder of modules that have every name."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """Return how a module of a library that is left out comes in, ``None`` for others."""
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in LEFT_OUT else None

    def exec_module(self, module: ModuleType) -> None:
        """Give the module every name."""
        module.__getattr__ = StandIn.__getattr__


def leave_out_libraries() -> None:
    """Have stand-ins imported in the place of libraries that compute, until arguments are read or an explanation is given."""
    module = sys.orig_argv[-len(sys.argv)].rpartition(".")[2]
    read = os.environ.pop(ARGUMENTS_READ, "") == str(os.getpid())
    if any(argument in ASKING for argument in sys.argv) or (module in READ_FIRST and not read):
        stand_in()


def stand_in() -> None:
    """Have stand-ins imported in the place of libraries that compute."""
    sys.meta_path.insert(0, Absent())


def begin_in_earnest() -> None:
    """Start the program once more where libraries have been left out so far; its arguments are right."""
    if not any(isinstance(finder, Absent) for finder in sys.meta_path):
        return
    os.environ[ARGUMENTS_READ] = str(os.getpid())
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))  # until the new program takes them
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
