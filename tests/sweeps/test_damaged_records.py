"""Records of a sweep, damaged as a kill, a full disk or a dead file server leaves them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sem3d.errors import UserError
from sem3d.runs.run_folder import EVALUATION_NAME
from sem3d.sweeps.findings import read_evaluations
from sem3d.sweeps.records import (
    SWEEP_NAME,
    SweepRecord,
    TrialRecord,
    find_sweep,
    read_record,
    read_sweep,
    read_trials,
    write_record,
    write_sweep,
)
from sem3d.sweeps.report import CHAMPION_FILE, stored_champion
from sem3d.sweeps.spent import SPENT_FOLDER, clocked, spent_in_all, spent_on

DAMAGE = [b"", b'{"key": "b", "me', b"\0" * 30, b"null", b"[]", b'{"key": "b"}']


def trial(key: str) -> TrialRecord:
    return TrialRecord(key=key, method="toy", arm="scratch", budget=0.5, seed=0)


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_trial_is_one_that_has_not_ended(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture):
    for key in "abc":
        write_record(tmp_path, trial(key))
    (tmp_path / "trials/b.json").write_bytes(content)
    assert [record.key for record in read_trials(tmp_path)] == ["a", "c"]
    assert read_record(tmp_path, TrialRecord, "b") is None
    assert all(line.startswith(str(tmp_path / "trials/b.json")) for line in caplog.messages)
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_kill_left_of_a_record_is_no_row(tmp_path: Path, whole: bool):
    write_record(tmp_path, trial("a"))
    content = (tmp_path / "trials/a.json").read_text()
    for name in (".a.json", ".a.json.0a1b2c3d", "._a.json"):
        (tmp_path / "trials" / name).write_text(content if whole else content[:20])
    assert [record.key for record in read_trials(tmp_path)] == ["a"]


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_sweep_is_written_again_by_its_command_and_one_line_for_others(tmp_path: Path, content: bytes):
    (tmp_path / SWEEP_NAME).write_bytes(content)
    assert find_sweep(tmp_path) is None
    with pytest.raises(UserError, match="no sweep in"):
        read_sweep(tmp_path)
    sweep = SweepRecord(name="s", space="p", metric="miou", mode="max", arms=[], budgets=[], seeds=[])
    write_sweep(tmp_path, sweep)
    assert read_sweep(tmp_path) == sweep


@pytest.mark.parametrize("content", [*DAMAGE, b'{"seconds": "many"}', b'{"cpu_hours": 1' + 400 * b"0" + b"}"])
def test_damaged_time_counts_as_none_and_is_counted_on(tmp_path: Path, content: bytes):
    (tmp_path / SPENT_FOLDER).mkdir()
    (tmp_path / SPENT_FOLDER / "whole.json").write_bytes(content)
    (tmp_path / SPENT_FOLDER / ".whole.json").write_text('{"seconds": 9, "cpu_hours": 9}')
    assert spent_on(tmp_path, "whole") == 0
    with clocked(tmp_path, "whole", cpus=2.0):
        pass
    assert 0 < spent_in_all(tmp_path, "whole")["seconds"] < 9
    assert spent_in_all(tmp_path, "whole")["cpu_hours"] < 9


@pytest.mark.parametrize("said", [{"name": {"": None}}, {"name": 1, "version": "1"}, {}])
def test_a_page_says_nothing_of_a_champion_whose_record_is_damaged(tmp_path: Path, said: dict):
    assert stored_champion(tmp_path) == {}
    (tmp_path / CHAMPION_FILE).write_text(json.dumps(said))
    assert stored_champion(tmp_path) == {}
    (tmp_path / CHAMPION_FILE).write_text('{"name": "a", "version": "1"}')
    assert stored_champion(tmp_path) == {"name": "a", "version": "1"}


@pytest.mark.parametrize("count", ["-5", "1e999", "NaN", "1" + 400 * "0"])
def test_a_confusion_matrix_that_counts_nothing_is_none(tmp_path: Path, count: str):
    place = tmp_path / "trial-a"
    place.mkdir()
    matrix = f'{{"names": ["a", "b"], "matrix": [[1, {count}], [0, 1]]}}'
    (place / EVALUATION_NAME).write_text(f'{{"artifacts": {{"confusion": {matrix}}}}}')
    assert read_evaluations([replace(trial("a"), run_folder=str(place))], tmp_path)[1] == []


@pytest.mark.parametrize(
    ("colors", "kept"), [('["#00aa00", "#bb0000"]', 1), ('["red", "#bb0000"]', 0), ("7", 0), ('[1, "#bb0000"]', 0)]
)
def test_colours_of_classes_are_kept_where_they_are_colours(tmp_path: Path, colors: str, kept: int):
    (tmp_path / "trial-a").mkdir()
    matrix = f'{{"names": ["a", "b"], "matrix": [[1, 0], [0, 1]], "colors": {colors}}}'
    (tmp_path / "trial-a" / EVALUATION_NAME).write_text(f'{{"artifacts": {{"confusion": {matrix}}}}}')
    found = read_evaluations([replace(trial("a"), run_folder=str(tmp_path / "trial-a"))], tmp_path)[1]
    assert len(found) == kept
    assert [one.colors for one in found] == kept * [("#00aa00", "#bb0000")]
