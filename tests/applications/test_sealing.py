"""Sealed tenders: who makes keys, what a submission leaves in clear, who opens and when, what is found broken."""

from __future__ import annotations

import io
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.following import messages, reminders
from portal.applications.models import Application, State, Submission
from portal.applications.papers import attachments
from portal.applications.sealing import opening
from portal.applications.sealing import vault as sealing
from portal.applications.sealing.models import Fault, Seal, SealEnd, SealOpening
from portal.applications.submissions import closing_exceptions, submission
from portal.applications.submissions.closing_exceptions import ExceptionValues
from portal.audit import service as audit
from portal.core import sealing as crypto
from portal.core.canonical import digest
from portal.core.clock import at, now
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.jobs import Task
from portal.documents import service as documents
from portal.documents.models import StoredFile
from portal.identity.models import Role
from portal.identity.policy import scope
from portal.tenders import seal_keys, seal_queries
from portal.tenders import service as tender_service
from portal.tenders.seal_models import SealKey
from tests.factories import applications, identity, sealed, tenders
from tests.factories.sealed import DAY, PASSPHRASES, PASSWORD, Kept

SECRETS = ("CANARY-TITLE-71b2", "CANARY-SUMMARY-0c9d", "CANARY-CONTENT-5e5e", "CANARY-FILE-f00d", "31415926535.89")
PAPER = b"%PDF-1.4\n% CANARY-CONTENT-5e5e\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@contextmanager
def closed(kept: Kept, *, days: int = 2) -> Iterator[None]:
    """After the closing."""
    with at(kept.session, now(kept.session) + days * DAY):
        yield


def give(kept: Kept, place: int, words: str | None = None) -> bool:
    return opening.give_key(
        kept.session, kept.actor(place), tender_id=kept.tender.id, passphrase=words or PASSPHRASES[place]
    )


def open_all(kept: Kept) -> None:
    assert [give(kept, 0), give(kept, 1)] == [False, True]
    while not opening.step(kept.session, kept.tender.id).finished:
        pass


@contextmanager
def refused_by(session: Session, constraint: str) -> Iterator[None]:
    """The database itself refuses."""
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        yield
    assert refused.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]


def codes(refused: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.code, problem.field) for problem in refused.value.problems]


def tasks(session: Session) -> set[str]:
    return set(session.scalars(select(Task.kind)))


def planted(kept: Kept) -> tuple[applications.Joint, Submission]:
    """An application full of words that must be found nowhere."""
    project = {"name_ru": SECRETS[0], "name_en": SECRETS[0], "summary": SECRETS[1]}
    joint = applications.filled(kept.session, tender=kept.tender, project=project, partners=0)
    row = joint.dossier.attachments[0]
    attachments.attach(
        kept.session,
        joint.actor(),
        application_id=joint.id,
        participant_id=row.participant_id,
        code=row.code,
        name=f"{SECRETS[3]}.pdf",
        stream=io.BytesIO(PAPER),
        issued_on=(now(kept.session) - DAY).date().isoformat(),
        replaces=row.id,
    )
    dossier = joint.dossier
    section = dossier.sections[None, "product"]
    service.save_section(
        kept.session,
        joint.actor(),
        application_id=joint.id,
        participant_id=None,
        section="product",
        values={**section.data, "summary": SECRETS[1]},
        expected_version=section.version,
    )
    applications.confirm_all(joint)
    # A signature that ended keeps what had changed; a letter tells of it.
    section = joint.dossier.sections[None, "product"]
    service.save_section(
        kept.session,
        joint.actor(),
        application_id=joint.id,
        participant_id=None,
        section="product",
        values={**section.data, "summary": f"{SECRETS[1]} again"},
        expected_version=section.version,
    )
    kept.session.commit()
    applications.confirm_all(joint)
    kept.session.commit()
    return joint, sealed.send(joint)


def dumped(session: Session) -> str:
    """Every row of every table of the database, as text; bytes in hexadecimal and as they are."""
    names = session.scalars(
        text("select table_name from information_schema.tables where table_schema = 'public' order by 1")
    ).all()
    rows = [row for name in names for row in session.scalars(text(f'select "{name}"::text from "{name}"'))]
    return "\n".join(rows)


