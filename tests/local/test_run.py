"""``make run``: comes up on nothing, repairs itself, stops cleanly, and says plainly why it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.local.redis import free_port

ROOT = Path(__file__).parents[2]


def environment(folder: Path, port: int) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {**given, "PORT": str(port), "PORTAL_DATA": str(folder), "PORTAL_DEMO": "0"}


def command(folder: Path, port: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "portal.local", *words],
        cwd=ROOT,
        env=environment(folder, port),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def children(parent: int) -> dict[str, int]:
    """The portal's own processes under ``parent``: name -> process id."""
    found = {}
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        for name, word in {"web": "gunicorn", "worker": "worker", "scheduler": "scheduler"}.items():
            if word in words:
                found[name] = int(pid)
    return found


def group(leader: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, own = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(own) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def until(ready: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if ready():
            return True
        time.sleep(0.1)
    return False


def status(port: int) -> int:
    """The HTTP status of /healthz; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextmanager
def portal(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with open(folder.with_suffix(".out"), "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.local", "run"],
            cwd=ROOT,
            env=environment(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_it_comes_up_on_nothing_repairs_itself_and_stops_cleanly(tmp_path: Path) -> None:
    folder, port = tmp_path / "data", free_port()
    with portal(folder, port) as process:
        assert until(lambda: status(port) == 200, 60), folder.with_suffix(".out").read_text()
        assert until(lambda: set(children(process.pid)) == {"web", "worker", "scheduler"}, 10)
        worker = children(process.pid)["worker"]
        assert until(lambda: len(group(worker)) > 1, 15)
        os.kill(worker, signal.SIGKILL)
        assert until(lambda: children(process.pid).get("worker", worker) != worker, 15)
        assert until(lambda: group(worker) == [], 5)
        running = list(children(process.pid).values())
        refused = command(folder, port, "reset")
        assert refused.returncode == 1
        assert f"in use by process {process.pid}" in refused.stderr
    assert process.returncode == 0
    assert [member for pid in running for member in group(pid)] == []
    assert status(port) == 0
    assert command(folder, port, "reset").returncode == 0
    assert not folder.exists()


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = command(tmp_path / "data", port, "run")
    assert answer.returncode == 1
    assert f"port {port} cannot be used" in answer.stdout
    assert not (tmp_path / "data").exists()


def test_an_unknown_word_shows_what_there_is(tmp_path: Path) -> None:
    answer = command(tmp_path, 8000, "fly")
    assert answer.returncode == 2
    assert "run | reset" in answer.stderr
