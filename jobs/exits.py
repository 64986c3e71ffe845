"""End of every job: 0; 2 with one line on stderr for what the user can fix; 130 where it was asked to stop and did."""

import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from sem3d.errors import UserError
from sem3d.runs.progress import records_said
from sem3d.training.ray.interruption import Stopped


def run(main: Callable[[], None]) -> NoReturn:
    """Run ``main`` and exit; a :class:`UserError` becomes ``error: ...`` and code 2, as wrong arguments already do.

    What sem3d logs, such as how the preparation of data goes, is printed.
    """
    try:
        with records_said(partial(print, flush=True)):
            main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
