"""Ray Data jobs of a task a row: their results in order, and their errors as they were raised."""

import pytest

from sem3d.datasets.stream import in_tasks
from sem3d.errors import UserError

pytestmark = pytest.mark.filterwarnings("default")


def test_rows_come_back_in_order_and_a_users_error_as_itself(ray_cluster: None):
    def made(row: dict) -> dict:
        if row["number"] == 3:
            raise UserError("no room in /x: 0 MB are free")
        return {"double": 2 * row["number"], "name": row["name"]}

    rows = [{"number": number, "name": ["a", number]} for number in (2, 0, 1)]
    assert in_tasks(made, rows) == [{"double": 2 * row["number"], "name": row["name"]} for row in rows]
    with pytest.raises(UserError, match=r"^no room in /x: 0 MB are free$"):
        in_tasks(made, [{"number": 3, "name": []}])
