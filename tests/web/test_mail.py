"""The letters of the demo mode."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

LETTER = (
    "X-Envelope-To: guest@demo.example\r\n"
    "Subject: =?utf-8?b?0J/RgNC40LPQu9Cw0YjQtdC90LjQtQ==?=\r\n"
    "To: guest@demo.example\r\n"
    "Date: Mon, 03 Sep 2018 10:00:00 +0300\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    "<script>alert(1)</script> Open: http://localhost:8000/x?a=1&b=2\r\nBye\r\n"
)


@pytest.fixture
def folder(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = dataclasses.replace(app.extensions["portal"], demo=True, mail_folder=str(tmp_path))
    monkeypatch.setitem(app.extensions, "portal", config)
    (tmp_path / "00000000000000000001-aa.eml").write_text(LETTER, encoding="utf-8", newline="")
    return tmp_path


def test_letters_can_be_read(client: FlaskClient, folder: Path) -> None:
    listed = client.get("/demo/mail/")
    assert "Приглашение" in listed.text
    assert "03.09.2018" in listed.text
    shown = client.get("/demo/mail/00000000000000000001-aa")
    assert '<a class="govuk-link" href="http://localhost:8000/x?a=1&amp;b=2">' in shown.text
    assert "&lt;script&gt;" in shown.text
    assert "Приглашение" in client.get("/demo/mail/?to=GUEST@").text
    assert "Приглашение" not in client.get("/demo/mail/?to=other@").text


@pytest.mark.parametrize("name", ["2-bb", "..%2Fsecret", "00000000000000000001-aa.eml", "x"])
def test_other_files_do_not_exist(client: FlaskClient, folder: Path, name: str) -> None:
    (folder / "secret.eml").write_text("no", encoding="utf-8")
    assert client.get(f"/demo/mail/{name}").status_code == 404


def test_outside_the_demo_there_is_nothing(
    app: Flask, client: FlaskClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(app.extensions["portal"], demo=False)
    monkeypatch.setitem(app.extensions, "portal", config)
    assert client.get("/demo/mail/").status_code == 404
    assert client.get("/demo/mail/00000000000000000001-aa").status_code == 404
    assert 'jp-card__title">Demo sign-ins' not in client.get("/account/login?lang=en").text
