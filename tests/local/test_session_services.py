"""The services of the test session itself (``tests.plugins.services``)."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import psycopg
from redis import Redis
from sqlalchemy.engine import make_url

from portal.local import received
from tests.plugins.services import TestServices


def test_the_database_is_migrated_and_our_own(database_url: str, worker_name: str) -> None:
    url = make_url(database_url)
    assert str(url.database).endswith(f"_{worker_name}")
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(False)) as connection:
        revisions = connection.execute("select count(*) from alembic_version").fetchone()
        tables = connection.execute(
            "select count(*) from information_schema.tables where table_name = 'tender'"
        ).fetchone()
    assert (revisions, tables) == ((1,), (1,))


def test_the_redis_database_is_our_own(redis_url: str) -> None:
    assert not redis_url.endswith("/0")
    with Redis.from_url(redis_url) as client:
        assert client.ping()


def test_mail_arrives(services: TestServices, mail_folder: Path, worker_name: str) -> None:
    to = f"{worker_name}-session@demo.example"
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "portal@demo.example", to, "Письмо"
    message.set_content("Текст\n")
    host, port = services.mail_url.removeprefix("smtp://").split(":")
    with smtplib.SMTP(host, int(port)) as client:
        client.send_message(message)
    assert [mail.text for mail in received(mail_folder) if mail.to == to] == ["Текст\n"]
