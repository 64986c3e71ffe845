"""What a user sees of a mistake: one line on stderr and exit code 2; and of a question: help."""

import ast
import dataclasses
import inspect
import logging
import re
import textwrap

import pytest
import torch

from jobs import benchmark, command_line, doctor, evaluate, prepare, train, tune
from jobs.evidence import __main__ as evidence
from sem3d.config import Experiment, override
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class
from sem3d.pipelines.options import EvaluationOptions
from sem3d.runs.checkpoint import weights_source
from sem3d.runs.device import chosen_device
from tests.jobs.local_head import ROOT
from tests.jobs.outcome import outcome
from tests.methods.tiny import tiny_experiment


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["pri3d", "--seeds", "1"], ["pri3d", "--seeds", "1"]),
        (["pri3d", "--set", "a=1", "b=2"], ["pri3d", "--set", "a=1", "b=2"]),
        (["pri3d", "--set", "a=1", "--seeds", "1", "--set", "b=2"], ["pri3d", "--set", "a=1", "b=2", "--seeds", "1"]),
        (["--set=a=1", "pri3d", "--set", "b=-2"], ["--set", "a=1", "b=-2", "pri3d"]),
    ],
)
def test_an_option_of_several_values_may_be_given_several_times(given, read):
    assert command_line.gathered(given, "--set") == read


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pri3d", "--no-such-flag", "3"], "--no-such-flag"),
        (["pri3d", "--data.rot", "x"], "did you mean --data.root? (see "),
        (["pri3d", "--seed", "3"], "did you mean --data.prepare.seed or --run.seed?"),
        (["pri3d", "--optim.lr", "fast"], "--optim.lr: 'fast' is no number (see "),
        (["pri3d", "--schedule.steps", "2.5"], "--schedule.steps: '2.5' is no whole number (see "),
        (["pri3d", "--optim.kind", "magic"], "magic"),
        (["pri3d", "--preset", "biggest"], "choose one of paper, released"),
        (["pri3d", "--preset", "papr"], "; did you mean paper?"),
        (["no_such_method"], "choose one of pri3d"),
        (["semantic_srn_instance"], "; did you mean semantic_srn_instances"),
        (["pri3d"], "--data.root"),
        (["pri3d", "--data.root", "/no/such/folder"], "/no/such/folder"),
        (["pri3d", "--data.height", "0"], "data.height is 0, it must be a whole number from 1 to 16384"),
        (["ssr", "--optim.lr", "nan"], "optim.lr is nan, it must be a number from 0"),
        (["pri3d", "--data.prepare.stride", "-3"], "data.prepare.stride is -3, it must be a whole number from 0"),
    ],
)
def test_a_wrong_command_is_one_line_that_names_it(arguments, words, monkeypatch, capsys):
    code, _, error = outcome(train.main, monkeypatch, capsys, *arguments)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize(
    ("job", "arguments", "words"),
    [
        (prepare, ["romms", "--out", "x"], "unknown verb 'romms': choose one of scans, "),
        (prepare, ["romms", "--out", "x"], "; did you mean rooms?"),
        (
            prepare,
            ["rooms", "--out", "x", "--rooms-trian", "3"],
            "did you mean --rooms-train? (see python -m jobs.prepare rooms ",
        ),
        (prepare, ["--out", "x"], "(see python -m jobs.prepare --help)"),
        (evaluate, ["runs/none"], "none: name a run folder or one of its checkpoints/step-... folders"),
        (evaluate, ["corespondence"], "; did you mean correspondence?"),
        (evidence, ["pri3"], "unknown space 'pri3': choose one of "),
        (evidence, ["pri3"], "; did you mean pri3d?"),
        (evidence, ["pri3d", "--size", "labtop"], "; did you mean laptop?"),
        (benchmark, ["presests"], "; did you mean presets?"),
        (benchmark, ["unets"], "benchmark unets is one of GPUs: add --device gpu"),
    ],
)
def test_a_wrong_word_of_a_job_is_one_line_that_names_it(job, arguments, words, monkeypatch, capsys):
    code, _, error = outcome(job.main, monkeypatch, capsys, *arguments)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize("source", ["missing", "empty"])
