"""Work on scenes one by one: as Ray tasks where Ray is initialised, else one after the other here."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

SECONDS_BETWEEN_LINES = 3.0
"""Of progress: data may be of thousands of small scenes."""
Made = TypeVar("Made")


def each_in_order(
    work: Callable[..., Made],
    given: Iterable[tuple[Any, ...]],
    total: int,
    tell: Callable[[int, Made], None],
    dead: Callable[..., Made],
) -> Iterator[Made]:
    """Yield ``work(*arguments)`` for all ``total`` of ``given`` in order; few enough tasks at a time that neither arguments nor
    results pile up.

    ``tell`` takes the number of scenes that are done and the result of the last one, every few seconds and at the end. Where a
    task dies, such as for want of memory, ``dead(*arguments, reason=words)`` is its result: no scene may cost the others.
    """
    told = 0.0
    for number, made in enumerate(_results(work, given, dead), start=1):
        if number == total or time.monotonic() - told > SECONDS_BETWEEN_LINES:
            tell(number, made)
            told = time.monotonic()
        yield made


def _results(work: Callable[..., Made], given: Iterable[tuple[Any, ...]], dead: Callable[..., Made]) -> Iterator[Made]:
    import ray

    if not ray.is_initialized():
        yield from (work(*arguments) for arguments in given)
        return
    task = ray.remote(num_cpus=1)(work)
    most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    running: deque[tuple[Any, Callable[..., Made]]] = deque()
    for arguments in given:
        running.append((task.remote(*arguments), partial(dead, *arguments)))
        if len(running) >= most:
            yield made_by(ray.get, *running.popleft())
    while running:
        yield made_by(ray.get, *running.popleft())


def made_by(get: Callable[[Any], Made], task: Any, dead: Callable[..., Made]) -> Made:
    """Return what ``get`` fetches of a task, or ``dead(reason=words)`` where that died; raises what the task itself raised."""
    from ray.exceptions import RayError, RayTaskError

    from sem3d.datasets.tasks import death

    try:
        return get(task)
    except RayTaskError as error:
        raise error.cause or error from None
    except RayError as error:
        return dead(reason=f"its task {death(error)}, and start it again")
