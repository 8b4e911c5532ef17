"""A server that speaks clamd's INSTREAM, for tests: real sockets, EICAR is found."""

from __future__ import annotations

import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# The test string of EICAR, in two halves, so that no scanner of a developer's machine takes this file away.
EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
LIMIT: Final = 25 * 1024 * 1024


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        mode = self.server.mode  # type: ignore[attr-defined]
        if self._until_nul() != b"zINSTREAM":
            self.wfile.write(b"UNKNOWN COMMAND\0")
            return
        if mode == "hang up":
            return
        content = b""
        while size := struct.unpack(">I", self.rfile.read(4))[0]:
            content += self.rfile.read(size)
            if len(content) > self.server.limit:  # type: ignore[attr-defined]
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.server.seen.append(content)  # type: ignore[attr-defined]
        found = b"Eicar-Test-Signature FOUND" if EICAR in content else b"OK"
        self.wfile.write(b"stream: " + found + b"\0")

    def _until_nul(self) -> bytes:
        word = b""
        while (byte := self.rfile.read(1)) not in (b"\0", b""):
            word += byte
        return word


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Scanner:
    """A running scanner: its address, and what it has been given."""

    def __init__(self, server: socketserver.BaseServer, url: str) -> None:
        self.url = url
        self._server = server

    @property
    def seen(self) -> list[bytes]:
        return self._server.seen  # type: ignore[attr-defined, no-any-return]

    def behave(self, mode: str = "", limit: int = LIMIT) -> None:
        self._server.mode, self._server.limit = mode, limit  # type: ignore[attr-defined]


@contextmanager
def scanner(kind: str = "tcp") -> Iterator[Scanner]:
    """A scanner on a free port or on a socket in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clamd.socket"
        server = _Unix(str(path), _Conversation) if kind == "unix" else _Tcp(("127.0.0.1", 0), _Conversation)
        url = (
            path.as_uri().replace("file:", "unix:") if kind == "unix" else f"tcp://127.0.0.1:{server.server_address[1]}"
        )
        server.seen = []  # type: ignore[attr-defined]
        made = Scanner(server, url)
        made.behave()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
