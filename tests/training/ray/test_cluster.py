"""A cluster that cannot be used is one line, said before Ray would try it for a minute or without end."""

import signal
import socket
import threading
import time

import pytest

from sem3d.doctor.finding import refuse
from sem3d.doctor.ray_cluster import SETTINGS
from sem3d.errors import UserError
from sem3d.training.ray import cluster


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:8265", "RAY_ADDRESS http://127.0.0.1:8265 serves 'ray job submit'.*unset RAY_ADDRESS"),
        ("ray://127.0.0.1:10001", "Ray Train does not run through Ray Client"),
        ("127.0.0.1:9", r"^no Ray at 127.0.0.1:9 \(RAY_ADDRESS\): Connection refused: start it, or unset RAY_ADDRESS"),
        ("no-such-host.invalid:6379", r"^no Ray at no-such-host.invalid:6379 \(RAY_ADDRESS\)"),
        ("[::1]:9", r"^no Ray at \[::1\]:9"),
        ("nonsense", "RAY_ADDRESS 'nonsense' is no host:port"),
        ("127.0.0.1:99999", "is no host:port"),
        (":6379", "is no host:port"),
    ],
)
def test_an_address_of_no_use_is_one_line_within_seconds(address, words):
    began = time.monotonic()
    with pytest.raises(UserError, match=words) as error:
        refuse(cluster._unusable(address))
    assert "\n" not in str(error.value)
    assert time.monotonic() - began < 20


def test_a_driver_needs_a_node_of_the_cluster_on_its_machine(monkeypatch):
    monkeypatch.setattr(cluster, "has_a_node_here", lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.sendall(bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))
                connection.recv(99)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(UserError, match=r"no node of the cluster at .* runs on this machine: run this on one"):
            refuse(cluster._unusable(f"127.0.0.1:{server.getsockname()[1]}"))
        answering.join()


def test_what_ray_raises_is_one_line_and_its_handler_of_sigterm_does_not_stay():
    def mine(*_: object) -> None:
        """Stands for the program's own."""

    def start() -> None:
        """Stands for Ray, which puts a handler in its place and fails."""
        with cluster._one_line("Ray does not start"), cluster._own_signals():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise RuntimeError("\nno port\nmore")

    before = signal.signal(signal.SIGTERM, mine)
    try:
        with pytest.raises(UserError, match=r"^Ray does not start \(no port\): python -m jobs.doctor looks"):
            start()
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