def test_nothing_of_a_sealed_application_is_in_the_database_or_the_store(app: Flask, session: Session) -> None:
    kept = sealed.tender(session)
    joint, row = planted(kept)
    session.commit()
    found = dumped(session)
    assert row.number in found
    for word in (*SECRETS, *(word.encode().hex() for word in SECRETS)):
        assert word not in found
    folder = Path(urlsplit(app.extensions["portal"].files_url).path)
    keys = session.scalars(
        select(StoredFile.key).where(StoredFile.id.in_([item.file_id for item in joint.dossier.attachments]))
    ).all()
    assert len(keys) > 3
    for key in keys:
        assert b"CANARY" not in (folder / key).read_bytes()
        assert b"%PDF" not in (folder / key).read_bytes()
    assert tasks(session).isdisjoint({"score_submission", "find_similar", "find_conflicts"})


def test_opening_brings_everything_back_and_starts_the_work(session: Session) -> None:
    kept = sealed.tender(session)
    joint, row = planted(kept)
    session.commit()
    with closed(kept):
        open_all(kept)
        application = joint.application
        submission_row = session.get_one(Submission, row.id)
        session.refresh(submission_row)
        assert (application.state, application.sealed, application.title_ru) == (State.SUBMITTED, False, SECRETS[0])
        assert digest(submission_row.snapshot) == submission_row.sha256
        assert joint.dossier.sections[None, "product"].data["summary"] == f"{SECRETS[1]} again"
        assert any(documents.content(item.file) == PAPER for item in joint.dossier.attachments)
        assert {item.file.name for item in joint.dossier.attachments} >= {f"{SECRETS[3]}.pdf"}
        done = session.get_one(Seal, row.id)
        assert (done.ended, done.vault, done.wraps) == (SealEnd.OPENED, None, {})
        told = opening.protocol(session, kept.tender.id)
        assert (told.opened, told.faulty, len(told.keepers)) == (1, [], 2)
        assert told.opening.finished_at is not None
    session.commit()
    assert tasks(session) >= {"score_submission", "find_similar", "find_conflicts"}
    assert audit.verify(session)[1] is None


def test_opening_twice_changes_nothing(session: Session) -> None:
    kept = sealed.tender(session)
    sealed.submitted(kept)
    with closed(kept):
        open_all(kept)
        before = session.get_one(SealOpening, kept.tender.id).finished_at
        assert give(kept, 0)
        assert opening.step(session, kept.tender.id).finished
        row = session.get_one(SealOpening, kept.tender.id)
        assert (row.finished_at, row.tries) == (before, 1)


def test_nobody_opens_before_the_closing(session: Session) -> None:
    kept = sealed.tender(session)
    with pytest.raises(Conflict):
        give(kept, 0)
    with refused_by(session, "tender_unsealed_after_closing"):
        session.execute(text("update tender set unsealed_at = portal_now() where id = :key"), {"key": kept.tender.id})
    with refused_by(session, "seal_key_given_after_closing"):
        session.execute(text("update seal_key set given = public, given_at = portal_now()"))


def test_nobody_opens_before_the_last_closing_by_exception_and_nobody_is_let_in_afterwards(session: Session) -> None:
    kept = sealed.tender(session)
    joint = applications.ready(session, tender=kept.tender, partners=0)
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    wall = (now(session) + 4 * DAY).astimezone().replace(tzinfo=None)
    values = ExceptionValues(closes=wall, reason="The portal was away.", application=str(joint.id), inn="")
    closing_exceptions.grant(session, officer, kept.tender.id, values=values)
    with closed(kept), pytest.raises(Conflict):
        give(kept, 0)
    with closed(kept, days=6):
        assert give(kept, 0) is False
        later = ExceptionValues(closes=wall + 9 * DAY, reason="Again.", application=str(joint.id), inn="")
        with pytest.raises(Conflict):
            closing_exceptions.grant(session, officer, kept.tender.id, values=later)
        with refused_by(session, "tender_unsealed_is_closed"):
            session.execute(
                text("update tender set closes_at = closes_at + interval '9 days' where id = :key"),
                {"key": kept.tender.id},
            )


def test_one_keeper_opens_nothing(session: Session) -> None:
    kept = sealed.tender(session)
    joint, row = sealed.submitted(kept)
    with closed(kept):
        assert give(kept, 0) is False
        assert session.get(SealOpening, kept.tender.id) is None
        assert joint.application.state == State.SEALED
        keys = seal_queries.given_keys(session, kept.tender.id)
        wraps = {pair: b64decode(wrapped) for pair, wrapped in session.get_one(Seal, row.id).wraps.items()}
        assert list(keys) == ["1"]
        with pytest.raises(crypto.CannotOpen):
            crypto.unwrap(wraps, keys, sealing.context_of(row, joint.application))


