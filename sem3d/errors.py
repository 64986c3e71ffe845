"""The errors a user can cause, each one line: what was wrong, where, what to do."""


class UserError(Exception):
    """Something the user can fix; jobs print it on one line and exit with code 2."""


class BadSample(Exception):
    """One sample cannot be used; it is put in quarantine by name and the run goes on.

    ``source`` names the file or row, ``reason`` says what is wrong with it.
    """

    def __init__(self, source: str, reason: str):
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
