"""End of every job: 0; 2 with one line on stderr for what the user can fix; 130 with one where it was asked to stop and did."""

import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from jobs import ending
from jobs.explanation import begin_in_earnest
from jobs.output import lasting_output
from sem3d.addresses import without_secrets
from sem3d.errors import UserError
from sem3d.runs.progress import records_said
from sem3d.training.ray.interruption import Stopped


def run(main: Callable[[], None]) -> NoReturn:
    """Run ``main`` and exit; a :class:`UserError` becomes ``error: ...`` and code 2, as wrong arguments already do.

    What sem3d logs, such as how the preparation of data goes, is printed.
    """
    with lasting_output():
        ending.finish(_code_of(main))


def _code_of(main: Callable[[], None]) -> int:
    try:
        ending.begin()
        with records_said(partial(print, flush=True)):
            main()
    except UserError as error:
        print(f"error: {without_secrets(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {without_secrets(in_one_line(error))}", file=sys.stderr)
        return 2
    except (Stopped, KeyboardInterrupt) as stopped:
        print(str(stopped) or "stopped", file=sys.stderr)
        return ending.STOPPED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        begin_in_earnest()  # a stand-in for a library may be what failed
        traceback.print_exc()
        return 1
    return 0


def in_one_line(error: OSError) -> str:
    """Return what the system says of a file or a connection: which one, and why it cannot be used."""
    named = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    said = error.strerror or next((line for line in reversed(str(error).splitlines()) if line), type(error).__name__)
    return f"{named}: {said}" if named else said