def test_the_reserve_keeper_stands_in_for_one_who_has_lost_the_passphrase(session: Session) -> None:
    kept = sealed.tender(session, reserve=True)
    joint, _row = sealed.submitted(kept)
    with closed(kept):
        assert [give(kept, 1), give(kept, 2)] == [False, True]
        assert opening.step(session, kept.tender.id).finished
        assert joint.application.state == State.SUBMITTED


def test_a_wrong_passphrase_is_refused_and_changes_nothing(session: Session) -> None:
    kept = sealed.tender(session)
    with closed(kept):
        with pytest.raises(Problems) as refused:
            give(kept, 0, PASSPHRASES[1])
        assert codes(refused) == [("wrong", "seal_password")]
        assert session.scalars(select(SealKey.given).where(SealKey.given.is_not(None))).all() == []


def test_who_keeps_no_key_opens_nothing(session: Session) -> None:
    kept = sealed.tender(session)
    other = identity.actor(session, identity.user(session, Role.OFFICER, Role.ADMINISTRATOR))
    with closed(kept), pytest.raises(NotFound):
        opening.give_key(session, other, tender_id=kept.tender.id, passphrase=PASSPHRASES[0])


CHANGES = (
    ("update seal set vault = set_byte(vault, 40, get_byte(vault, 40) # 1)", Fault.CONTENT),
    ("update seal set wraps = jsonb_set(wraps, '{1:2}', to_jsonb(repeat('A', 172)))", Fault.KEY),
    ("update submission set sha256 = repeat('0', 64)", Fault.KEY),
    ("update signature set digest = repeat('0', 64)", Fault.SIGNATURE),
)


def test_what_was_tampered_with_stays_sealed_and_is_named(session: Session) -> None:
    """Bytes of the vault, of a wrapped key, of a digest, of a signature; and a vault put into another's place."""
    kept = sealed.tender(session)
    sound, _row = sealed.submitted(kept)
    touched = []
    for change, fault in CHANGES:
        joint, row = sealed.submitted(kept)
        broken(session, change, row)
        touched.append((joint, row.number, fault))
    swapped, row = sealed.submitted(kept)
    session.execute(text("set local session_replication_role = replica"))
    session.execute(
        text(
            "update seal set (wraps, vault) = (select wraps, vault from seal where number like '%0001')"
            " where number = :number"
        ),
        {"number": row.number},
    )
    session.execute(text("set local session_replication_role = origin"))
    session.expire_all()
    touched.append((swapped, row.number, Fault.KEY))
    with closed(kept):
        open_all(kept)
        told = opening.protocol(session, kept.tender.id)
        assert [(line.number, line.fault) for line in told.faulty] == [(number, fault) for _, number, fault in touched]
        assert {joint.application.state for joint, _, _ in touched} == {State.SEALED}
        assert (told.opened, sound.application.state) == (1, State.SUBMITTED)


def broken(session: Session, change: str, row: Submission) -> None:
    """What a person with the database's own rights could do to one application."""
    session.execute(text("set local session_replication_role = replica"))
    table = change.split()[1]
    column = {"seal": "submission_id", "submission": "id", "signature": "application_id"}[table]
    key = row.application_id if table == "signature" else row.id
    session.execute(text(f"{change} where {column} = :key"), {"key": key})
    session.execute(text("set local session_replication_role = origin"))
    session.expire_all()


def test_a_file_that_changed_is_named_and_opens_after_its_repair(app: Flask, session: Session) -> None:
    kept = sealed.tender(session)
    joint, row = sealed.submitted(kept)
    item = joint.dossier.attachments[0]
    place = Path(urlsplit(app.extensions["portal"].files_url).path) / item.file.key
    whole = place.read_bytes()
    place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with closed(kept):
        open_all(kept)
        (line,) = opening.protocol(session, kept.tender.id).faulty
        assert (line.number, line.fault, line.fault_at) == (row.number, Fault.FILE, item.code)
        place.write_bytes(whole)
        opening.try_again(session, kept.actor(1), tender_id=kept.tender.id)
        assert opening.step(session, kept.tender.id).finished
        assert joint.application.state == State.SUBMITTED
        with pytest.raises(Conflict):
            opening.try_again(session, kept.actor(1), tender_id=kept.tender.id)


