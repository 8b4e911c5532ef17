"""Ties and the conflicts that follow: kept, ruled on, and stopped; and what the database refuses by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant, State
from portal.audit.models import AuditEvent
from portal.awards import service as awards_service
from portal.awards.models import AwardDecision, DecisionLine
from portal.clusters.models import Cluster, ClusterMember
from portal.clusters.profile_models import Supply
from portal.core import jobs
from portal.core.clock import today
from portal.core.db import transaction, uuid7
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused, Stale
from portal.core.jobs import Task
from portal.identity.models import Membership, Organisation, OrgRole, Role, User
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.review import barring, conflict_queries, queries, service, ties
from portal.review.conflict_models import ConflictRow, OrganisationOwner, PersonTie
from portal.review.jobs import find_conflicts
from portal.review.models import Assignment, Mark
from portal.tenders.ruleset import Tie, TieEffect, TieRuling
from tests.factories import applications, awards, identity, review, submissions, tenders
from tests.factories.packages import package


@pytest.fixture
def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


@pytest.fixture
def application(session: Session) -> Application:
    return review.admitted(session)


@pytest.fixture
def expert(session: Session) -> User:
    return identity.user(session, Role.REVIEWER, name="Expert 07")


def initiator(session: Session, application: Application) -> Organisation:
    return session.get_one(Organisation, application.initiator_id)


def values(firm: Organisation, kind: str = "employment", **more: str) -> dict[str, str]:
    return {"inn": firm.inn, "kind": kind, **more}


def own(session: Session, person: User, firm: Organisation, kind: str = "employment", **more: str) -> PersonTie:
    return ties.declare(session, identity.actor(session, person), user_id=person.id, values=values(firm, kind, **more))


def kept(session: Session, person: User, application: Application) -> ConflictRow | None:
    return conflict_queries.kept_for(session, person.id, application.id)


def codes(caught: pytest.ExceptionInfo[Problems]) -> set[tuple[str, str]]:
    return {(problem.code, problem.field) for problem in caught.value.problems}


def tags(session: Session) -> list[str]:
    session.commit()
    return list(session.scalars(select(AuditEvent.tag).where(AuditEvent.tag.like("review:%")).order_by(AuditEvent.seq)))


def test_a_tie_makes_a_conflict_at_once(session: Session, application: Application, expert: User) -> None:
    row = own(session, expert, initiator(session, application), note="chief engineer")
    assert (row.name, row.source, row.declared_by) == (initiator(session, application).name_ru, "", expert.id)
    held = kept(session, expert, application)
    assert held is not None
    assert (held.strength, held.bars) == ("hard", True)
    assert [edge.kind for edge in conflict_queries.paths_of(held)[0]] == ["employment", "initiator"]
    assert tags(session)[-2:] == ["review:tie:declare", "review:conflict:find"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"inn": "123"}, {("inn", "inn")}),
        ({"kind": "acquaintance"}, {("required", "kind")}),
        ({"kind": "ownership", "share": "0"}, {("too_small", "share")}),
        ({"kind": "ownership", "share": "101"}, {("too_large", "share")}),
        ({"since": "2018-02-30"}, {("format", "since")}),
        ({"since": "01.01.1850"}, {("no_date", "since")}),
        ({"since": "02.03.2018", "until": "01.03.2018"}, {("order", "until")}),
        ({"inn": identity.inn(77, 4321)}, {("required", "name")}),
        ({"note": "x" * 2001}, {("too_long", "note")}),
    ],
)
def test_what_a_tie_needs(
    session: Session, application: Application, expert: User, more: Mapping[str, str], expected: set[tuple[str, str]]
) -> None:
    with pytest.raises(Problems) as caught:
        ties.declare(
            session,
            identity.actor(session, expert),
            user_id=expert.id,
            values={**values(initiator(session, application)), **more},
        )
    assert {field for _, field in codes(caught)} == {field for _, field in expected}
    assert session.scalar(select(func.count()).select_from(PersonTie)) == 0


def test_who_writes_ties_down(session: Session, application: Application, expert: User, officer: Actor) -> None:
    firm = initiator(session, application)
    with pytest.raises(Problems) as caught:
        ties.declare(session, officer, user_id=expert.id, values=values(firm))
    assert codes(caught) == {("required", "source")}
    row = ties.declare(session, officer, user_id=expert.id, values=values(firm, source="Register extract of 3 Sept"))
    assert (row.declared_by, row.source) == (officer.user_id, "Register extract of 3 Sept")
    stranger = identity.actor(session, identity.user(session))
    colleague = identity.actor(session, identity.user(session, Role.REVIEWER))
    for actor in (stranger, colleague):
        with pytest.raises((NotFound, Refused)):
            ties.declare(session, actor, user_id=expert.id, values=values(firm, source="hearsay"))
        with pytest.raises(NotFound):
            ties.end(session, actor, tie_id=row.id, until="01.09.2018")
        with pytest.raises((NotFound, Refused)):
            ties.strike(session, actor, tie_id=row.id, reason="wrong")
    with pytest.raises(NotFound):
        ties.declare(session, officer, user_id=identity.user(session).id, values=values(firm, source="no judge"))
    with pytest.raises(Refused):
        ties.strike(session, identity.actor(session, expert), tie_id=row.id, reason="wrong")


def test_a_tie_ends_or_is_struck_out_and_stays(
    session: Session, application: Application, expert: User, officer: Actor
) -> None:
    firm = initiator(session, application)
    row = own(session, expert, firm)
    person = identity.actor(session, expert)
    for day, code in (("", "required"), ("01.01.2099", "future")):
        with pytest.raises(Problems) as caught:
            ties.end(session, person, tie_id=row.id, until=day)
        assert codes(caught) == {(code, "until")}
    ties.end(session, person, tie_id=row.id, until=f"{today(session).year - 4}-01-15")
    held = kept(session, expert, application)
    assert held is not None
    assert (held.strength, [edge["kind"] for edge in held.paths[0]]) == ("soft", ["long_former", "initiator"])
    with pytest.raises(Problems):
        ties.strike(session, officer, tie_id=row.id, reason=" ")
    ties.strike(session, officer, tie_id=row.id, reason="Another person of the same name")
    assert kept(session, expert, application) is None
    for verb in (
        lambda: ties.strike(session, officer, tie_id=row.id, reason="again"),
        lambda: ties.end(session, person, tie_id=row.id, until="2018-01-01"),
    ):
        with pytest.raises(Conflict):
            verb()
    with pytest.raises(NotFound):
        ties.end(session, person, tie_id=uuid4(), until="2018-01-01")
    assert [tag for tag in tags(session) if "tie" in tag] == [
        "review:tie:declare",
        "review:tie:end",
        "review:tie:strike",
    ]
    for statement in ("delete from person_tie", "update person_tie set name = 'x'"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement))


def test_an_owner_of_two_organisations_makes_them_a_family(
    session: Session, application: Application, expert: User, officer: Actor
) -> None:
    firm, works = initiator(session, application), identity.organisation(session)
    own(session, expert, works)
    parent = {"owner_inn": identity.inn(50, 77), "owner_name": "АО «Демо-Холдинг»", "source": "Extract"}
    for target, share in ((works, "75"), (firm, "30")):
        ties.enter_owner(session, officer, values={**parent, "owned_inn": target.inn, "share": share})
    find_conflicts(session, {"application_id": str(application.id)}, claim(session))
    held = kept(session, expert, application)
    assert held is not None
    assert [edge["kind"] for edge in held.paths[0]] == ["employment", "owned_by", "owns", "initiator"]
    assert held.strength == "hard"
    with pytest.raises(Conflict):
        ties.enter_owner(session, officer, values={**parent, "owned_inn": firm.inn, "share": "31"})
    with pytest.raises(Problems) as caught:
        ties.enter_owner(session, officer, values={"owner_inn": firm.inn, "owned_inn": firm.inn, "share": "x"})
    assert {field for _, field in codes(caught)} == {"owned_inn", "share", "source"}
    with pytest.raises(NotFound):
        ties.enter_owner(session, identity.actor(session, identity.user(session)), values={})
    share = session.scalars(select(OrganisationOwner).where(OrganisationOwner.owned_inn == firm.inn)).one()
    ties.strike_owner(session, officer, owner_id=share.id, reason="Sold in August")
    with pytest.raises(Conflict):
        ties.strike_owner(session, officer, owner_id=share.id, reason="Sold in August")
    find_conflicts(session, {"user_id": str(expert.id)}, claim(session))
    assert kept(session, expert, application) is None


def claim(session: Session) -> jobs.Claim:
    key = jobs.enqueue(session, "find_conflicts", {})
    assert key is not None
    task = session.get_one(Task, key)
    return jobs.Claim(task.id, task.number, 1, task.kind, {}, 1)


def test_a_supply_of_the_map_is_found_in_the_background(
    session: Session, application: Application, expert: User
) -> None:
    firm, works = initiator(session, application), identity.organisation(session)
    for member in (firm, works):
        if session.scalar(select(ClusterMember.id).where(ClusterMember.organisation_id == member.id)) is None:
            applications.join(session, session.get_one(Cluster, application.cluster_id), member)
    own(session, expert, works)
    session.execute(text("delete from task where kind = 'find_conflicts'"))
    session.add(
        Supply(
            cluster_id=application.cluster_id,
            supplier_id=works.id,
            buyer_id=firm.id,
            year=today(session).year,
            okpd2="28.14",
            product_ru="Задвижки",
            product_en="Gate valves",
            volume=31415926,
        )
    )
    session.flush()
    task = session.scalars(select(Task).where(Task.kind == "find_conflicts")).one()
    assert task.payload == {}
    progress = find_conflicts(session, {}, jobs.Claim(task.id, task.number, 1, task.kind, {}, 1))
    assert progress is not None
    assert progress.finished
    held = kept(session, expert, application)
    assert held is not None
    assert [edge["kind"] for edge in held.paths[0]] == ["employment", "supplies", "initiator"]
    assert "31415926" not in str(held.paths)
    assert find_conflicts(session, {}, jobs.Claim(task.id, task.number - 1, 1, task.kind, {}, 1)) is None


@pytest.mark.parametrize("state", ["assigned", "open", "submitted"])
def test_a_tie_stops_the_review_that_it_bars(session: Session, application: Application, state: str) -> None:
    rows = review.assigned(session, application)
    if state != "assigned":
        review.opened(session, rows[0])
    if state == "submitted":
        for each in rows:
            review.reviewed(session, each)
    person = session.get_one(User, rows[0].reviewer_id)
    own(session, person, initiator(session, application))
    session.refresh(rows[0])
    assert (rows[0].state, rows[0].submitted_at) == ("conflict", None)
    assert rows[0].stopped_at is not None
    assert queries.expert_marks(session, [rows[0].submission_id]).get(rows[0].submission_id, []) == (
        queries.submitted_marks(queries.assignments_of(session, rows[0].submission_id))
    )
    told = list(session.scalars(select(Letter.recipient).where(Letter.kind == "review_stopped")))
    assert person.email in told
    assert len(told) > 1
    scored = select(func.count()).where(Task.kind == "score_submission", Task.key.like("%:void:%"))
    assert session.scalar(scored) == (state == "submitted")
    session.execute(text("set constraints all immediate"))
    with pytest.raises(NotFound):
        queries.desk(session, review.reviewer(session, rows[0]), rows[0].id)


def test_a_conflict_is_declared_after_handing_in(session: Session, application: Application) -> None:
    first, second = review.assigned(session, application)
    for row in (first, second):
        review.reviewed(session, row)
    service.declare(
        session,
        review.reviewer(session, first),
        assignment_id=first.id,
        conflict=True,
        explanation="The initiator has made me an offer.",
        expected_version=first.version,
    )
    assert (first.state, first.submitted_at, first.stopped_at) == ("conflict", None, None)
    held = kept(session, session.get_one(User, first.reviewer_id), application)
    assert held is not None
    assert [edge["kind"] for edge in held.paths[0]] == ["declared"]
    assert len(queries.submitted_marks(queries.assignments_of(session, first.submission_id))) == 1


def test_who_is_barred_is_not_asked(session: Session, application: Application, expert: User, officer: Actor) -> None:
    firm = initiator(session, application)
    other, near = (identity.user(session, Role.REVIEWER) for _ in range(2))
    own(session, expert, firm)
    own(session, near, firm, "other")
    with pytest.raises(Problems) as caught:
        service.assign(session, officer, application_id=application.id, reviewer_ids=[expert.id, near.id, other.id])
    assert codes(caught) == {("conflict", "reviewers"), ("undecided", "reviewers")}
    held = kept(session, near, application)
    assert held is not None
    barring.rule(
        session, officer, conflict_id=held.id, ruling="waived", reason="Met once.", expected_version=held.version
    )
    assert len(service.assign(session, officer, application_id=application.id, reviewer_ids=[near.id, other.id])) == 2


def test_ruling_on_a_soft_conflict(session: Session, application: Application, officer: Actor) -> None:
    row = review.assigned(session, application)[0]
    person = session.get_one(User, row.reviewer_id)
    own(session, person, initiator(session, application), "ownership", share="1")
    held = kept(session, person, application)
    assert held is not None
    assert (held.strength, held.bars, row.state) == ("soft", False, "assigned")
    given: dict[str, Any] = {
        "conflict_id": held.id,
        "ruling": "upheld",
        "reason": "Too close.",
        "expected_version": held.version,
    }
    for change, wrong in (({"ruling": ""}, "ruling"), ({"reason": " "}, "reason"), ({"reason": "x" * 2001}, "reason")):
        with pytest.raises(Problems) as caught:
            barring.rule(session, officer, **{**given, **change})
        assert {field for _, field in codes(caught)} == {wrong}
    with pytest.raises(Stale):
        barring.rule(session, officer, **{**given, "expected_version": 99})
    with pytest.raises(NotFound):
        barring.rule(session, officer, **{**given, "conflict_id": uuid4()})
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    session.flush()
    for actor in (
        identity.actor(session, tied),
        identity.actor(session, person),
        identity.actor(session, identity.user(session, Role.CHAIR)),
    ):
        with pytest.raises(Refused):
            barring.rule(session, actor, **given)
    barring.rule(session, officer, **{**given, "ruling": "waived"})
    assert (held.bars, row.state) == (False, "assigned")
    barring.rule(session, officer, **{**given, "expected_version": held.version})
    session.refresh(row)
    assert (held.bars, row.state) == (True, "conflict")
    own(session, person, initiator(session, application), "family")
    assert (held.strength, held.ruling) == ("hard", None)
    with pytest.raises(Conflict):
        barring.rule(session, officer, **{**given, "expected_version": held.version})


def test_a_ruling_falls_when_the_path_changes(session: Session, application: Application, officer: Actor) -> None:
    person = identity.user(session, Role.REVIEWER)
    firm = initiator(session, application)
    own(session, person, firm, "other")
    held = kept(session, person, application)
    assert held is not None
    barring.rule(
        session, officer, conflict_id=held.id, ruling="waived", reason="Met once.", expected_version=held.version
    )
    barring.refresh(session, [person.id])
    assert held.ruling == "waived"
    pairs = conflict_queries.conflict_pairs(session, application.tender_track_id)
    assert pairs[person.id, application.id].ruling == "waived"
    own(session, person, firm, "ownership", share="2")
    assert (held.strength, held.ruling) == ("soft", None)
    assert conflict_queries.conflict_pairs(session, application.tender_track_id)[person.id, application.id].open


@pytest.mark.parametrize("table", ["assignment", "mark", "membership"])
def test_the_database_refuses_a_barred_reviewer(session: Session, application: Application, table: str) -> None:
    """Rows written past the verbs, with a conflict that is known or a membership that nobody has looked at yet."""
    row = review.opened(session, review.assigned(session, application)[0])
    person = session.get_one(User, row.reviewer_id)
    if table == "membership":
        session.add(Membership(user_id=person.id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    else:
        session.execute(
            text(
                "insert into conflict (id, user_id, application_id, strength, paths, digest, computed_at, reason,"
                " version) values (:id, :person, :place, 'hard', '[]', '', now(), '', 1)"
            ),
            {"id": uuid7(), "person": person.id, "place": application.id},
        )
    session.flush()

    def write() -> None:
        if table == "mark":
            session.add(Mark(assignment_id=row.id, criterion="CR-10", aspect="x", score=5, justification="words"))
            session.flush()
        else:
            session.execute(
                update(Assignment).where(Assignment.id == row.id).values(state="submitted", submitted_at=func.now())
            )

    with pytest.raises(IntegrityError, match="conflict of interest"), session.begin_nested():
        write()
    with pytest.raises(IntegrityError, match="conflict of interest"), session.begin_nested():
        session.add(
            Assignment(
                submission_id=_another(session),
                application_id=application.id,
                reviewer_id=person.id,
                assigned_by=person.id,
                due_on=today(session),
            )
        )
        session.flush()
    if table != "membership":
        with pytest.raises(DatabaseError, match="stands against"):
            session.execute(text("set constraints all immediate"))


def _another(session: Session) -> UUID:
    other = session.get_one(Application, review.waiting(session))
    assert other.submission_id is not None
    return other.submission_id


def test_neither_drafter_nor_signer_has_a_conflict(session: Session) -> None:
    stage = awards.stage(session, [{2018: 100}, {2018: 100}, {2018: 100}], {2018: 150})
    firm = session.get_one(Organisation, stage.application(0).initiator_id)
    works = identity.organisation(session)
    assert stage.chair.user_id
    assert stage.member.user_id
    chair, member = (session.get_one(User, key) for key in (stage.chair.user_id, stage.member.user_id))
    decision = awards_service.draft(session, stage.chair, stage.track.id)
    row = own(session, member, firm, "family")
    with pytest.raises(Refused, match="conflict of interest"):
        awards_service.sign(session, stage.member, decision.id)
    with pytest.raises(IntegrityError, match="conflict of interest"), session.begin_nested():
        session.execute(
            update(AwardDecision)
            .where(AwardDecision.id == decision.id)
            .values(signed_by=member.id, signed_at=func.now())
        )
    officer = stage.officer
    ties.strike(session, officer, tie_id=row.id, reason="Another person")
    awards_service.discard(session, stage.chair, decision.id)
    own(session, chair, firm, "contract")
    with pytest.raises(Refused, match="conflict of interest"):
        awards_service.draft(session, stage.chair, stage.track.id)
    with pytest.raises(IntegrityError, match="conflict of interest"), session.begin_nested():
        session.execute(update(AwardDecision).where(AwardDecision.id == decision.id).values(discarded_at=None))
        session.execute(
            update(DecisionLine).where(DecisionLine.decision_id == decision.id).values(approved_at=func.now())
        )
    assert works.id


def test_pairs_take_the_same_queries_for_more_people_and_applications(
    session: Session, application: Application, count_queries: Callable[[], Any]
) -> None:
    def counted() -> int:
        with count_queries() as statements:
            conflict_queries.conflict_pairs(session, application.tender_track_id)
        return len(statements)

    own(session, identity.user(session, Role.REVIEWER), initiator(session, application))
    assert counted() == QUERIES
    for _ in range(3):
        own(session, identity.user(session, Role.REVIEWER), initiator(session, application), "other")
    assert counted() == QUERIES


QUERIES = 14


def test_a_tie_declared_while_the_review_is_handed_in(fresh_app: Flask) -> None:
    """Whichever comes first: no review counts beside the conflict. Five pairs at once on real connections."""
    with fresh_app.app_context(), transaction() as session:
        place = review.admitted(session)
        firm = initiator(session, place)
        rows = review.assigned(session, place, 5)
        told = []
        for row in rows:
            review.opened(session, row)
            told.append((review.reviewer(session, row), row.id, row.version, review.typed(session, row)))
        inn, application_id = firm.inn, place.id
    answers: list[str] = []
    barrier = threading.Barrier(2 * len(told))

    def run(work: Callable[[Session], object], name: str) -> None:
        with fresh_app.app_context():
            try:
                with transaction() as current:
                    current.connection()
                    barrier.wait(20)
                    work(current)
                answers.append(f"{name} done")
            except PortalError as error:
                answers.append(f"{name} {type(error).__name__}")
            except BaseException as error:
                answers.append(f"{name} {error!r}")

    threads = []
    for actor, key, version, typed in told:
        assert actor.user_id is not None
        submit = lambda current, a=actor, k=key, v=version, t=typed: service.submit(  # noqa: E731
            current, a, assignment_id=k, values=t, expected_version=v
        )
        tie = lambda current, a=actor: ties.declare(  # noqa: E731
            current, a, user_id=a.user_id, values={"inn": inn, "kind": "employment"}
        )
        threads += [threading.Thread(target=run, args=pair) for pair in ((submit, "submit"), (tie, "tie"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[-5:] == ["tie done"] * 5
    assert {answer for answer in answers if answer.startswith("submit")} <= {
        "submit done",
        "submit Refused",
        "submit NotFound",
        "submit Stale",
    }
    with fresh_app.app_context(), transaction() as session:
        states = session.scalars(select(Assignment.state).where(Assignment.application_id == application_id)).all()
        assert states == ["conflict"] * 5
        assert session.scalar(select(func.count()).select_from(ConflictRow)) == 5
        assert session.scalar(select(func.count()).select_from(Participant)) >= 1


@pytest.mark.parametrize(("effect", "strength"), [("bars", "hard"), ("none", None)])
def test_the_rule_set_says_what_a_tie_means(session: Session, effect: str, strength: str | None) -> None:
    rulings = (TieRuling(Tie.OTHER, TieEffect(effect)),)
    tender = tenders.open_tender(session, rules={"conflict_ties": rulings})
    (key,) = submissions.submitted(session, tender, [package()], state=State.EXPERTISE)
    inn = session.scalars(select(Organisation.inn).join(Application, Application.initiator_id == Organisation.id)).one()
    person = identity.user(session, Role.REVIEWER)
    ties.declare(session, identity.actor(session, person), user_id=person.id, values={"inn": inn, "kind": "other"})
    held = conflict_queries.kept_for(session, person.id, key)
    assert (held.strength if held else None) == strength
