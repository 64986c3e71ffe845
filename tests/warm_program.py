"""A program that says what it has been given and then ends as a line of its standard input asks, for tests of its start."""

import atexit
import json
import os
import signal
import sys
import time

if __name__ == "__main__":
    facts = {
        "arguments": sys.argv[1:],
        "pid": os.getpid(),
        "session": os.getsid(0),
        "folder": os.getcwd(),
        "variable": os.environ.get("SEM3D_TESTS_VARIABLE"),
        "other variables": len(os.environ),
        "ray": "ray" in sys.modules,
        "signals": [
            signal.getsignal(number) is default
            for number, default in (
                (signal.SIGINT, signal.default_int_handler),
                (signal.SIGTERM, signal.SIG_DFL),
                (signal.SIGCHLD, signal.SIG_DFL),
            )
        ],
    }
    atexit.register(print, "what is done at the end")
    print(json.dumps(facts), flush=True)
    wish = sys.stdin.readline().strip()
    if wish == "sleep":
        print("asleep", flush=True)
        time.sleep(60)
    elif wish == "raise":
        raise ValueError("as asked")
    sys.exit(int(wish or 0))