def test_applicants_read_their_own_with_their_password_only(session: Session) -> None:
    kept = sealed.tender(session)
    joint, row = sealed.submitted(kept, partners=1)
    package = sealing.read_own(session, joint.actor(1), joint.dossier, PASSWORD)
    assert digest(package) == row.sha256
    with pytest.raises(Problems) as refused:
        sealing.read_own(session, joint.actor(), joint.dossier, PASSPHRASES[0])
    assert codes(refused) == [("wrong", "seal_password")]
    stranger = identity.actor(session, identity.member(session, identity.organisation(session)))
    with pytest.raises(NotFound):
        sealing.read_own(session, stranger, joint.dossier, PASSWORD)
    with pytest.raises(NotFound):
        sealing.read_own(session, kept.actor(0), joint.dossier, PASSWORD)


def test_withdrawing_gives_the_draft_back_and_it_is_sealed_anew(session: Session) -> None:
    kept = sealed.tender(session)
    joint, row = sealed.submitted(kept)
    with pytest.raises(Problems):
        submission.withdraw(session, joint.actor(), application_id=joint.id, password="not this one")
    submission.withdraw(session, joint.actor(), application_id=joint.id, password=PASSWORD)
    application = joint.application
    assert (application.state, application.sealed) == (State.WITHDRAWN, True)
    assert application.title_ru
    assert {item.file.name for item in joint.dossier.attachments if item.removed_at is None} != {"sealed"}
    session.commit()
    again = sealed.send(joint)
    assert again.round == 2
    with closed(kept):
        open_all(kept)
        assert joint.application.state == State.SUBMITTED
        told = opening.protocol(session, kept.tender.id)
        assert [line.sha256 for line in told.lines] == [again.sha256]
    assert session.get_one(Seal, row.id).ended == SealEnd.WITHDRAWN
    session.expire_all()
    assert session.get_one(Submission, row.id).snapshot == {}


def test_without_the_password_it_can_be_withdrawn_but_what_was_typed_is_lost(session: Session) -> None:
    kept = sealed.tender(session)
    joint, _row = sealed.submitted(kept)
    submission.withdraw(session, joint.actor(), application_id=joint.id, forget=True)
    session.commit()
    dossier = joint.dossier
    assert dossier.application.state == State.WITHDRAWN
    assert {item.removed_at is None for item in dossier.attachments} == {False}
    assert all(section.data == {} for section in dossier.sections.values())
    sections = session.execute(text("delete from section where application_id = :key"), {"key": joint.id})
    assert sections.rowcount  # type: ignore[attr-defined]
    session.expire_all()
    applications.fill(joint)
    applications.attach_all(joint)
    applications.confirm_all(joint)
    sealed.send(joint)
    with closed(kept):
        open_all(kept)
        assert opening.protocol(session, kept.tender.id).faulty == []
        assert joint.application.state == State.SUBMITTED


def test_the_password_of_the_applicants_is_checked(session: Session) -> None:
    kept = sealed.tender(session)
    joint = applications.ready(session, tender=kept.tender, partners=0)
    for words, again, expected in (
        ("short", "short", ("too_short", "seal_password")),
        (PASSWORD, "another one than before", ("different", "seal_password_again")),
        ("x" * 201, "x" * 201, ("too_long", "seal_password")),
    ):
        with pytest.raises(Problems) as refused:
            submission.submit(
                session, joint.actor(), application_id=joint.id, acknowledged=True, password=words, again=again
            )
        assert codes(refused) == [expected]


def test_without_two_keys_nothing_is_taken(session: Session) -> None:
    kept = sealed.tender(session, keys=False)
    sealed.make_key(kept, 0)
    joint = applications.ready(session, tender=kept.tender, partners=0)
    with pytest.raises(Conflict):
        sealed.send(joint)


def test_the_fund_reads_nothing_and_receives_no_message(session: Session) -> None:
    kept = sealed.tender(session)
    joint, _row = sealed.submitted(kept)
    for role in Role:
        actor = identity.actor(session, identity.user(session, role))
        assert session.scalars(scope(actor, Application).where(Application.id == joint.id)).all() == []
    with pytest.raises(Conflict):
        messages.send(session, joint.actor(), application_id=joint.id, text="Hello")
    with pytest.raises(NotFound):
        messages.send(session, kept.actor(0), application_id=joint.id, text="Hello", for_fund=True)
    submission.withdraw(session, joint.actor(), application_id=joint.id, password=PASSWORD)
    assert session.scalars(scope(kept.actor(0), Application).where(Application.id == joint.id)).all() == []


def test_a_key_is_replaced_only_while_nothing_is_sealed_with_it(session: Session) -> None:
    kept = sealed.tender(session)
    before = session.scalars(select(SealKey.public).where(SealKey.place == 1)).one()
    row = sealed.make_key(kept, 0)
    assert row.public != before
    sealed.submitted(kept)
    with pytest.raises(Conflict):
        sealed.make_key(kept, 0)
    with refused_by(session, "seal_key_in_use"):
        session.execute(text("update seal_key set public = salt || salt where place = 1"))
    with refused_by(session, "seal_key_in_use"):
        session.execute(text("delete from seal_key where place = 1"))


