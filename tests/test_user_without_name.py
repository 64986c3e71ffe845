"""A container's user of whom the system has no name: torch asks for one when it is imported."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import pwd
def unknown(number): raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = unknown
import sem3d, getpass
print(getpass.getuser())
"""


def name_of_user(**variables: str) -> str:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("LOGNAME", "USER", "LNAME", "USERNAME")
    }
    command = [sys.executable, "-c", PROGRAM]
    root = Path(__file__).parents[1]
    return subprocess.check_output(command, cwd=root, env=environment | variables, text=True).strip()


def test_a_user_without_a_name_gets_one_and_others_keep_theirs():
    assert name_of_user() == f"user{os.getuid()}"
    assert name_of_user(LOGNAME="somebody") == "somebody"
