from sem3d.sweeps.records import TrialRecord
from sem3d.sweeps.table import cost_of_a_trial


def trial(key: str, training: float, start: float, seconds: float) -> TrialRecord:
    stages = {"training": training, "evaluation": 2.0, "start": start}
    return TrialRecord(
        key=key, method="toy", arm="a", budget=1.0, seed=0, seconds=seconds, stage_seconds=stages, steps=4
    )


def test_the_cost_of_a_trial_is_told_by_its_parts_largest_first():
    lines = cost_of_a_trial([trial("one", 10.0, 1.0, 16.0), trial("two", 20.0, 3.0, 26.0)])
    assert lines == [
        "a trial: 15.0 s of training, 2.0 s of evaluation, 4.0 s beside them (start 2.0, outside 2.0)",
    ]


def test_without_a_finished_trial_there_is_nothing_to_tell():
    assert cost_of_a_trial([]) == []
