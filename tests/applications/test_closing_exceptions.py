"""A later closing for one applicant: its verbs, what the database holds, and that no race lets anybody in or out."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.following.dossier import load
from portal.applications.models import Application, DeadlineException
from portal.applications.queries import open_tracks
from portal.applications.submissions import closing_exceptions, submission
from portal.applications.submissions.closing_exceptions import ExceptionValues, grant, of_application, revoke
from portal.audit.models import AuditEvent
from portal.core.clock import MOSCOW, now
from portal.core.db import db, transaction
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from tests.factories import applications, identity
from tests.factories import tenders as factory
from tests.factories.applications import Joint

DAY = timedelta(days=1)


@pytest.fixture
def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


@pytest.fixture
def late(session: Session) -> Joint:
    """A draft of a tender that has closed since."""
    return closed(applications.draft(session))


def closed(joint: Joint, ago: timedelta = DAY) -> Joint:
    instant = now(joint.session)
    joint.tender.opens_at, joint.tender.closes_at = instant - 30 * DAY, instant - ago
    joint.session.flush()
    return joint


def wall(instant: datetime) -> datetime:
    return instant.astimezone(MOSCOW).replace(tzinfo=None)


def values(joint: Joint, **changes: Any) -> ExceptionValues:
    return ExceptionValues(**{
        "application": str(joint.id), "closes": wall(now(joint.session) + 2 * DAY), "reason": "Portal was down",
        **changes,
    })  # fmt: skip


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def test_an_exception_opens_one_application_only(session: Session, officer: Actor) -> None:
    late = applications.draft(session)
    other = applications.start_another(late)
    closed(late)
    made = grant(session, officer, late.tender.id, values=values(late))
    dossier = load(session, late.id)
    assert (dossier.intake.open, dossier.intake.later, dossier.closes_at) == (True, made.closes_at, made.closes_at)
    assert load(session, other.id).intake.open is False
    assert open_tracks(session, [late.organisations[0].id]) == []
    letters = session.scalars(select(Letter).where(Letter.kind == "deadline_exception")).all()
    assert sorted(letter.recipient for letter in letters) == sorted(owner.email for owner in late.owners)
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "applications:exception:grant")).one()
    assert (event.object_id, event.changes["reason"]) == (str(late.id), "Portal was down")


def test_an_exception_for_an_initiator_opens_all_its_applications(
    session: Session, officer: Actor, late: Joint
) -> None:
    organisation = late.organisations[0]
    grant(
        session,
        officer,
        late.tender.id,
        values=values(late, application="", inn=f"{organisation.inn}/{organisation.kpp}"),
    )
    assert load(session, late.id).intake.open
    assert {track.tender_id for track in open_tracks(session, [organisation.id])} == {late.tender.id}
    again = applications.start_another(late)
    assert load(session, again.id).intake.open
    foreign = closed(applications.draft(session))
    assert not load(session, foreign.id).intake.open


def test_a_revocation_closes_again_and_both_are_told(session: Session, officer: Actor, late: Joint) -> None:
    made = grant(session, officer, late.tender.id, values=values(late))
    taken = revoke(session, officer, made.id, reason="Granted by mistake")
    assert not load(session, late.id).intake.open
    assert [(item.row.id, item.revoked.id) for item in of_application(session, load(session, late.id))] == [
        (made.id, taken.id)
    ]  # type: ignore[union-attr]
    kinds = session.scalars(select(Letter.kind).where(Letter.kind.startswith("deadline_exception")).distinct())
    assert sorted(kinds) == ["deadline_exception", "deadline_exception_revoked"]
    with pytest.raises(Conflict):
        revoke(session, officer, made.id, reason="Again")
    with pytest.raises(NotFound):
        revoke(session, officer, taken.id, reason="Of a revocation")
    grant(session, officer, late.tender.id, values=values(late))
    assert load(session, late.id).intake.open


def test_every_problem_of_a_grant(session: Session, officer: Actor, late: Joint) -> None:
    for changes, expected in (
        ({"inn": late.organisations[0].inn}, [("application", "choose_one")]),
        ({"application": ""}, [("application", "choose_one")]),
        ({"application": str(uuid4())}, [("application", "unknown")]),
        ({"application": "JP-2018-IS-0001"}, [("application", "unknown")]),
        ({"application": "", "inn": "77"}, [("inn", "format")]),
        ({"application": "", "inn": "7799999990"}, [("inn", "unknown")]),
        ({"closes": None, "reason": " "}, [("reason", "required"), ("closes", "required")]),
        ({"closes": wall(now(session) - DAY / 2)}, [("closes", "not_later")]),
        (
            {"closes": wall(now(session) - 2 * DAY), "reason": "x" * 1001},
            [("reason", "too_long"), ("closes", "not_later")],
        ),
    ):
        with pytest.raises(Problems) as caught:
            grant(session, officer, late.tender.id, values=values(late, **changes))
        assert codes(caught) == expected
    with pytest.raises(Problems) as caught:
        revoke(session, officer, grant(session, officer, late.tender.id, values=values(late)).id, reason=" ")
    assert codes(caught) == [("reason", "required")]


def test_two_places_of_one_inn_need_the_kpp(session: Session, officer: Actor, late: Joint) -> None:
    inn = late.organisations[0].inn
    identity.organisation(session, inn=inn, kpp="770001001")
    with pytest.raises(Problems) as caught:
        grant(session, officer, late.tender.id, values=values(late, application="", inn=inn))
    assert codes(caught) == [("inn", "ambiguous")]


def test_an_application_of_another_tender_is_unknown_here(session: Session, officer: Actor, late: Joint) -> None:
    other = closed(applications.draft(session, tender=factory.open_tender(session)))
    with pytest.raises(Problems) as caught:
        grant(session, officer, late.tender.id, values=values(late, application=str(other.id)))
    assert codes(caught) == [("application", "unknown")]


def test_no_exceptions_in_cancelled_or_decided_tenders(session: Session, officer: Actor, late: Joint) -> None:
    made = grant(session, officer, late.tender.id, values=values(late))
    late.tender.cancelled_at, late.tender.cancel_reason = now(session), "No money"
    session.flush()
    assert not load(session, late.id).intake.open
    for attempt in (
        lambda: grant(session, officer, late.tender.id, values=values(late)),
        lambda: revoke(session, officer, made.id, reason="R"),
    ):
        with pytest.raises(Conflict):
            attempt()
    with pytest.raises(NotFound):
        grant(session, officer, uuid4(), values=values(late))
    with pytest.raises(NotFound):
        revoke(session, officer, uuid4(), reason="R")


def test_only_officers_grant_and_only_the_fund_reads(session: Session, officer: Actor, late: Joint) -> None:
    made = grant(session, officer, late.tender.id, values=values(late))
    readers = {Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR}
    for role in Role:
        actor = identity.actor(session, identity.user(session, role))
        seen = session.scalars(closing_exceptions.granted_select(actor, late.tender.id)).all()
        assert bool(seen) == (role in readers)
        if role is not Role.OFFICER:
            with pytest.raises(Refused):
                grant(session, actor, late.tender.id, values=values(late))
            with pytest.raises(Refused):
                revoke(session, actor, made.id, reason="R")
    owner = late.actor()
    assert session.scalars(closing_exceptions.granted_select(owner)).all() == []
    with pytest.raises(NotFound):
        grant(session, owner, late.tender.id, values=values(late))


def test_the_database_refuses_what_the_verbs_would(session: Session, officer: Actor, late: Joint) -> None:
    made = grant(session, officer, late.tender.id, values=values(late))
    other = closed(applications.draft(session, tender=factory.open_tender(session)))
    draft = factory.tender(session)

    def row(**changes: Any) -> DeadlineException:
        return DeadlineException(**{
            "tender_id": late.tender.id, "application_id": late.id, "closes_at": now(session) + DAY, "reason": "R",
            "granted_by": officer.user_id, **changes,
        })  # fmt: skip

    revoking = {"closes_at": None, "revokes_id": made.id}
    for refused, name in (
        (row(closes_at=late.tender.closes_at), "later than the closing"),
        (row(application_id=other.id), "of another tender"),
        (row(tender_id=draft.id), "takes no exceptions"),
        (row(reason=" "), "ck_deadline_exception_reason"),
        (row(closes_at=None), "ck_deadline_exception_grant_or_revocation"),
        (row(organisation_id=late.organisations[0].id), "ck_deadline_exception_for_one"),
        (row(granted_by=None), "granted_by"),
        (row(**revoking, application_id=None, organisation_id=late.organisations[0].id), "no exception of this place"),
    ):
        with pytest.raises(IntegrityError, match=name), session.begin_nested():
            session.add(refused)
            session.flush()
    for statement in (
        "update deadline_exception set closes_at = closes_at + interval '1 day'",
        "delete from deadline_exception",
    ):
        with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
            session.execute(text(statement))
    session.add(row(**revoking))
    session.flush()
    with pytest.raises(IntegrityError, match="uq_deadline_exception_revokes_id"), session.begin_nested():
        session.add(row(**revoking))
        session.flush()


# Races, on real connections


@pytest.fixture
def ready(fresh_app: Flask) -> tuple[UUID, Actor, Actor, UUID]:
    """A ready application of a closed tender: its key, the initiator, an officer, the tender's key."""
    with fresh_app.app_context(), transaction() as session:
        joint = closed(applications.ready(session))
        officer = identity.actor(session, identity.user(session, Role.OFFICER))
        return joint.id, joint.actor(), officer, joint.tender.id


