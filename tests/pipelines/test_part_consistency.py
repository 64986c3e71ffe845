"""Agreement of part labels between views, and the sheet of the worst pictures."""

import json

import pytest
import torch

from sem3d.config import flatten
from sem3d.errors import UserError
from sem3d.methods import method_class
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.part_consistency import part_consistency
from sem3d.pipelines.trained_run import TrainedRun
from sem3d.runs.checkpoint_files import write_checkpoint
from tests.methods.tiny import build_tiny, tiny_experiment


def run_of(name, posed, folder, change=lambda method: None, **changes) -> TrainedRun:
    """A run whose weights ``change`` has set."""
    experiment = tiny_experiment(name, posed, folder, data__evaluation_views=4, **changes)
    method = build_tiny(name, experiment, method_class(name).sources(experiment))
    with torch.no_grad():
        change(method)
    settings = json.loads(json.dumps(flatten(experiment), default=str))
    state = {"step": 1, "method": name, "counters": {}, "experiment": settings, "metrics": {}}
    write_checkpoint(folder / "step-00000001", method.state_dict(), {}, state)
    return TrainedRun(folder / "step-00000001", name, experiment)


def one_class_and_solid_at_the_middle(method) -> None:
    """Rays end at depth 1.3, where the object is, everywhere, and all is of class 1."""
    method.scene.color[-1].bias[3] = 50.0
    method.scene.marcher.step_length.weight.zero_()
    method.scene.marcher.step_length.bias.fill_(1.25 / method.scene.marcher.steps)
    method.segmentation[-1].weight.zero_()
    method.segmentation[-1].bias.copy_(torch.tensor([0.0, 9.0, 0.0]))


def test_labels_that_are_the_same_everywhere_agree_and_miss_the_rest(posed, tmp_path):
    run = run_of("semantic_srn_parts", posed, tmp_path, one_class_and_solid_at_the_middle)
    outcome = part_consistency(run, EvaluationOptions(run="r"))
    (row,) = outcome.tables[0].rows
    assert row["labels that agree (%)"] == 100
    assert row["pixels compared"] > 0
    assert row["mIoU (%)"] == pytest.approx(
        100 * (18 / 144) / 3
    )  # 18 of 144 pixels are of class 1; three classes are there
    sheet = outcome.pictures["worst_parts"]
    assert sheet.shape[1] > 4 * 160
    assert sheet.std() > 5


def test_a_run_without_labels_is_refused(posed, tmp_path):
    run = run_of("semantic_srn", posed, tmp_path, method__segmentation_layers=0)
    with pytest.raises(UserError, match="has no labels to compare"):
        part_consistency(run, EvaluationOptions(run="runs/mine"))