def test_publication_wants_two_keepers_with_keys(session: Session) -> None:
    administrator = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    at_ = now(session)
    row = tenders.tender(session, opens_at=at_ + DAY, closes_at=at_ + 2 * DAY)
    people = [identity.user(session, Role.OFFICER) for _ in range(2)]

    def appoint(*keepers: Any) -> None:
        seal_keys.appoint(session, administrator, row.id, sealed=True, keepers=keepers, expected_version=row.version)

    with pytest.raises(Problems) as refused:
        appoint(people[0].id, None)
    assert codes(refused) == [("required", "keeper_2")]
    with pytest.raises(Problems) as refused:
        appoint(people[0].id, people[0].id)
    assert codes(refused) == [("twice", "keeper_2")]
    with pytest.raises(Problems) as refused:
        appoint(people[0].id, identity.user(session, Role.REVIEWER).id)
    assert codes(refused) == [("unknown", "keeper_2")]
    appoint(*(person.id for person in people))
    kept = Kept(session, row, people)
    sealed.make_key(kept, 0)
    with pytest.raises(Problems) as refused:
        tender_service.publish(session, administrator, row.id, expected_version=row.version)
    assert codes(refused) == [("no_key", "sealed")]
    sealed.make_key(kept, 1)
    tender_service.publish(session, administrator, row.id, expected_version=row.version)
    with pytest.raises(Conflict):
        appoint(*(person.id for person in people))
    with refused_by(session, "tender_sealed_before_publication"):
        session.execute(text("update tender set sealed = false where id = :key"), {"key": row.id})


def test_the_seal_itself_cannot_be_changed_or_deleted(session: Session) -> None:
    kept = sealed.tender(session)
    sealed.submitted(kept)
    for change in ("update seal set wraps = '{}'", "update seal set number = 'x'", "delete from seal"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(change))


def test_opening_goes_on_after_a_crash(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies within a step: what earlier steps opened stays, nothing is half open, the next one goes on."""
    kept = sealed.tender(session)
    joints = [sealed.submitted(kept)[0] for _ in range(3)]
    session.commit()
    monkeypatch.setattr(opening, "STEP", 2)
    with closed(kept):
        give(kept, 0)
        give(kept, 1)
        assert opening.step(session, kept.tender.id).done == 2
        session.commit()
        opening.step(session, kept.tender.id)
        session.rollback()  # the connection is gone before the commit
        session.expire_all()
        states = [session.get_one(Application, joint.id).state for joint in joints]
        assert states == [State.SUBMITTED, State.SUBMITTED, State.SEALED]
        assert session.get_one(SealOpening, kept.tender.id).finished_at is None
        progress = opening.step(session, kept.tender.id)
        assert (progress.done, progress.total, progress.finished) == (3, 3, True)
        assert joints[2].application.state == State.SUBMITTED


def test_a_tender_without_seals_is_as_it_was(session: Session) -> None:
    joint, row = applications.submitted(session)
    assert (joint.application.state, joint.application.sealed) == (State.SUBMITTED, False)
    assert row.snapshot["project"]
    assert session.scalars(select(Seal.submission_id).where(Seal.application_id == joint.id)).all() == []
    assert not any(item.file.encrypted for item in joint.dossier.attachments)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("update submission set snapshot = '{}' where id = :key"), {"key": row.id})


def test_the_keepers_are_told_that_they_can_open_until_one_has_begun(session: Session) -> None:
    kept = sealed.tender(session)
    ends = kept.tender.closes_at
    assert list(reminders.opening(session, ends + DAY)) == []
    planted(kept)
    session.flush()
    assert list(reminders.opening(session, ends - DAY / 24)) == []
    stages = []
    for days in (0, 2, 3, 10):
        found = list(reminders.opening(session, ends + days * DAY))
        stages.append({each.key.rpartition(":")[2] for each in found})
        assert [each.readers[0].id for each in found] == [person.id for person in kept.keepers]
    assert stages == [{"0"}, {"0"}, {"3"}, {"7"}]
    with closed(kept):
        give(kept, 0)
        (left,) = reminders.opening(session, ends + 2 * DAY)
        assert left.readers == [kept.keepers[1]]
        give(kept, 1)
        assert list(reminders.opening(session, ends + 2 * DAY)) == []