def holding(app: Flask, work: Any) -> tuple[threading.Thread, threading.Event, threading.Event]:
    """A transaction that does ``work`` and commits only when it is let go."""
    held, let_go = threading.Event(), threading.Event()

    def officer() -> None:
        with app.app_context():
            with transaction() as session:
                work(session)
                held.set()
                let_go.wait(20)
            db.session.remove()

    thread = threading.Thread(target=officer)
    thread.start()
    assert held.wait(20)
    return thread, held, let_go


def submitting(app: Flask, application_id: UUID, actor: Actor, let_go: threading.Event) -> str:
    """Submit while the other transaction is still open; it is let go half a second later."""
    timer = threading.Timer(0.5, let_go.set)
    timer.start()
    with app.app_context():
        try:
            with transaction() as session:
                submission.submit(session, actor, application_id=application_id)
            return "submitted"
        except PortalError as refused:
            return str(getattr(refused, "reason", refused))
        finally:
            let_go.set()
            db.session.remove()


def given(session: Session, officer: Actor, tender_id: UUID, application_id: UUID, until: timedelta) -> UUID:
    row = DeadlineException(
        tender_id=tender_id,
        application_id=application_id,
        closes_at=now(session) + until,
        reason="R",
        granted_by=officer.user_id,
    )
    session.add(row)
    session.flush()
    return row.id


def test_a_grant_that_is_being_written_is_waited_for(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, officer, tender_id = ready
    thread, _, let_go = holding(fresh_app, lambda s: given(s, officer, tender_id, application_id, DAY))
    assert submitting(fresh_app, application_id, actor, let_go) == "submitted"
    thread.join()


def test_a_revocation_that_is_being_written_is_waited_for(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, officer, tender_id = ready
    with fresh_app.app_context(), transaction() as session:
        key = given(session, officer, tender_id, application_id, DAY)
    thread, _, let_go = holding(fresh_app, lambda s: revoke(s, officer, key, reason="R"))
    assert submitting(fresh_app, application_id, actor, let_go) == str(submission.LATE)
    thread.join()
    with fresh_app.app_context():
        assert db.session.get_one(Application, application_id).state == "draft"


def test_an_exception_ends_by_the_clock_of_the_database(fresh_app: Flask, ready: Any) -> None:
    application_id, actor, officer, tender_id = ready
    with fresh_app.app_context():
        with transaction() as session:
            given(session, officer, tender_id, application_id, timedelta(milliseconds=1))
        with pytest.raises(Conflict) as late, transaction() as session:
            submission.submit(session, actor, application_id=application_id)
        assert late.value.reason == submission.LATE
