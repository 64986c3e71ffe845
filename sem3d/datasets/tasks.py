"""Work in Ray tasks: what they make, in order, and in a line what they met or how they died."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ray.exceptions import RayError, RayTaskError

from sem3d.datasets.stream import quiet_ordered_context
from sem3d.errors import UserError

TRIES_AGAIN = 3
"""Times that a task that died is tried again, as Ray does elsewhere; Ray Data would try for ever."""


@dataclass(frozen=True)
class Told:
    """The map function of a job of a task a row: what ``call`` makes of a row, or the line of its :class:`UserError`."""

    call: Callable[[dict[str, Any]], Any]

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the result as JSON, and the error, empty where there is none."""
        try:
            return {"place": row["place"], "made": json.dumps(self.call(json.loads(row["row"]))), "error": ""}
        except UserError as error:
            return {"place": row["place"], "made": "", "error": str(error)}


def in_tasks(call: Callable[[dict[str, Any]], Any], rows: list[dict[str, Any]]) -> list[Any]:
    """Return what ``call``, which gives JSON values, makes of each row, in their order, by a Ray Data job of a task a row.

    A :class:`UserError` of a task comes out here as itself: Ray would put it into pages of its own. The death of one is one too.
    """
    import ray.data  # two seconds with pandas, which whoever starts no task need not wait for

    from sem3d.ray_internals.data import mapped

    quiet_ordered_context()
    encoded = [{"place": place, "row": json.dumps(row)} for place, row in enumerate(rows)]
    jobs = ray.data.from_items(encoded, override_num_blocks=max(len(rows), 1))
    with deaths_told():
        done = sorted(mapped(jobs, Told(call), TRIES_AGAIN).take_all(), key=lambda row: row["place"])
    for row in done:
        if row["error"]:
            raise UserError(row["error"])
    return [json.loads(row["made"]) for row in done]


@contextmanager
def deaths_told() -> Iterator[None]:
    """Turn the death of a task inside into a :class:`UserError`; what a task itself raised stays as it is.

    Ray Data's log would tell either in pages before.
    """
    log = logging.getLogger("ray.data")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except RayTaskError:
        raise
    except RayError as error:
        raise UserError(f"a task {death(error)}, and start it again") from error
    finally:
        log.setLevel(level)


def death(error: RayError) -> str:
    """Return words on the death of a task, which Ray has tried again some times."""
    return f"died of memory, of a library or with its node ({type(error).__name__}): let fewer run at a time"
