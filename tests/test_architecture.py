"""The house's rules, read off the source: imports point one way, libraries come in by their doorways, registers resolve."""

import ast
import dataclasses
from pathlib import Path

import pytest

from sem3d.config import flatten
from sem3d.datasets.scans.layouts import LAYOUTS, load_layout
from sem3d.methods import METHODS, method_class

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for room in ("sem3d", "jobs", "tune_spaces") for path in (ROOT / room).rglob("*.py"))
LEVELS = {
    "errors": 0,
    "config": 1,
    "geometry": 2,
    "losses": 3,
    "networks": 3,
    "rendering": 3,
    "datasets": 3,
    "evaluation": 3,
    "methods": 4,
    "training": 5,
}
DOORWAYS = {
    "MinkowskiEngine": {"sem3d/networks/sparse/minkowski_backend.py", "jobs/benchmarks/sparse_convolution.py"},
    "pytorch3d": {"sem3d/rendering"},
    "sklearn": {"sem3d/evaluation/probes.py"},
    "mlflow": {"sem3d/tracking/run.py", "sem3d/tracking/store.py"},
    "ray.train": {"sem3d/training/ray/launch.py", "sem3d/training/ray/worker.py", "sem3d/training/ray/elastic.py"},
    "ray.tune": {"tune_spaces", "sem3d/sweeps/tuner.py"},
}


def imports(path: Path) -> list[str]:
    """Full names of the modules a file imports, at any depth."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def room(module: str) -> str:
    return module.split(".")[1] if module.startswith("sem3d.") else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way_and_libraries_come_in_by_their_doorways(path):
    here = path.relative_to(ROOT)
    own = here.parts[1].removesuffix(".py") if here.parts[0] == "sem3d" and len(here.parts) > 1 else ""
    for name in imports(path):
        other = room(name)
        if own in LEVELS and other in LEVELS and other != own:
            assert LEVELS[other] < LEVELS[own], f"{here} imports {name}"
        assert here.parts[0] != "sem3d" or not name.startswith(("jobs", "tests", "tune_spaces")), (
            f"{here} imports {name}"
        )
        for library, doors in DOORWAYS.items():
            if name == library or name.startswith(f"{library}."):
                assert any(str(here).startswith(door) for door in doors), f"{here} imports {name}"


def test_every_room_has_its_level():
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "sem3d").iterdir() if not path.name.startswith("__")}
    assert rooms <= set(LEVELS), rooms - set(LEVELS)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_resolves_and_has_both_presets(name):
    method = method_class(name)
    assert {"paper", "released"} <= set(method.presets)
    assert all(dataclasses.is_dataclass(kind) for kind in (method.Config, method.Data, method.Batch))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_resolves(name):
    assert load_layout(name)


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_is_read_somewhere(name):
    words = {
        node.attr
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    leaves = {leaf.rpartition(".")[2] for leaf in flatten(method_class(name).presets["paper"]())}
    assert leaves <= words, leaves - words


def test_no_file_is_named_for_nothing_in_particular():
    vague = {"utils", "misc", "common", "helpers", "base", "core", "tools"}
    assert not [path for path in SOURCES if path.stem in vague]
