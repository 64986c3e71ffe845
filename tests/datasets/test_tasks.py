"""Ray Data jobs of a task a row: their results in order, and their errors as they were raised."""

import os

import pytest
from ray.exceptions import RayTaskError, WorkerCrashedError

from sem3d.datasets import tasks
from sem3d.datasets.tasks import deaths_told, in_tasks
from sem3d.errors import UserError

pytestmark = pytest.mark.filterwarnings("default")


def test_rows_come_back_in_order_a_users_error_as_itself_and_a_death_as_one(
    ray_cluster: None, monkeypatch: pytest.MonkeyPatch
):
    def made(row: dict) -> dict:
        if row["number"] == 4:
            os._exit(1)
        if row["number"] == 3:
            raise UserError("no room in /x: 0 MB are free")
        return {"double": 2 * row["number"], "name": row["name"]}

    rows = [{"number": number, "name": ["a", number]} for number in (2, 0, 1)]
    assert in_tasks(made, rows) == [{"double": 2 * row["number"], "name": row["name"]} for row in rows]
    with pytest.raises(UserError, match=r"^no room in /x: 0 MB are free$"):
        in_tasks(made, [{"number": 3, "name": []}])
    monkeypatch.setattr(tasks, "TRIES_AGAIN", 0)
    with pytest.raises(UserError, match=r"^a task died of .*\(WorkerCrashedError\)"):
        in_tasks(made, [{"number": 4, "name": []}])


def test_the_death_of_a_task_is_one_line_and_an_error_of_its_own_stays_one():
    with (
        pytest.raises(UserError, match=r"^a task died of .*\(WorkerCrashedError\): let fewer run"),
        deaths_told(),
    ):
        raise WorkerCrashedError
    with pytest.raises(RayTaskError, match="pages"), deaths_told():
        raise RayTaskError("made", "pages", KeyError("bug"))
