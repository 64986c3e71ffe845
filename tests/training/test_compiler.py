"""torch.compile of parts of a method, by the backend that only traces.

The part is a layer of torch's own: the checks of shapes that tests put into sem3d's networks cannot be traced.
"""

from pathlib import Path

import pytest

from sem3d.errors import UserError
from sem3d.training.compiler import compile_parts
from sem3d.training.context import TrainingContext
from sem3d.training.loop import fit
from tests.training.toy_method import ToyMethod, stream_in_process, stream_once_in_process, toy_experiment


class CompiledBody(ToyMethod):
    compiled = ("body",)


@pytest.mark.filterwarnings("default")
def test_a_compiled_part_learns_the_same_under_the_same_names(tmp_path: Path):
    for compiler in ("never", "eager"):
        folder = tmp_path / compiler
        folder.mkdir()
        experiment = toy_experiment(folder, run={"compiler": compiler})
        streams = {"stream_batches": stream_in_process, "stream_once": stream_once_in_process}
        fit(CompiledBody, experiment, TrainingContext(run_folder=folder, **streams))
    weights = "checkpoints/step-00000004/weights.safetensors"
    assert (tmp_path / "never" / weights).read_bytes() == (tmp_path / "eager" / weights).read_bytes()


def test_the_compiler_is_called_for_the_part(monkeypatch: pytest.MonkeyPatch):
    method, calls = CompiledBody(toy_experiment(Path("runs"))), []
    monkeypatch.setattr(method.body, "compile", lambda backend: calls.append(backend), raising=False)
    compile_parts(method, "never")
    assert not calls
    compile_parts(method, "cudagraphs")
    assert calls == ["cudagraphs"]


def test_a_method_without_such_a_part_is_refused():
    method = ToyMethod(toy_experiment(Path("runs")))
    with pytest.raises(
        UserError, match=r"run\.compiler eager: this method has no part that can be compiled; leave it out"
    ):
        compile_parts(method, "eager")
