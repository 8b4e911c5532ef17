"""Uploads in parts through the pages: begin, continue, finish, and every way in which that may go wrong."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.applications.models import Attachment
from portal.core.clock import now
from portal.core.db import db
from portal.documents import uploads
from portal.documents.models import StoredFile, Upload, UploadPart
from portal.documents.service import MAX_SIZE
from portal.documents.uploads import MAX_OPEN, MAX_PART, MIN_PART
from portal.identity.models import Membership, OrgRole, User
from portal.web.application_uploads import PART_TYPE
from tests.conftest import form
from tests.factories import applications, identity

SignIn = Callable[[User], FlaskClient]
WORD = "application/problem+json"


def pdf(size: int = 3 * MIN_PART + 100) -> bytes:
    """A PDF of ``size`` bytes."""
    return applications.PDF.replace(b"\n%%EOF", b"\n%" + b"x" * (size - len(applications.PDF) - 2) + b"\n%%EOF")


@dataclass
class Sender:
    """What the script of the page does, step by step."""

    client: FlaskClient
    application_id: UUID
    participant: UUID | None = None
    code: str = "DOC-02"

    @property
    def base(self) -> str:
        return f"/applications/{self.application_id}/uploads"

    def begin(self, data: bytes, **fields: Any) -> TestResponse:
        given = {"code": self.code, "name": "plan.pdf", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if self.participant:
            given["participant"] = str(self.participant)
        return self.client.post(self.base, data=form(**{**given, **fields}))

    def part(self, upload: str, data: bytes, start: int | str, **headers: str) -> TestResponse:
        given = {"Upload-Offset": str(start), **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.patch(f"{self.base}/{upload}", data=data, headers=given, content_type=PART_TYPE)

    def parts(self, upload: str, data: bytes, size: int = MIN_PART) -> TestResponse:
        answer = None
        for start in range(0, len(data), size):
            answer = self.part(upload, data[start : start + size], start)
            assert answer.status_code == 200, answer.text
        assert answer is not None
        return answer

    def finish(self, upload: str, **fields: Any) -> TestResponse:
        return self.client.post(f"{self.base}/{upload}/finish", data=form(**fields))

    def begun(self, data: bytes, **fields: Any) -> str:
        answer = self.begin(data, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])  # type: ignore[index]

    def whole(self, data: bytes, **fields: Any) -> TestResponse:
        upload = self.begun(data, **fields)
        self.parts(upload, data)
        return self.finish(upload, **{name: fields[name] for name in fields if name == "issued_on"})


@pytest.fixture
def joint(session: Session) -> applications.Joint:
    made = applications.draft(session)
    session.commit()
    return made


@pytest.fixture
def sender(joint: applications.Joint, sign_in: SignIn) -> Sender:
    return Sender(sign_in(joint.owners[0]), joint.id)


@pytest.fixture
def objects(app: Flask) -> Callable[[], int]:
    """How many objects the store has."""
    place = Path(urlsplit(app.extensions["portal"].files_url).path)
    return lambda: sum(1 for path in place.rglob("*") if path.is_file())


def rows(session: Session, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def code(answer: TestResponse) -> str:
    assert answer.mimetype == WORD, answer.text
    problem = answer.json
    assert problem is not None
    assert problem["status"] == answer.status_code
    assert problem["problems"][0]["message"]
    return str(problem["problems"][0]["code"])


def test_a_file_in_parts_becomes_an_attachment(
    session: Session, sender: Sender, joint: applications.Joint, objects: Callable[[], int]
) -> None:
    before, data = objects(), pdf()
    upload = sender.begun(data)
    assert sender.part(upload, data[:MIN_PART], 0).json["received"] == MIN_PART  # type: ignore[index]
    head = sender.client.head(f"{sender.base}/{upload}")
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == (str(MIN_PART), str(len(data)))
    rest = data[MIN_PART:]
    checksum = f"sha256 {base64.b64encode(hashlib.sha256(rest).digest()).decode()}"
    assert sender.part(upload, rest, MIN_PART, Upload_Checksum=checksum).status_code == 200
    answer = sender.finish(upload)
    assert answer.json["sha256"] == hashlib.sha256(data).hexdigest()  # type: ignore[index]
    row = session.scalars(select(Attachment)).one()
    assert (row.code, row.application_id, row.version, row.series_id) == ("DOC-02", joint.id, 1, row.id)
    got = sender.client.get(f"/applications/{joint.id}/attachments/{row.id}")
    assert got.data == data
    assert rows(session, UploadPart) == 0
    assert objects() == before + 1


def test_a_begun_upload_is_continued_in_another_session(session: Session, sender: Sender, sign_in: SignIn,
                                                        joint: applications.Joint) -> None:  # fmt: skip
    """The page is closed, the person signs in anew, chooses the same file: it goes on where it stood."""
    data = pdf()
    upload = sender.begun(data)
    sender.part(upload, data[:MIN_PART], 0)
    later = Sender(sign_in(joint.owners[0]), joint.id)
    answer = later.begin(data, name="renamed.pdf")
    assert (answer.json["id"], answer.json["received"]) == (upload, MIN_PART)  # type: ignore[index]
    assert later.begin(pdf(4 * MIN_PART)).json["received"] == 0  # type: ignore[index]
    assert later.begin(data, code="DOC-07").json["received"] == 0  # type: ignore[index]


def test_without_a_digest_the_fingerprint_finds_the_upload(sender: Sender) -> None:
    data = pdf()
    upload = sender.begun(data, sha256="", fingerprint="plan.pdf|1|2")
    assert sender.begun(data, sha256="", fingerprint="plan.pdf|1|2") == upload
    assert sender.begun(data, sha256="", fingerprint="plan.pdf|1|3") != upload
    assert sender.begun(data, sha256="", fingerprint="") != upload


@pytest.mark.parametrize("place", ["replayed", "overlapping", "premature", "done"])
def test_a_part_that_is_not_the_next_changes_nothing(sender: Sender, session: Session, place: str) -> None:
    data = pdf()
    upload = sender.begun(data)
    sender.part(upload, data[:MIN_PART], 0)
    start = {"replayed": 0, "overlapping": MIN_PART // 2, "premature": 2 * MIN_PART, "done": 0}[place]
    if place == "done":
        sender.part(upload, data[MIN_PART:], MIN_PART)
        assert sender.finish(upload).status_code == 200
    answer = sender.part(upload, data[start : start + MIN_PART], start)
    assert (answer.status_code, code(answer)) == (409, "conflict")
    assert answer.headers["Upload-Offset"] == str(len(data) if place == "done" else MIN_PART)
    session.expire_all()
    assert session.get_one(Upload, UUID(upload)).received == (len(data) if place == "done" else MIN_PART)


@pytest.mark.parametrize(
    ("data", "start", "headers", "expected"),
    [
        (b"x" * 10, 0, {}, "part_size"),
        (b"", 0, {}, "part_size"),
        (b"x" * (MAX_PART + 1), 0, {}, "part_size"),
        (b"x" * (3 * MIN_PART + 101), 0, {}, "part_size"),
        (b"x" * MIN_PART, "-1", {}, "bad_size"),
        (b"x" * MIN_PART, "٣", {}, "bad_size"),
        (b"x" * MIN_PART, "9" * 40, {}, "bad_size"),
        (b"x" * MIN_PART, "", {}, "bad_size"),
        (b"x" * MIN_PART, 0, {"Upload_Checksum": "sha256 !"}, "bad_hash"),
        (b"x" * MIN_PART, 0, {"Upload_Checksum": "md5 AAAA"}, "bad_hash"),
        (b"x" * MIN_PART, 0, {"Upload_Checksum": f"sha256 {base64.b64encode(b'y' * 32).decode()}"}, "part_hash"),
    ],
)
def test_a_wrong_part_is_refused_and_the_upload_goes_on(
    sender: Sender, objects: Callable[[], int], data: bytes, start: Any, headers: dict[str, str], expected: str
) -> None:
    file, before = pdf(), objects()
    upload = sender.begun(file)
    answer = sender.part(upload, data, start, **headers)
    assert (answer.status_code, code(answer)) == (422, expected)
    assert objects() == before
    sender.parts(upload, file)
    assert sender.finish(upload).status_code == 200


def test_a_part_of_another_kind_is_refused(sender: Sender) -> None:
    upload = sender.begun(pdf())
    answer = sender.client.patch(f"{sender.base}/{upload}", data={"file": "x"}, headers={"Upload-Offset": "0"})
    assert code(answer) == "type"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"size": 0}, "empty"),
        ({"size": MAX_SIZE + 1}, "too_large"),
        ({"size": "10e3"}, "bad_size"),
        ({"size": "9" * 30}, "bad_size"),
        ({"size": "-5"}, "bad_size"),
        ({"sha256": "g" * 64}, "bad_hash"),
        ({"sha256": "A" * 63}, "bad_hash"),
        ({"issued_on": "yesterday"}, "not_date"),
        ({"issued_on": "31.12.2999"}, "in_future"),
    ],
)
def test_a_beginning_that_is_refused(session: Session, sender: Sender, fields: dict[str, Any], expected: str) -> None:
    answer = sender.begin(pdf(), **fields)
    assert (answer.status_code, code(answer)) == (422, expected)
    assert rows(session, Upload) == 0


@pytest.mark.parametrize(
    "fields",
    [{"code": "DOC-99"}, {"code": "DOC-12"}, {"replaces": str(uuid4())}, {"participant": str(uuid4())},
     {"participant": "not a key"}, {"code": "../DOC-02"}],
)  # fmt: skip
def test_a_beginning_for_what_is_not_there(sender: Sender, fields: dict[str, str]) -> None:
    assert sender.begin(pdf(), **fields).status_code == 404


def test_nothing_is_left_of_a_refused_file(session: Session, sender: Sender, objects: Callable[[], int]) -> None:
    before = objects()
    for data, expected in (
        (pdf()[:-6] + b"xxxxxx", "damaged"),
        (b"MZ" + b"\x00" * MIN_PART, "unknown_type"),
        (b"a;b\n" * 40_000, "wrong_type"),
    ):
        upload = sender.begun(data)
        sender.parts(upload, data)
        answer = sender.finish(upload)
        assert (answer.status_code, code(answer)) == (422, expected)
        assert sender.client.get(f"{sender.base}/{upload}").status_code == 404
    lying = sender.begun(pdf(), sha256="0" * 64)
    sender.parts(lying, pdf())
    assert code(sender.finish(lying)) == "wrong_hash"
    assert [rows(session, model) for model in (Upload, UploadPart, StoredFile, Attachment)] == [0, 0, 0, 0]
    assert objects() == before


def test_finishing_too_early_keeps_what_has_arrived(sender: Sender) -> None:
    data = pdf()
    upload = sender.begun(data)
    sender.part(upload, data[:MIN_PART], 0)
    assert code(sender.finish(upload)) == "unfinished"
    sender.part(upload, data[MIN_PART:], MIN_PART)
    assert code(sender.finish(upload, issued_on="31.12.2999")) == "in_future"
    assert sender.finish(upload, issued_on="01.10.2018").status_code == 200


def test_finishing_twice_attaches_once(session: Session, sender: Sender) -> None:
    data = pdf()
    upload = sender.begun(data)
    sender.parts(upload, data)
    key = form()
    first = sender.client.post(f"{sender.base}/{upload}/finish", data=key)
    replayed = sender.client.post(f"{sender.base}/{upload}/finish", data=key, follow_redirects=True)
    again = sender.finish(upload)
    assert (first.status_code, replayed.status_code, again.status_code) == (200, 200, 200)
    assert first.json["id"] == again.json["id"]  # type: ignore[index]
    assert replayed.json["done"] is True  # type: ignore[index]
    assert rows(session, Attachment) == 1


def test_nobody_else_touches_an_upload(session: Session, sender: Sender, joint: applications.Joint,
                                       sign_in: SignIn) -> None:  # fmt: skip
    data = pdf()
    upload = sender.begun(data)
    colleague = identity.member(session, joint.organisations[0])
    stranger = applications.draft(session)
    session.commit()
    for person, application_id, refusals in (
        (colleague, joint.id, (404, 404, 404)),
        (joint.owners[1], joint.id, (404, 404, 404)),
        (stranger.owners[0], joint.id, (404, 404, 404)),
        (joint.owners[0], stranger.id, (404, 404, 404)),
    ):
        other = Sender(sign_in(person), application_id)
        answers = (
            other.client.get(f"{other.base}/{upload}"),
            other.part(upload, data[:MIN_PART], 0),
            other.finish(upload),
        )
        assert tuple(answer.status_code for answer in answers) == refusals
        assert other.client.post(f"{other.base}/{upload}/discard", data=form()).status_code == 404
    assert Sender(sign_in(joint.owners[1]), joint.id).begin(data).status_code == 403
    assert Sender(sign_in(stranger.owners[0]), joint.id).begin(data).status_code == 404


def test_the_right_is_asked_at_every_part(session: Session, sender: Sender, joint: applications.Joint) -> None:
    data = pdf()
    upload = sender.begun(data)
    sender.part(upload, data[:MIN_PART], 0)
    session.execute(update(Membership).where(Membership.user_id == joint.owners[0].id).values(role=OrgRole.VIEWER))
    session.commit()
    answer = sender.part(upload, data[MIN_PART:], MIN_PART)
    assert (answer.status_code, code(answer)) == (403, "refused")
    assert sender.finish(upload).status_code == 403


def test_a_submitted_application_takes_no_parts(session: Session, sign_in: SignIn) -> None:
    made = applications.ready(session)
    session.commit()
    sender, data = Sender(sign_in(made.owners[0]), made.id), pdf()
    upload = sender.begun(data)
    applications.submission.submit(session, made.actor(), application_id=made.id, acknowledged=True)
    session.commit()
    assert sender.part(upload, data[:MIN_PART], 0).status_code == 409
    assert sender.begin(data).status_code == 409
    assert sender.client.post(f"{sender.base}/{upload}/discard", data=form()).status_code == 303


def test_discarding_leaves_nothing(session: Session, sender: Sender, objects: Callable[[], int]) -> None:
    before, data = objects(), pdf()
    upload = sender.begun(data)
    sender.part(upload, data[:MIN_PART], 0)
    assert objects() == before + 1
    answer = sender.client.post(f"{sender.base}/{upload}/discard", data=form())
    assert answer.location.endswith("/documents#DOC-02")
    assert (objects(), rows(session, Upload)) == (before, 0)


def test_one_person_has_so_many_unfinished_uploads(sender: Sender) -> None:
    for number in range(MAX_OPEN):
        assert sender.begin(pdf(), sha256=f"{number:064x}").status_code == 201
    assert code(sender.begin(pdf(), sha256="f" * 64)) == "too_many_open"


def test_one_person_has_so_many_unfinished_bytes(sender: Sender) -> None:
    for number in range(10):
        assert sender.begin(pdf(), size=MAX_SIZE, sha256=f"{number:064x}").status_code == 201
    assert code(sender.begin(pdf(), size=1, sha256="f" * 64)) == "too_many_open"


def test_all_files_of_an_application_have_a_limit(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, joint: applications.Joint
) -> None:
    monkeypatch.setattr("portal.applications.papers.attachments.MAX_BYTES", 300_000)
    assert sender.whole(pdf(100_000)).status_code == 200
    sender.begun(pdf(150_000))
    assert code(sender.begin(pdf(100_000), code="DOC-07")) == "full"


def test_abandoned_uploads_are_swept(session: Session, sender: Sender, objects: Callable[[], int]) -> None:
    before, data = objects(), pdf()
    old, young = sender.begun(data), sender.begun(pdf(4 * MIN_PART))
    sender.part(old, data[:MIN_PART], 0)
    stale = now(session) - uploads.IDLE - timedelta(minutes=1)
    session.execute(update(Upload).where(Upload.id == UUID(old)).values(touched_at=stale))
    session.commit()
    from portal.core.db import transaction

    with transaction() as current:
        assert uploads.sweep(current) == 1
    assert session.scalars(select(Upload.id)).all() == [UUID(young)]
    assert objects() == before


def test_refusals_speak_the_readers_language(session: Session, joint: applications.Joint, sign_in: SignIn) -> None:
    texts = set()
    for language in ("ru", "en"):
        client = sign_in(joint.owners[0])
        client.get(f"/?lang={language}")
        texts.add(Sender(client, joint.id).begin(pdf(), size=MAX_SIZE + 1).json["title"])  # type: ignore[index]
    assert texts == {"Файл больше 20 МБ.", "The file is larger than 20 MB."}


def test_a_signed_out_script_is_told(sender: Sender, app: Flask) -> None:
    upload = sender.begun(pdf())
    nobody = Sender(app.test_client(), sender.application_id)
    assert nobody.part(upload, b"x" * MIN_PART, 0).status_code == 401
    assert nobody.begin(pdf()).status_code == 401


def test_parallel_finishes_attach_once(fresh_app: Flask) -> None:
    """Two tabs, or a lost answer asked again at once: real connections, one attachment."""
    with fresh_app.app_context():
        session = db.session()
        joint = applications.draft(session)
        session.commit()
        application_id, uniquifier = joint.id, joint.owners[0].fs_uniquifier

    def client() -> FlaskClient:
        made = fresh_app.test_client()
        with made.session_transaction() as cookies:
            cookies.update({"_user_id": uniquifier, "_fresh": True, "fs_cc": "set"})
        return made

    first, data = Sender(client(), application_id), pdf()
    upload = first.begun(data)
    first.parts(upload, data)
    senders = [Sender(client(), application_id) for _ in range(4)]
    answers: list[TestResponse] = []
    threads = [threading.Thread(target=lambda one=one: answers.append(one.finish(upload))) for one in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json["id"] for answer in answers}) == 1  # type: ignore[index]
    with fresh_app.app_context():
        assert rows(db.session(), Attachment) == 1
        db.session.remove()


def test_parallel_parts_are_taken_once(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        session = db.session()
        joint = applications.draft(session)
        session.commit()
        application_id, uniquifier = joint.id, joint.owners[0].fs_uniquifier

    def client() -> FlaskClient:
        made = fresh_app.test_client()
        with made.session_transaction() as cookies:
            cookies.update({"_user_id": uniquifier, "_fresh": True, "fs_cc": "set"})
        return made

    data = pdf()
    upload = Sender(client(), application_id).begun(data)
    senders = [Sender(client(), application_id) for _ in range(4)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: statuses.append(one.part(upload, data[:MIN_PART], 0).status_code))
        for one in senders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]
    with fresh_app.app_context():
        assert rows(db.session(), UploadPart) == 1
        db.session.remove()
