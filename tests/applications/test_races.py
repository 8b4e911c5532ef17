"""Two at once, on real connections."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from portal.applications import service
from portal.applications.drafts.saving import Change, mark_of
from portal.applications.following.dossier import load
from portal.applications.models import Application, Section, Submission
from portal.applications.submissions import submission
from portal.core.db import db, transaction
from portal.core.errors import Conflict, PortalError
from portal.core.jobs import Task
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.tenders.models import Tender
from tests.factories import applications


def at_once(app: Flask, count: int, work: Any) -> Counter[str]:
    """Run ``work(place)`` in threads that start together; how each ended."""
    barrier, ends = threading.Barrier(count), []

    def run(place: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                ends.append(work(place))
            except PortalError as refused:
                ends.append(type(refused).__name__)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(ends)


@pytest.fixture
def ready(fresh_app: Flask) -> tuple[UUID, Actor, str, UUID]:
    """A ready application: its key, the initiator's actor, that person's session key, the tender's key."""
    with fresh_app.app_context(), transaction() as session:
        joint = applications.ready(session)
        return joint.id, joint.actor(), joint.owners[0].fs_uniquifier, joint.tender.id


def test_submitting_at_once_gives_one_submission(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, _, _ = ready

    def submit(place: int) -> str:
        with transaction() as session:
            return str(submission.submit(session, actor, application_id=application_id).id)

    assert list(at_once(fresh_app, 6, submit).values()) == [6], "everybody gets the one submission"
    with fresh_app.app_context():
        count = select(func.count())
        assert db.session.scalar(count.select_from(Submission)) == 1
        assert db.session.scalar(count.select_from(Task).where(Task.kind == "score_submission")) == 1
        assert db.session.scalar(count.select_from(Letter).where(Letter.kind == "application_submitted")) == 2


@pytest.mark.parametrize("same", [True, False])
def test_a_form_sent_twice_gives_one_submission(fresh_app: Flask, ready: Any, same: bool) -> None:
    application_id, _, uniquifier, _ = ready
    keys = [str(uuid4())] * 2 if same else [str(uuid4()), str(uuid4())]

    def post(place: int) -> str:
        client = fresh_app.test_client()
        with client.session_transaction() as cookies:
            cookies.update({"_user_id": uniquifier, "_fresh": True, "fs_cc": "set"})
        answer = client.post(f"/applications/{application_id}/submit", data={"idempotency_key": keys[place]})
        return f"{answer.status_code} {answer.location or ''}".replace(str(application_id), "X")

    ends = at_once(fresh_app, 2, post)
    assert set(ends) <= {"303 /applications/X/receipt", *(["302 /applications/X/receipt"] if same else [])}
    assert sum(ends.values()) == 2
    with fresh_app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Submission)) == 1


def test_saving_one_section_at_once_keeps_one_version(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, _, _ = ready

    def save(place: int) -> str:
        with transaction() as session:
            service.save_section(
                session,
                actor,
                application_id=application_id,
                participant_id=None,
                section="product",
                values={"name_ru": f"Версия {place}"},
                expected_version=1,
            )
        return "saved"

    assert at_once(fresh_app, 4, save) == {"saved": 1, "Stale": 3}
    with fresh_app.app_context():
        row = db.session.scalars(select(Section).where(Section.name == "product")).one()
        assert row.version == 2


def test_fields_saved_at_once_are_all_kept_and_one_of_the_same_field(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, _, _ = ready
    keys = ("name_en", "summary", "product_name")

    def save(place: int) -> str:
        with transaction() as session:
            before = load(session, application_id).sections[None, "product"].data
            barrier.wait()
            changes = {
                key: Change(f"Новое {place}", mark_of(before[key])) for key in (keys[place % len(keys)], "name_ru")
            }
            saved = service.save_fields(
                session,
                actor,
                application_id=application_id,
                participant_id=None,
                section="product",
                changes=changes,
            )
            return " ".join([*saved.written, *(f"clash:{clash.key}" for clash in saved.clashes)])

    barrier = threading.Barrier(3)
    ends = at_once(fresh_app, 3, save)
    assert sum(ends.values()) == 3
    assert sum("clash:name_ru" in end for end in ends) == 2, "the field of all three is written once"
    with fresh_app.app_context():
        data = load(db.session(), application_id).sections[None, "product"].data
        assert [data[key] for key in keys] == [f"Новое {place}" for place in range(3)]


def test_typing_and_submitting_at_once_freezes_what_was_confirmed(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, _, _ = ready

    def work(place: int) -> str:
        with transaction() as session:
            if place:
                submission.submit(session, actor, application_id=application_id)
                return "submitted"
            service.save_section(
                session,
                actor,
                application_id=application_id,
                participant_id=None,
                section="product",
                values={"name_ru": "Другое"},
                expected_version=1,
            )
            return "saved"

    ends = at_once(fresh_app, 2, work)
    assert ends in ({"submitted": 1, "Conflict": 1}, {"saved": 1, "Problems": 1})
    with fresh_app.app_context():
        frozen = db.session.scalars(select(Submission.snapshot)).all()
        assert all(item["project"]["name_en"] == "Automated well-piping module" for item in frozen)


def test_a_closing_that_moves_is_waited_for(fresh_app: Flask, ready: Any) -> None:
    """The officer's transaction holds the tender's row and closes it: the submission waits, then is late."""
    application_id, actor, _, tender_id = ready
    held, let_go = threading.Event(), threading.Event()

    def officer() -> None:
        with fresh_app.app_context():
            with transaction() as session:
                session.execute(
                    text("update tender set closes_at = clock_timestamp() - interval '1 second' where id = :id"),
                    {"id": tender_id},
                )
                held.set()
                let_go.wait(20)
            db.session.remove()

    thread = threading.Thread(target=officer)
    thread.start()
    held.wait(20)
    timer = threading.Timer(0.5, let_go.set)
    timer.start()
    try:
        with fresh_app.app_context(), pytest.raises(Conflict) as late, transaction() as session:
            submission.submit(session, actor, application_id=application_id)
        assert late.value.reason == submission.LATE
    finally:
        let_go.set()
        thread.join()
    with fresh_app.app_context():
        assert db.session.get(Application, application_id).state == "draft"  # type: ignore[union-attr]
        assert db.session.get(Tender, tender_id) is not None
