"""The command of a sweep: its settings are typed and checked, mistakes are one line, a dry run says what it would do."""

import sys

import pytest

from jobs import tune
from sem3d.errors import UserError
from sem3d.sweeps.space import read_space, space_names, space_of
from tests.jobs.outcome import outcome as outcome_of
from tests.sweeps.sweep_toys import toy_module

ROOMS = {"rooms-train": 2, "rooms-val": 1, "frames-per-room": 8, "color-height": 60, "color-width": 80}
ROOMS |= {"depth-height": 60, "depth-width": 80, "point-spacing": 0.05}


def outcome(monkeypatch, capsys, *arguments):
    """What jobs.tune answers."""
    return outcome_of(tune.main, monkeypatch, capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cooking"], f"unknown space 'cooking': choose one of {', '.join(space_names())}"),
        (["pri3d", "--arms", "magic"], "unknown arm 'magic'"),
        (["pri3d", "--preset", "biggest"], "unknown preset 'biggest'"),
        (["pri3d", "--set", "optim.rate=3"], "unknown setting 'optim.rate'"),
        (["pri3d", "--set", "schedule.step=3"], "; did you mean schedule.steps"),
        (["ppk"], "; did you mean ppkt"),
        (["pri3d", "--set", "optim.lr=fast"], "--set optim.lr=fast: Error parsing --optim.lr: 'fast' is no number"),
        (["pri3d", "--set", "schedule.steps=abc"], "(see python -m jobs.train semantic_segmentation_2d --help)"),
        (["pri3d", "--budgets", 20, 100], "20 must be above 0 and at most 1 (20 % is 0.2)"),
        (["pri3d", "--seeds", -1], "at least one arm, budget and seed"),
        (["pri3d", "--name", 250 * "n"], "the sweep's name is 250 characters long, a folder's name can have 242"),
        (["pri3d", "--set", "optim.lr"], "--set takes leaf=value"),
        (["pri3d", "--set", "optim.lr=1", "--seeds", "1", "--set", "data.height=0"], "data.height is 0, it must be"),
        (["pri3d", "--set", "optim.rate=3", "--set", "optim.lr=1"], "unknown setting 'optim.rate'"),
        (["pri3d", "--set", "pretrain.data.budget=1"], "unknown setting 'data.budget'"),
        (["pri3d", "--arms", "scratch", "--set", "pretrain.optim.lr=1"], "no arm of space pri3d has a pretraining"),
        (["pri3d", "--set", "run.seed=7"], "run.seed is what the sweep varies"),
        (["pri3d", "--data.root", "/no/such/folder"], "/no/such/folder"),
        (["pri3d", "--storage", "s3://bucket"], "s3://bucket"),
        (["pri3d", "--name", "a/b"], "plain folder name"),
        (["pri3d", "--frozen", "--search", 2], "--frozen trains no trial, so there is nothing to search"),
        (["ssr", "--frozen"], "ssr has no scores of frozen weights: leave --frozen out"),
    ],
)
def test_a_wrong_command_is_one_line_that_names_it(arguments, words, monkeypatch, capsys, tmp_path):
    storage = [] if "--storage" in arguments else ["--storage", tmp_path]
    code, _, error = outcome(monkeypatch, capsys, *arguments, *storage)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


def test_settings_have_the_types_of_their_leaves():
    space = read_space("pri3d")
    trials, pretrainings = tune.settings_of(
        space,
        (
            "optim.lr=1e-3",
            "data.augment_color=True",
            "schedule.steps=7",
            "init=imagenet",
            "pretrain.method.sparse_unet.planes=4 4 4 4 4 4 4 4",
        ),
    )
    assert trials == {"optim.lr": 1e-3, "data.augment_color": True, "schedule.steps": 7, "init": "imagenet"}
    assert pretrainings == {"method.sparse_unet.planes": (4,) * 8}
    with pytest.raises(UserError, match="schedule"):
        tune.settings_of(space, ("schedule.steps=many",))


def test_a_setting_of_pretrainings_needs_one_that_has_its_leaf():
    first, second = ({"method": method} for method in ("semantic_segmentation_2d", "pri3d"))
    space = space_of(toy_module(ARMS={"chain": {"pretrain": [first, second]}}))
    assert tune.settings_of(space, ("pretrain.data.matches=7", "pretrain.schedule.steps=3"))[1] == {
        "data.matches": 7,
        "schedule.steps": 3,
    }
    with pytest.raises(UserError, match=r"^unknown setting 'data.matchs'"):
        tune.settings_of(space, ("pretrain.data.matchs=7",))


def test_the_leaves_of_all_trainings_are_known_before_a_world_is_made():
    space = read_space("pri3d")
    leaves = tune.trained_leaves(space, {"optim.lr": 0.5}, {"data.voxel_size": 0.02})
    assert [found.get("data.voxel_size") for found in leaves] == [None] * 4 + [0.02] * 2
    assert [found["optim.lr"] for found in leaves] == [0.5] * 4 + [2e-3] * 2


def test_a_dry_run_says_what_would_be_run(ray_cluster, tmp_path, monkeypatch, capsys):
    rooms = [f"--rooms.{name}={value}" for name, value in ROOMS.items()]
    arguments = ["pri3d", "--dry-run", "--probe-steps", 0, "--storage", tmp_path, "--arms", "scratch", "pri3d"]
    arguments += ["--budgets", 0.5, 1, "--seeds", 2, *rooms]
    code, out, error = outcome(monkeypatch, capsys, *arguments)
    assert code == 0, error
    rows = [line.split()[:5] for line in out.splitlines() if line.startswith(("pretraining", "trial"))]
    assert rows == [
        ["pretraining", "pri3d", "–", "–", "2"],
        ["trial", "scratch", "0.5", "8", "2"],
        ["trial", "pri3d", "0.5", "8", "2"],
        ["trial", "scratch", "1", "16", "2"],
        ["trial", "pri3d", "1", "16", "2"],
    ]
    assert "at a time on 4 CPUs" in out
    assert not list((tmp_path / "sweeps").glob("pri3d-*"))


def test_a_server_is_named_by_its_address_and_a_store_by_the_command_that_shows_it(monkeypatch, tmp_path):
    """The command is one for a shell in which the environment is not active."""
    assert tune.where_to_look("http://mlflow:5000") == "http://mlflow:5000"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "mlflow").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.chdir(tmp_path)
    assert tune.where_to_look("sqlite:///a.db") == ".venv/bin/mlflow ui --backend-store-uri sqlite:///a.db"
    monkeypatch.chdir("/")
    assert (
        tune.where_to_look("sqlite:///a.db")
        == f"{tmp_path.relative_to('/')}/.venv/bin/mlflow ui --backend-store-uri sqlite:///a.db"
    )


def test_help_names_the_spaces(monkeypatch, capsys):
    code, out, _ = outcome(monkeypatch, capsys, "--help")
    assert code == 0
    assert f"spaces: {', '.join(space_names())}" in " ".join(out.split())
    assert "--rooms.rooms-train" in out
    assert "--max-concurrent" in out
