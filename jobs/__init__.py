"""Verbs: each module is one command, ``python -m jobs.<verb>``."""

import sys

if sys.argv[:1] == ["-m"]:  # Python looks for a module of this package to run: a signal may come while that is imported
    from jobs.ending import watch

    watch()
    from jobs.explanation import leave_out_libraries

    leave_out_libraries()
