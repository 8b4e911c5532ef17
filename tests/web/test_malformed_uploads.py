"""Malformed uploads by both doors: each gets a clear refusal in the reader's language, and leaves nothing behind.

150 cases by default; ``FULL=1`` tries 10,000 (the figure of the issue), best with ``-n``.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.documents.uploads import MIN_PART
from portal.identity.models import User
from tests.conftest import form
from tests.factories import applications
from tests.web.malformed import Case, case, digest
from tests.web.test_application_uploads import Sender

CASES: Final = 10_000 if os.environ.get("FULL") else 60
SHARES: Final = max(4, CASES // 100)  # each is one transaction, and a long one gets slower with every savepoint
LEFT: Final = text(
    "select (select count(*) from stored_file), (select count(*) from attachment), (select count(*) from upload),"
    " (select count(*) from upload_part), (select count(*) from task where kind = 'scan_file')"
)


class Door:
    """A person at the page of documents, who tries everything; what is left behind is counted after each try."""

    def __init__(self, app: Flask, session: Session, client: FlaskClient, joint: applications.Joint) -> None:
        self.session, self.client = session, client
        self.here = f"/applications/{joint.id}/documents"
        self.sender = Sender(client, joint.id)
        self.folder = Path(urlsplit(app.extensions["portal"].files_url).path)
        self.before = self.objects()
        self.statuses: Counter[int] = Counter()

    def objects(self) -> int:
        return sum(1 for path in self.folder.rglob("*") if path.is_file())

    def check(self, number: int, given: Case, answer: TestResponse) -> None:
        where = f"case {number} ({given.kind}, {given.name[:40]!r}, {given.lie}): {answer.status_code}"
        self.statuses[answer.status_code] += 1
        assert 400 <= answer.status_code < 500, where
        if answer.is_json or answer.mimetype.endswith("+json"):
            said = " ".join(problem["message"] for problem in answer.json["problems"])  # type: ignore[index]
        else:
            said = answer.text.partition("<main")[2]
            assert "govuk-error" in said or answer.status_code in (404, 413), where
        assert any("а" <= letter <= "я" for letter in said.lower()), where
        assert "Traceback" not in said, where
        assert "\u202e" not in said, where
        self.session.rollback()
        assert tuple(self.session.execute(LEFT).one()) == (0, 0, 0, 0, 0), where
        assert self.objects() == self.before, where

    def plain(self, given: Case) -> TestResponse:
        """The form without JavaScript."""
        data = given.data
        if given.kind == "huge":
            data = b"%PDF-1.7\n" + b"\x00" * (20 * 1024 * 1024)
        if given.kind == "lying":
            data = given.data[: len(given.data) // 2]
        fields = form(code=given.code, issued_on=given.issued_on, file=(io.BytesIO(data), given.name))
        if not given.name.strip():
            fields["file"] = (io.BytesIO(data), "x")
        return self.client.post(self.here, data=fields)

    def in_parts(self, given: Case) -> TestResponse:
        """The script's way, or that of somebody who imitates it; the first refusal ends it."""
        data, lie = given.data, given.lie
        fields: dict[str, object] = {"code": given.code, "name": given.name, "issued_on": given.issued_on}
        if given.kind == "huge":
            fields["size"] = lie
        elif lie in ("size text", "hash text"):
            fields |= {"size": "1e9"} if lie == "size text" else {"sha256": "z" * 64}
        elif lie == "hash":
            fields["sha256"] = digest(b"another")
        begun = self.sender.begin(data, **fields)
        if begun.status_code != 201:
            return begun
        upload = str(begun.json["id"])  # type: ignore[index]
        answer = self._lie(upload, data, lie) if lie not in ("", "hash") else None
        if answer is None:
            answer = self._send(upload, data)
        if answer.status_code >= 400:
            self.client.post(f"{self.sender.base}/{upload}/discard", data=form())
        return answer

    def _lie(self, upload: str, data: bytes, lie: str) -> TestResponse | None:
        first = data[:MIN_PART]
        if lie == "offset":
            return self.sender.part(upload, first, MIN_PART)
        if lie == "longer":
            return self.sender.part(upload, data + b"more", 0)
        if lie == "tiny part":
            return self.sender.part(upload, b"x", 0)
        if lie == "part hash":
            return self.sender.part(upload, first, 0, Upload_Checksum="sha256 " + "A" * 43 + "=")
        self.sender.part(upload, first, 0)
        if lie == "replay":
            return self.sender.part(upload, first, 0)
        return self.sender.finish(upload)  # shorter: it says "finished" too early

    def _send(self, upload: str, data: bytes) -> TestResponse:
        for start in range(0, len(data), 4 * 1024 * 1024):
            answer = self.sender.part(upload, data[start : start + 4 * 1024 * 1024], start)
            if answer.status_code >= 400:
                return answer
        return self.sender.finish(upload)


@pytest.mark.parametrize("share", range(SHARES))
def test_malformed_uploads_are_refused_and_leave_nothing(
    app: Flask, session: Session, sign_in: Callable[[User], FlaskClient], share: int
) -> None:
    joint = applications.draft(session)
    session.commit()
    client = sign_in(joint.owners[0])
    client.get("/?lang=ru")
    door = Door(app, session, client, joint)
    for number in range(share, CASES, SHARES):
        given = case(number)
        # A body of twenty megabytes is tried by the plain form once in a while only.
        in_parts = (number // SHARES) % 2 or (given.kind == "huge" and number % 10)
        door.check(number, given, door.in_parts(given) if in_parts else door.plain(given))
    assert sum(door.statuses.values()) == len(range(share, CASES, SHARES))
    assert set(door.statuses) <= {404, 409, 413, 422}


def test_a_body_beyond_every_limit_is_refused_before_it_is_read(
    session: Session, sign_in: Callable[[User], FlaskClient]
) -> None:
    joint = applications.draft(session)
    session.commit()
    client = sign_in(joint.owners[0])
    answer = client.post(
        f"/applications/{joint.id}/documents",
        data=form(code="DOC-02", file=(io.BytesIO(b"\x00" * (26 * 1024 * 1024)), "huge.pdf")),
    )
    assert answer.status_code == 413
