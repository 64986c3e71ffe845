"""Batches on their way to a device; a GPU's streams are played, for the order of what is asked of them."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from sem3d.runs import device as device_module
from sem3d.runs.device import sent

COLUMNS = {
    "image": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "place": np.array(7),
    "share": np.zeros((0, 2), np.float32),
}


def test_a_cpu_gets_copies():
    received = sent(COLUMNS, torch.device("cpu"))()
    assert {name: value.tolist() for name, value in received.items()} == {
        name: value.tolist() for name, value in COLUMNS.items()
    }
    received["image"][:] = 9
    assert COLUMNS["image"].max() == 5


def test_a_gpu_gets_batches_from_pinned_memory_on_a_stream_of_their_own(monkeypatch: pytest.MonkeyPatch):
    done: list[str] = []

    class Stream:
        def __init__(self, name):
            self.name = name

        def record_event(self):
            done.append(f"event on {self.name}")
            return f"of {self.name}"

        def wait_event(self, event):
            done.append(f"{self.name} waits for the event {event}")

    current = [Stream("main")]

    @contextmanager
    def on(stream):
        current.append(stream)
        yield
        current.pop()

    def moved(value, place, non_blocking):
        assert non_blocking
        done.append(f"copy on {current[-1].name}")
        return value.clone()

    plain = torch.empty

    def pinned(shape, dtype, pin_memory):
        assert pin_memory
        return plain(shape, dtype=dtype)

    monkeypatch.setattr(device_module, "_copy_stream", lambda _: Stream("side"))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: current[-1])
    monkeypatch.setattr(torch, "empty", pinned)
    monkeypatch.setattr(Tensor, "to", moved)
    monkeypatch.setattr(Tensor, "record_stream", lambda _, stream: done.append(f"memory used on {stream.name}"))
    received = sent(COLUMNS, torch.device("cuda"))
    assert done == ["copy on side"] * 3 + ["event on side"]
    del done[:]
    columns = received()
    assert done == ["main waits for the event of side"] + ["memory used on main"] * 3
    monkeypatch.undo()
    for name, value in COLUMNS.items():
        assert columns[name].dtype == torch.from_numpy(np.atleast_1d(value)).dtype
        np.testing.assert_array_equal(columns[name].numpy(), value)
