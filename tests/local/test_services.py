"""The embedded services: they keep their data, end with us, and start again after a crash."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.local import ServiceError, Services, received, services
from portal.local.process import Child

ROOT = Path(__file__).parents[2]


def query(running: Services, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(running.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def test_postgres_is_durable_and_not_on_the_network_and_data_survive_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20)  # too long for a socket, which gets a short one
    with services(folder, {}) as running:
        assert str(folder) not in running.database_url
        settings: dict[str, str] = dict(query(running, "select name, setting from pg_settings"))
        assert settings["fsync"] == "on"
        assert settings["synchronous_commit"] == "on"
        assert settings["listen_addresses"] == ""
        assert settings["max_connections"] == "200"
        query(running, "create table note as select 'Ёлка' as text")
        with Redis.from_url(running.redis_url, decode_responses=True) as client:
            client.set("kept", "yes")
    with services(folder, {}) as running:
        assert query(running, "select text, lower(text) from note") == [("Ёлка", "ёлка")]
        with Redis.from_url(running.redis_url, decode_responses=True) as client:
            assert client.get("kept") == "yes"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_redis_asks_for_its_password(tmp_path: Path) -> None:
    with services(tmp_path / "data", {"DATABASE_URL": "postgresql://given"}) as running:
        port = int(running.redis_url.rpartition(":")[2].partition("/")[0])
        with (
            Redis(port=port, retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises(Exception, match="already authenticated"),
        ):
            client.ping()


def test_given_services_are_used_as_they_are(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://d/x", "REDIS_URL": "redis://r", "MAIL_URL": "smtp://m"}
    with services(tmp_path, given) as running:
        assert running == Services("postgresql://d/x", "redis://r", "smtp://m", None)
        assert running.environment() == given
    assert not (tmp_path / "postgres").exists()


def test_a_torn_redis_file_is_thrown_away(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://given"}
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    (tmp_path / "redis" / "appendonly.aof").write_bytes(b"REDIS9999 of a later time")
    (tmp_path / "redis" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with services(tmp_path, given) as running, Redis.from_url(running.redis_url) as client:
        assert client.dbsize() == 0


def test_the_folder_serves_one_portal_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.local.machine.LOCK_SECONDS", 0.3)
    given = {"DATABASE_URL": "postgresql://given", "REDIS_URL": "redis://given"}
    with (
        services(tmp_path, given),
        pytest.raises(ServiceError, match=f"in use by process {os.getpid()}"),
        services(tmp_path, given),
    ):
        pass


HOLD = dedent(
    """
    import sys, time
    from pathlib import Path
    from portal.local import services
    with services(Path(sys.argv[1]), {}) as running:
        import psycopg
        with psycopg.connect(running.database_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("create table if not exists mark as select 1 as n")
            print("ready", flush=True)
            time.sleep(60)
    """
)


def hold(folder: Path) -> subprocess.Popen[str]:
    """A process of its own that runs the services."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that have something open or named in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = process.joinpath("cmdline").read_bytes().split(b"\0")
            directory = os.readlink(process / "cwd")
        except OSError:
            continue
        if directory.startswith(str(folder)) or os.fsencode(folder / "postgres") in words:
            found.append(b" ".join(words).decode())
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_a_killed_parent_leaves_no_orphan_and_its_data_start_again(tmp_path: Path) -> None:
    process = hold(tmp_path)
    assert len(processes_of(tmp_path)) >= 2
    process.kill()
    process.wait()
    # A start right after the kill waits for the dying.
    with services(tmp_path, {}) as running:
        assert query(running, "select n from mark") == [(1,)]
    process = hold(tmp_path)
    process.kill()
    process.wait()
    limit = time.monotonic() + 15
    while processes_of(tmp_path) and time.monotonic() < limit:
        time.sleep(0.05)
    assert processes_of(tmp_path) == []
    # Of a crash's file, whose number belongs to a living process by now: PostgreSQL alone would refuse to start.
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getppid()}\n{tmp_path}/postgres\n1\n5432\n\n\n")
    with services(tmp_path, {"REDIS_URL": "redis://given"}) as running:
        assert query(running, "select n from mark") == [(1,)]


def letter(to: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "portal@demo.example", to, subject
    message.set_content("Здравствуйте!\nhttp://localhost/confirm/1\n")
    message.add_alternative("<p>Здравствуйте!</p>", subtype="html")
    return message


def test_letters_are_received_newest_first(tmp_path: Path) -> None:
    with services(tmp_path, {"DATABASE_URL": "postgresql://d", "REDIS_URL": "redis://r"}) as running:
        host, port = running.mail_url.removeprefix("smtp://").split(":")
        with smtplib.SMTP(host, int(port)) as client:
            client.send_message(letter("first@demo.example", "Первое"))
            client.send_message(letter("second@demo.example", "Второе"))
        assert running.mail_folder == tmp_path / "mail"
    second, first = received(tmp_path / "mail")
    assert (first.to, first.subject) == ("first@demo.example", "Первое")
    assert (second.to, second.subject) == ("second@demo.example", "Второе")
    assert second.text == "Здравствуйте!\nhttp://localhost/confirm/1\n"
    assert second.html == "<p>Здравствуйте!</p>\n"
    assert second.path.name.endswith(".eml")
    assert second.sent_at > first.sent_at
    assert received(tmp_path / "mail", limit=1) == [second]
    assert received(tmp_path / "mail", to="first@demo.example") == [first]


def test_no_folder_no_letters(tmp_path: Path) -> None:
    assert received(tmp_path / "nothing") == []


def test_a_child_that_does_not_obey_is_killed() -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(9)"
    child = Child("stubborn", [sys.executable, "-c", stubborn])
    time.sleep(0.5)
    child.stop(seconds=0.2)
    assert child.ended() == -signal.SIGKILL


def test_a_service_that_ends_at_its_start_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child("broken", [sys.executable, "-c", "print('no room left'); raise SystemExit(3)"], log=log)
    with pytest.raises(ServiceError, match=r"(?s)broken ended with 3 at its start.*no room left"):
        child.wait_until(lambda: False, seconds=10)
