"""The house's rules, read off the source: imports point one way, libraries come in by their doorways, registers resolve."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from sem3d.config import flatten
from sem3d.datasets.scans.layouts import LAYOUTS, load_layout
from sem3d.methods import METHODS, method_class

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for room in ("sem3d", "jobs", "tune_spaces") for path in (ROOT / room).rglob("*.py"))
LEVELS = (
    ("addresses", "errors", "registers"),
    ("bounds",),
    ("config", "texts", "folders"),
    ("files", "ray_internals"),
    ("geometry",),
    ("losses", "networks", "rendering", "evaluation", "datasets"),
    ("worlds", "methods", "reporting"),
    ("runs",),
    ("tracking",),
    ("doctor",),
    ("training",),
    ("pipelines",),
    ("sweeps",),
)
"""Rooms from the ground up: a room imports those of lower levels only, and none beside it."""
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
DOORWAYS = {
    "MinkowskiEngine": {"sem3d/networks/sparse/minkowski_backend.py", "jobs/benchmarks/sparse_convolution.py"},
    "triton": {"sem3d/networks/sparse/triton_kernels.py"},
    "pytorch3d": {"sem3d/rendering"},
    "sklearn": {
        "sem3d/evaluation/probes.py",
        "sem3d/evaluation/plane.py",
        "sem3d/pipelines/aggregation/clustering.py",
    },
    "mlflow": {"sem3d/tracking"},
    "ray.train": {"sem3d/training/ray", "sem3d/ray_internals"},
    "ray.tune": {"tune_spaces", "sem3d/sweeps/tuner.py"},
    "ray._private": {"sem3d/ray_internals"},
    "ray.train.v2": {"sem3d/ray_internals"},
    "ray.data._internal": {"sem3d/ray_internals"},
    "fcntl": {"sem3d/files.py"},
    "av": {"sem3d/evaluation/figures/video.py"},
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
        if own in LEVEL and other in LEVEL and other != own:
            assert LEVEL[other] < LEVEL[own], f"{here} imports {name}"
        assert here.parts[0] != "sem3d" or not name.startswith(("jobs", "tests", "tune_spaces")), (
            f"{here} imports {name}"
        )
        for library, doors in DOORWAYS.items():
            if name == library or name.startswith(f"{library}."):
                assert any(str(here).startswith(door) for door in doors), f"{here} imports {name}"


def test_every_room_has_its_level():
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "sem3d").iterdir() if not path.name.startswith("__")}
    assert rooms == set(LEVEL), rooms ^ set(LEVEL)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_modules_import_each_other_in_a_circle():
    modules = {module_name(path): path for path in SOURCES}
    graph = {name: set(imports(path)) & modules.keys() - {name} for name, path in modules.items()}
    for others in graph.values():  # ``from package import module`` imports the module
        others -= {other.rpartition(".")[0] for other in others if other.rpartition(".")[0] in others}
    while leaves := [name for name, others in graph.items() if not others & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"among these is a circle: {sorted(graph)}"


WITHOUT_AUTHORS_CODE = {
    "ppkt": "slidr",
    "ppkt_pointcontrast": "paper",
    "semantic_segmentation_3d": "paper",
    "object_detection_3d": "paper",
}
"""Methods whose authors published no code, and the preset of the re-implementation that stands in for ``released``; ``paper``
where there is none."""


@pytest.mark.parametrize("name", METHODS)
def test_every_method_resolves_and_has_both_presets(name):
    method = method_class(name)
    assert {"paper", WITHOUT_AUTHORS_CODE.get(name, "released")} <= set(method.presets)
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_name_things_and_tell_functions_what_to_do(path):
    asking = {"What", "Whether", "Where", "Who", "Which", "How"}
    nouns = asking | {"The", "A", "An"}
    tree = ast.parse(path.read_text())
    for node in [tree, *ast.walk(tree)]:
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        first = (ast.get_docstring(node) or "").partition(" ")[0]
        named = not isinstance(node, ast.FunctionDef) or any(
            "property" in ast.unparse(mark) for mark in node.decorator_list
        )
        assert first not in (asking if not named or not isinstance(node, ast.FunctionDef) else set()), (
            ast.get_docstring(node)
        )
        assert named or first not in nouns, ast.get_docstring(node)


OF_THE_REGISTER = {"METHODS", "COMPOSED", "first_preset", "method_class"}


def test_jobs_name_no_method():
    verbs = [path for path in (ROOT / "jobs").glob("*.py")]
    named = [
        f"{path.name}: {node.value!r}"
        for path in verbs
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and set(re.findall(r"\w+", node.value)) & set(METHODS)
    ]
    assert not named
    modules = {name for path in verbs for name in imports(path) if name.startswith("sem3d.methods.")}
    assert {name.removeprefix("sem3d.methods.").partition(".")[0] for name in modules} <= {"method", *OF_THE_REGISTER}


def test_no_file_is_named_for_nothing_in_particular():
    vague = {"utils", "misc", "common", "helpers", "base", "core", "tools"}
    assert not [path for path in SOURCES if path.stem in vague]
