"""The quickstart and the evaluations of its runs, small, from rendering to the table."""

import json
import sys

import pytest

from jobs import evaluate, quickstart
from jobs.exits import run

pytestmark = pytest.mark.slow

SIZES = {"rooms-train": 2, "rooms-val": 1, "frames-per-room": 8, "color-height": 60, "color-width": 80}


def printed(main, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["job", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        run(main)
    out = capsys.readouterr()
    assert stop.value.code == 0, out.err
    return out.out


def test_the_quickstart_ends_in_a_table_and_its_runs_can_be_evaluated(ray_cluster, tmp_path, monkeypatch, capsys):
    sizes = [f"--rooms.{name}={value}" for name, value in SIZES.items()]
    arguments = ["--storage", tmp_path, "--pretraining-steps", 2, "--fine-tuning-steps", 2, *sizes]
    text = printed(quickstart.main, monkeypatch, capsys, *arguments)
    assert "difference" in text
    assert "mlflow ui" in text
    report = json.loads(next(tmp_path.glob("quickstart-*.json")).read_text())
    assert {(record["budget"], record["arm"]) for record in report["records"]} == {
        (budget, arm) for budget in (0.2, 1.0) for arm in ("with", "without")
    }
    again = printed(quickstart.main, monkeypatch, capsys, *arguments)
    assert again.count("already finished") == 5
    pretrained = next(tmp_path.glob("pri3d-*"))
    segmentation = next(tmp_path.glob("semantic_segmentation_2d-*"))
    assert "ratio" in printed(evaluate.main, monkeypatch, capsys, "correspondence", pretrained)
    assert "miou_pri3d" in printed(evaluate.main, monkeypatch, capsys, "segmentation", segmentation)
    assert "probe mIoU" in printed(evaluate.main, monkeypatch, capsys, "probe", pretrained)
