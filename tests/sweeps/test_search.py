"""The search for one arm: what is tried again, and what a stop leaves alone."""

from pathlib import Path
from typing import Any

import pytest
from ray import tune

from sem3d.files import write_json
from sem3d.runs.requests import STOP
from sem3d.sweeps import search as arm_search
from sem3d.sweeps.records import TrialRecord, read_trials, write_record
from sem3d.sweeps.search import ArmSearch, forget_failed_search, found_settings, search_arm
from sem3d.sweeps.space import space_of
from tests.sweeps.sweep_toys import toy_module, toy_request

POINTS = ({"optim.lr": 0.01}, {"optim.lr": 0.001})
COMMON = {"method": "semantic_segmentation_2d", "budget": 1.0, "seed": 2}


def search_in(folder: Path, data: str = "/nowhere") -> ArmSearch:
    space = space_of(toy_module(SEARCH={"optim.lr": tune.loguniform(1e-4, 1e-2)}))
    request = toy_request(Path(data), folder, space=space, search=len(POINTS))
    return ArmSearch(request=request, arm="scratch", sweep="toy", folder=folder / "sweep")


@pytest.fixture
def asked(tmp_path: Path) -> ArmSearch:
    return search_in(tmp_path)


def tried(asked: ArmSearch, point: dict[str, Any], **outcome: Any) -> None:
    key = asked.name_of(point)
    write_json(asked.records / "points" / f"{key}.json", point)
    write_record(asked.records, TrialRecord(key=key, arm=asked.arm, **COMMON, **outcome))


FAILED = {"status": "failed", "error": "no memory"}


def test_points_that_all_failed_are_tried_again_first(asked: ArmSearch, monkeypatch):
    for point in POINTS:
        tried(asked, point, **FAILED)
    for arm in ("scratch", "pri3d"):
        write_record(asked.folder, TrialRecord(key=f"without-{arm}", arm=arm, **COMMON, **FAILED))
    forget_failed_search(asked)
    assert found_settings(asked) is None
    assert [record.arm for record in read_trials(asked.folder)] == ["pri3d"]
    given = {}
    monkeypatch.setattr(arm_search, "search", lambda *_, **options: given.update(options))
    search_arm(asked, 1, 0.0, "", [].append)
    assert given["trials"] == len(POINTS)
    assert sorted(point["optim.lr"] for point in given["unfinished"]) == [0.001, 0.01]


def test_points_are_tried_again_and_told_to_optuna_in_one_order_wherever_the_data_lie(tmp_path: Path, monkeypatch):
    given, names = {}, set()
    monkeypatch.setattr(arm_search, "search", lambda *_, **options: given.update(options))
    for number in range(8):
        begun, ended = (search_in(tmp_path / f"{number}-{kind}", f"/data-{number}") for kind in ("begun", "ended"))
        for point in POINTS:
            write_json(begun.records / "points" / f"{begun.name_of(point)}.json", point)
            tried(ended, point, settings=point, metrics={"miou_scannet": point["optim.lr"]})
        names.add(begun.name_of(POINTS[0]) < begun.name_of(POINTS[1]))
        search_arm(begun, 1, 0.0, "", [].append)
        assert given["unfinished"] == sorted(POINTS, key=lambda point: point["optim.lr"])
        search_arm(ended, 1, 0.0, "", [].append)
        assert given["known"] == [({"optim.lr": rate}, rate) for rate in (0.001, 0.01)]
    assert names == {True, False}


def test_a_failed_point_of_a_search_that_has_a_result_stays_failed(asked: ArmSearch):
    tried(asked, POINTS[0], **FAILED)
    forget_failed_search(asked)
    tried(asked, POINTS[1], metrics={"miou_scannet": 0.3})
    forget_failed_search(asked)
    assert sorted(record.status for record in read_trials(asked.records)) == ["failed", "finished"]
    assert found_settings(asked) == POINTS[1]


def test_a_point_that_comes_after_the_request_to_stop_leaves_nothing(asked: ArmSearch):
    asked.folder.mkdir()
    STOP.make(asked.folder)
    asked(asked.name_of(POINTS[0]), POINTS[0], [])
    assert not asked.records.exists()
