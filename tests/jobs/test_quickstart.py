"""The command of the quickstart and the evaluations of its pretraining, small, from rendering to the table."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from jobs import evaluate, tune
from sem3d.sweeps.records import read_effects, read_pretrainings, read_trials, write_record
from tests.jobs.outcome import outcome

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SCRIPT = Path(__file__).parents[2] / "jobs" / "quickstart.sh"
SIZES = {"rooms-train": 2, "rooms-val": 1, "frames-per-room": 8, "color-height": 60, "color-width": 80}
SMALLER = ["--seeds", "2", "--budgets", "1", "--set", "pretrain.schedule.steps=2", "pretrain.run.batch_size=4"]


def quickstart_arguments() -> list[str]:
    """What the script gives to jobs.tune."""
    command = SCRIPT.read_text().replace("\\\n", " ").split("\npython -m jobs.tune ")[1].splitlines()[0]
    return shlex.split(command.replace('"$@"', ""))


def printed(main, monkeypatch, capsys, *arguments):
    code, out, error = outcome(main, monkeypatch, capsys, *arguments)
    assert code == 0, error
    return out


def test_the_quickstart_ends_in_a_table_and_a_picture_and_its_pretraining_can_be_evaluated(
    ray_cluster, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    sizes = [f"--rooms.{name}={value}" for name, value in SIZES.items()]
    arguments = [*quickstart_arguments(), *SMALLER, "--storage", tmp_path, *sizes]
    text = printed(tune.main, monkeypatch, capsys, *arguments)
    for words in (
        "rendering 3 rooms, 24 frames: about 1 s on ",
        "probe mIoU scannet (%), mean and 95 % interval over 2 seeds",
        "imagenet+pri3d against imagenet, probe mIoU scannet in % (95 % interval, 2 seeds): ",
        "100 % of labels: floor ",
        "pretraining of imagenet+pri3d: match rate 5px ",
        "before and after pretraining\n",
        "mlflow ui",
    ):
        assert words in text, words
    sweep = next((tmp_path / "sweeps").iterdir())
    trials = read_trials(sweep)
    assert {(trial.seed, trial.arm) for trial in trials} == {
        (seed, arm) for seed in (0, 1) for arm in ("imagenet", "imagenet+pri3d")
    }
    assert all(trial.metrics["probe_converged"] and trial.data and not trial.run_folder for trial in trials)
    (picture, _) = (sweep / "effects" / effect.picture for effect in read_effects(sweep) if effect.picture)
    assert f"picture    {picture}" in text
    assert Image.open(picture).width > 1000
    assert (sweep / "report" / "report.html").is_file()
    again = printed(tune.main, monkeypatch, capsys, *arguments)
    assert "4 trials are done" in again
    assert "\nstart" not in again
    assert read_trials(sweep) == trials
    for trial in trials:
        write_record(sweep, replace(trial, data="of other rooms"))
    code, _, error = outcome(tune.main, monkeypatch, capsys, *arguments)
    assert code == 2
    assert "the data have changed since sweep" in error
    pretrained = read_pretrainings(sweep)[0].run_folder
    assert "ratio" in printed(evaluate.main, monkeypatch, capsys, "correspondence", pretrained)
    assert "probe mIoU" in printed(evaluate.main, monkeypatch, capsys, "probe", pretrained)