def test_a_wrong_checkpoint_is_one_line_that_names_it(source, monkeypatch, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    scans = tmp_path / "scans"
    scans.mkdir()
    arguments = ["semantic_segmentation_2d", "--data.root", scans, "--init", tmp_path / source]
    code, _, error = outcome(train.main, monkeypatch, capsys, *arguments)
    assert code == 2
    assert error.count("\n") == 1
    assert str(tmp_path / source) in error


def test_initial_weights_that_have_a_name_are_no_folder_of_that_name(monkeypatch, tmp_path):
    for folder in ("scratch", "imagenet", "scans"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    for word in ("scratch", "imagenet"):
        assert train.parse("pri3d", ["--data.root", "scans", "--init", word]).init == word
        assert weights_source(word) == word


def test_every_method_is_shown_with_the_preset_to_begin_with():
    shown = train.examples().splitlines()
    assert all(f"{name} --preset laptop " in line for name, line in zip(METHODS, shown, strict=False))


def test_an_evaluation_on_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="torch sees no GPU"):
        chosen_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [chosen_device(device).type for device in ("auto", "gpu", "cpu")] == ["cuda", "cuda", "cpu"]


def test_an_empty_scan_is_one_line_that_names_it(monkeypatch, capsys, tmp_path, ray_cluster):
    scans = tmp_path / "scans"
    scans.mkdir()
    arguments = ["pri3d", "--preset", "laptop", "--data.root", scans, "--run.storage", tmp_path]
    for main, words in ((train.main, arguments), (prepare.main, ["scans", scans, "--storage", tmp_path])):
        code, _, error = outcome(main, monkeypatch, capsys, *words)
        assert code == 2
        assert error.count("\n") == 1
        assert str(scans) in error


def test_an_evaluation_of_nothing_is_one_line(monkeypatch, capsys, tmp_path, ray_cluster):
    code, _, error = outcome(evaluate.main, monkeypatch, capsys, "correspondence", tmp_path)
    assert code == 2
    assert error.count("\n") == 1


def test_a_job_prints_what_sem3d_logs(monkeypatch, capsys):
    logger = logging.getLogger("sem3d.datasets.scans.index")
    code, text, _ = outcome(lambda: logger.info("scene 1/2: 100 % of 3 frames"), monkeypatch, capsys)
    assert (code, text) == (0, "scene 1/2: 100 % of 3 frames\n")
    logger.info("nobody listens")
    assert not capsys.readouterr().out


def test_help_names_methods_presets_and_every_setting(monkeypatch, capsys):
    code, text, _ = outcome(train.main, monkeypatch, capsys, "--help")
    assert code == 0
    assert "pri3d" in text
    assert "paper, released, laptop, gpu" in text
    code, text, _ = outcome(train.main, monkeypatch, capsys, "pri3d", "--preset", "released", "--help")
    assert code == 0
    assert "--data.view-threshold" in text
    assert "--run.workers" in text


def settings_of(config) -> dict[type, str]:
    """The classes whose fields are settings of an experiment, with their source."""
    found = {kind: inspect.getsource(kind) for kind in type(config).__mro__ if dataclasses.is_dataclass(kind)}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        found |= settings_of(value) if dataclasses.is_dataclass(value) else {}
    return found


@pytest.mark.parametrize("name", METHODS)
def test_the_help_of_every_setting_says_what_it_is_and_cites_nothing_that_is_not_here(name):
    for kind, source in settings_of(method_class(name).presets["paper"]()).items():
        lines = ast.parse(textwrap.dedent(source)).body[0].body
        for field, said in zip(lines, [*lines[1:], None], strict=True):
            if (
                isinstance(field, ast.AnnAssign)
                and "ClassVar" not in ast.unparse(field.annotation)
                and kind is not Experiment
            ):
                assert isinstance(said, ast.Expr), f"{kind.__name__}.{ast.unparse(field.target)} has no help"
        for cited in re.findall(r"[\w/]+\.md\b", source):
            assert (ROOT / cited).is_file(), f"{kind.__name__} cites {cited}"
        assert "sem3d." not in "".join(ast.unparse(line) for line in lines if isinstance(line, ast.Expr)), kind


def test_the_preset_is_named_at_the_start_and_most_of_all_where_nobody_chose_it():
    said = train.preset_line("pri3d", ["--data.root", "SCANS"], 60000)
    assert said == "preset     paper (60000 steps), since no --preset was given; others: released, laptop, gpu"
    assert train.preset_line("pri3d", ["--preset", "laptop"], 100) == "preset     laptop (100 steps)"


@pytest.mark.parametrize("wrong", ["--run.tracking-urii", "--tracking_uri="])
def test_a_mistyped_setting_does_not_print_a_password(wrong, monkeypatch, capsys):
    address = "http://user:hunter2@127.0.0.1:5000"
    words = [f"{wrong}{address}"] if wrong.endswith("=") else [wrong, address]
    for main, start in ((train.main, ["pri3d"]), (doctor.main, []), (evaluate.main, ["runs"]), (tune.main, ["pri3d"])):
        code, out, error = outcome(main, monkeypatch, capsys, *start, *words)
        assert code == 2
        assert "hunter2" not in out + error
    code, out, error = outcome(tune.main, monkeypatch, capsys, "pri3d", "--set", f"run.tracking_urii={address}")
    assert code == 2
    assert "hunter2" not in out + error


def test_the_batch_of_an_evaluation_is_the_one_that_is_asked_for_whatever_the_run_had(monkeypatch, tmp_path):
    made = override(tiny_experiment("pri3d", tmp_path, tmp_path), {"run.evaluation_batch_size": 64})
    monkeypatch.setattr(evaluate, "stored_experiment", lambda folder: ("pri3d", made))
    asked = evaluate.trained_run(EvaluationOptions(run=str(tmp_path), batch_size=3)).experiment.run
    assert (asked.evaluation_batch_size, asked.batch_size) == (3, 3)
