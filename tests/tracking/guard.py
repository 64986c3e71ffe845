"""A gate before an MLflow server that asks for a user and a password, as a company's proxy does."""

import base64
import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Guard:
    """The gate's port, and how many requests it let in and how many it refused."""

    port: int
    let_in: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def guarded(port: int, user: str, password: str) -> Iterator[Guard]:
    """Stands before the server at ``port`` of this machine."""
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Gate(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != wanted:
                guard.refused.append(self.path)
                self.answer(401, [("WWW-Authenticate", "Basic")], b"You are not authenticated.")
                return
            guard.let_in += 1
            headers = {name: value for name, value in self.headers.items() if name not in ("Authorization", "Host")}
            behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() == "content-type"]
            self.answer(answer.status, kept, answer.read())
            behind.close()

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", str(len(content)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 -- the library's names

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate) as gate:
        guard = Guard(gate.server_port)
        thread = threading.Thread(target=gate.serve_forever, daemon=True)
        thread.start()
        yield guard
        gate.shutdown()
        thread.join()
