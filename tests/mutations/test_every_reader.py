"""Every function of sem3d that opens bytes stands behind a parser of the table, or here with a reason."""

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType

import pytest

from tests.mutations.table import PARSERS

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("sem3d", "jobs") for path in (ROOT / room).rglob("*.py"))
OPENERS = frozenset(
    {
        *("open", "read_bytes", "read_text", "read_sample_text", "open_regular", "read_regular", "urlopen"),
        *("read_json", "stored_json", "json.load", "json.loads", "DictReader", "ZipFile"),
        *("np.load", "np.loadtxt", "np.genfromtxt", "np.fromfile", "np.memmap", "Image.open", "read_picture"),
        *(
            "read_table",
            "ParquetFile",
            "read_rows",
            "load_file",
            "safe_open",
            "torch.load",
            "pickle.load",
            "yaml.safe_load",
        ),
        *(
            "trimesh.load",
            "trimesh.load_scene",
            "trimesh.load_mesh",
            "gzip.open",
            "zlib.decompress",
            "zlib.decompressobj",
        ),
    }
)
"""Names of functions that open or parse, with their module where the name alone says too little."""
LAST_WORDS = frozenset(name.split(".")[-1] for name in OPENERS)
EXCEPTIONS = {
    "sem3d/files.py:sync": "opens for fsync, reads nothing",
    "sem3d/files.py:locked_file": "opens for the lock, reads nothing",
    "sem3d/files.py:content_digest": "bytes of any kind, for their digest",
    "sem3d/datasets/scans/copies.py:stored_digest": "bytes of any kind, for their digest",
    "sem3d/runs/progress.py:last_line": "the text of a log, any bytes, to be shown",
    "sem3d/runs/progress.py:log_line": "appends",
    "sem3d/runs/quarantine.py:Quarantine.add": "appends",
    "sem3d/sweeps/trial.py:attempt": "appends to a log",
    "sem3d/runs/checkpoint_files.py:restore_optimizer": "the run's own checkpoint, whose checksums agree",
    "sem3d/datasets/stream.py:run_pipeline": "what a task of this run has sent",
    "sem3d/training/distributed.py:gather_json": "what a worker of this run has sent",
    "sem3d/training/records.py:decode_records": "what a worker of this run has sent",
    "sem3d/doctor/packages.py:_probe": "what a process of the doctor's own has printed",
    "sem3d/doctor/authentication.py:_write_token": "writes",
    "sem3d/datasets/tasks.py:Told.__call__": "what a task of this run has sent",
    "sem3d/datasets/tasks.py:in_tasks": "what a task of this run has sent",
    "sem3d/evaluation/figures/video.py:write_video": "writes",
    "sem3d/pipelines/predicted_features.py:written": "writes",
    "sem3d/pipelines/predicted_object.py:predict_sketches": "writes",
    "jobs/ending.py:open_standard_streams": "the null device in the place of a closed stream",
    "jobs/output.py:LastingStream._give_up": "the null device in the place of a closed stream",
    "sem3d/doctor/storage.py:_try_out": "a file that it has just written",
    "sem3d/reporting/page/environment.py:file_text": "a file of this package",
    "jobs/benchmarks/overlap.py:kitchen_clouds": "a benchmark of data beside the project",
    "jobs/benchmarks/contrast.py:resident": "what the kernel says of this process",
    "jobs/benchmarks/sources.py:as_rows": "a benchmark of a table that it has just written",
    "jobs/benchmarks/sens.py:read_official_way": "a benchmark of a file that it has just written",
    "sem3d/runs/progress.py:lines_printed.<locals>.follow": "lines that this run writes meanwhile",
    "sem3d/datasets/scans/sens.py:SensWriter.__init__": "writes",
    "sem3d/datasets/objects/npz_stream.py:write_npz": "writes",
    "sem3d/pipelines/exported.py:export": "a file that it has just written",
    "sem3d/pipelines/predicted_picture.py:predict_features": "writes",
    "sem3d/pipelines/pixel_semantics/prediction.py:written": "writes",
    "sem3d/pipelines/predicted_views.py:batch_of": "its readers of pictures, masks and cameras are behind parsers",
}
"""Functions that need no parser, and why."""


def opener(node: ast.AST) -> bool:
    """Whether a node calls something that opens or parses bytes."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name | ast.Attribute) and last_word(node.func) not in LAST_WORDS:
        return False
    written = ast.unparse(node.func)
    words = written.split(".")
    if not ({words[-1], ".".join(words[-2:])} & OPENERS):
        return False
    made_here = [ast.unparse(given.func) for given in node.args if isinstance(given, ast.Call)]
    return not (words[-1] == "loads" and made_here == ["json.dumps"])


def last_word(name: ast.Name | ast.Attribute) -> str:
    return name.attr if isinstance(name, ast.Attribute) else name.id


def functions(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Functions with their qualified names, as code objects have them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{outer}{node.name}", node
            yield from functions(node, f"{outer}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{outer}{node.name}.")
        else:
            yield from functions(node, outer)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function without those of functions inside it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
            yield from own_nodes(node)


def openers() -> set[str]:
    """Functions of sem3d and its jobs that open or parse bytes."""
    return {
        f"{path.relative_to(ROOT)}:{name}"
        for path in SOURCES
        for name, function in functions(ast.parse(path.read_text()))
        if any(map(opener, own_nodes(function)))
    }


def entered(read: Callable[[], object]) -> set[str]:
    """Functions of sem3d that a call enters."""
    met: set[CodeType] = set()

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        met.add(frame.f_code)

    before = sys.gettrace()
    threading.settrace(note)
    sys.settrace(note)
    try:
        read()
    finally:
        sys.settrace(before)
        threading.settrace(None)
    own = [code for code in met if code.co_filename.startswith(f"{ROOT}/sem3d/")]
    return {f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_qualname}" for code in own}


@pytest.mark.slow
def test_every_function_that_opens_bytes_is_behind_a_parser_or_excused(tmp_path: Path):
    behind: set[str] = set()
    for number, parser in enumerate(PARSERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        parser.make(folder)
        behind |= entered(lambda folder=folder, parser=parser: parser.read(folder))
    opening = openers()
    missing = opening - behind - EXCEPTIONS.keys()
    assert not missing, f"in no parser of tests/mutations/table.py: {', '.join(sorted(missing))}"
    assert EXCEPTIONS.keys() <= opening, f"excused for nothing: {sorted(EXCEPTIONS.keys() - opening)}"


def test_the_walk_sees_functions_in_functions_and_in_classes():
    source = "class A:\n def f(self):\n  def g(): open('x')\n def h(self): json.loads(json.dumps(1))"
    found = {name for name, function in functions(ast.parse(source)) if any(map(opener, own_nodes(function)))}
    assert found == {"A.f.<locals>.g"}
