"""The rights of an ordinary user for a while, also where the tests run as root."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

VERSION = 0x20080522
OVERRIDES = (1 << 1) | (1 << 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, with which root reads what it may not."""


class Header(ctypes.Structure):
    """Which interface of capabilities, and which thread: 0 is this one."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Rights(ctypes.Structure):
    """Capabilities as bits, 32 of them."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def rights_of_a_user() -> Iterator[None]:
    """Take from this thread the right to read everything, and give it back."""
    system, header, rights = ctypes.CDLL(None, use_errno=True), Header(VERSION, 0), (Rights * 2)()
    if system.capget(ctypes.byref(header), rights):
        pytest.skip("no capabilities here")
    before = rights[0].effective
    rights[0].effective = before & ~OVERRIDES
    if system.capset(ctypes.byref(header), rights):
        pytest.skip("no right to give rights up here")
    try:
        yield
    finally:
        rights[0].effective = before
        assert not system.capset(ctypes.byref(header), rights)
