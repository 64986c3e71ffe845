from dataclasses import replace
from pathlib import Path

from sem3d.sweeps.plan import plan
from sem3d.sweeps.trial import record_of
from sem3d.training.ray.launch import TrainingResult
from tests.sweeps.sweep_toys import toy_request


def test_the_record_of_a_trial_names_the_checkpoint_that_was_evaluated_last():
    (trial, *_) = plan(toy_request(Path("/nowhere"), Path("/nowhere"))).trials
    last = Path("/run/checkpoints/step-00000004")
    result = TrainingResult(
        run_folder=Path("/run"),
        checkpoint_best=last.with_name("step-00000002"),
        checkpoint_last=last,
        metrics={"miou_scannet": 0.2},
        mlflow_run_id="",
        steps=4,
    )
    record = record_of(trial, result, "", 1.0)
    assert (record.checkpoint, record.metrics) == (str(last), {"miou_scannet": 0.2})
    assert record_of(trial, replace(result, checkpoint_best=last), "", 1.0) == record
