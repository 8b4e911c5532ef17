"""The conversation with the virus scanner, over real sockets; with the real clamd where it is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.documents import clamd
from tests.documents.clamd_server import EICAR, closed_port, scanner


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    clamd.configure(None)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_clean_and_infected_content(kind: str) -> None:
    with scanner(kind) as running:
        clamd.configure(running.url)
        assert clamd.scan([b"harmless", b"", b" words"]) is None
        assert clamd.scan([EICAR[:20], EICAR[20:]]) == "Eicar-Test-Signature"
        assert running.seen == [b"harmless words", EICAR]


def test_content_longer_than_the_scanner_takes_is_no_answer() -> None:
    with scanner() as running:
        running.behave(limit=100_000)
        clamd.configure(running.url)
        with pytest.raises(clamd.ScanFailed, match="size limit exceeded"):
            clamd.scan(b"x" * 65_536 for _ in range(100))


def test_a_scanner_that_is_away_or_hangs_up_is_no_answer() -> None:
    with scanner() as running:
        running.behave("hang up")
        clamd.configure(running.url)
        with pytest.raises(clamd.ScanFailed):
            clamd.scan([b"x"])
    for url in (f"tcp://127.0.0.1:{closed_port()}", "unix:///nowhere/clamd.socket"):
        clamd.configure(url)
        with pytest.raises(clamd.ScanFailed, match="not reached"):
            clamd.scan([b"x"])


@pytest.mark.parametrize("url", ["http://localhost:3310", "tcp://", "unix:", "localhost:3310"])
def test_an_address_of_another_kind_does_not_start(url: str) -> None:
    with pytest.raises(ValueError, match="CLAMD_URL"):
        clamd.configure(url)


def test_no_scanner() -> None:
    clamd.configure(None)
    assert not clamd.configured()
    clamd.configure("")
    assert not clamd.configured()


def _listens(place: Path) -> bool:
    """Whether somebody answers: the file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(place)) == 0


def test_the_real_clamd(tmp_path: Path) -> None:
    """Debian's clamd with one signature of ours instead of the database of a gigabyte."""
    program = shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")
    if program is None:
        pytest.skip("clamd is not installed")
    (tmp_path / "eicar.ndb").write_text(f"Eicar-Of-Ours:0:*:{EICAR.hex()}\n")
    place = tmp_path / "clamd.socket"
    settings = tmp_path / "clamd.conf"
    settings.write_text(f"LocalSocket {place}\nDatabaseDirectory {tmp_path}\nForeground yes\nUser root\n")
    with subprocess.Popen(
        [program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            until = time.monotonic() + 30
            while not _listens(place) and daemon.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            clamd.configure(place.as_uri().replace("file:", "unix:"))
            assert clamd.scan([b"harmless"]) is None
            assert clamd.scan([b"before ", EICAR]) == "Eicar-Of-Ours.UNOFFICIAL"
        finally:
            daemon.terminate()
