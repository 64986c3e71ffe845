"""Explanations (``--help``) without the libraries that compute, which take seconds to import: settings need none of them.

The settings of a method are declared beside its network, so that its module has to be imported for either. Where a program is
asked for its ``--help``, stand-ins take the place of those libraries: names that can be annotated with, inherited from and
decorate, and of which no number can be had. Such a program prints what it was asked for and ends.
"""

import sys
from abc import ABCMeta
from collections.abc import Sequence
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


def leave_out_libraries(arguments: Sequence[str]) -> None:
    """Have stand-ins imported in the place of libraries that compute, where ``arguments`` ask for an explanation only."""
    if any(argument in ASKING for argument in arguments):
        sys.meta_path.insert(0, Absent())
