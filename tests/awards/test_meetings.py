"""Meetings: every verb and each of its exits, what the database refuses, and what a secret ballot keeps to itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.awards import service
from portal.awards.commission import meetings, minutes, sitting
from portal.awards.commission import queries as meeting_queries
from portal.awards.commission.meetings import MeetingValues, Question
from portal.awards.commission.models import (
    AgendaItem,
    Choice,
    ItemKind,
    ItemState,
    Meeting,
    MemberVote,
    Recusal,
    SecretBallot,
)
from portal.awards.commission.rules import Count, has_quorum, outcome
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import scope
from portal.notifications.models import Notice
from portal.tenders.ruleset import Ballot
from tests.factories import awards, commission, identity
from tests.factories.awards import Stage
from tests.factories.commission import Commission

SECRET = {"ballot": Ballot.CLOSED}
HALF = (1, 2)


@pytest.fixture
def stage(session: Session) -> Stage:
    return commission.stage(session, [{2018: 100}, {2018: 50}])


@pytest.fixture
def open_one(stage: Stage) -> Commission:
    return commission.sitting_of(stage)


# Arithmetic


@st.composite
def counts(draw: st.DrawFn) -> Count:
    entitled = draw(st.integers(0, 12))
    present = draw(st.integers(0, entitled))
    yes = draw(st.integers(0, present))
    no = draw(st.integers(0, present - yes))
    return Count(entitled, present, yes, no, draw(st.integers(0, present - yes - no)))


@given(counts(), st.sampled_from([(1, 2), (2, 3), (1, 1)]), st.sampled_from([None, *Choice]), st.booleans())
def test_what_is_adopted_has_quorum_and_majority(
    count: Count, quorum: tuple[int, int], chair: Choice | None, secret: bool
) -> None:
    found = outcome(count, quorum, chair, secret=secret)
    assert (found is ItemState.NO_QUORUM) == (not has_quorum(count, quorum))
    if found is ItemState.ADOPTED:
        assert 2 * count.yes > count.present or (2 * count.yes == count.present and chair is Choice.YES and not secret)
    if found is ItemState.REJECTED:
        assert 2 * count.yes <= count.present
    if found is ItemState.TIED:
        assert secret
        assert 2 * count.yes == count.present


@pytest.mark.parametrize(("entitled", "present", "enough"), [(3, 2, True), (4, 2, False), (6, 4, True), (1, 1, False)])
def test_two_thirds_are_counted_in_whole_people(entitled: int, present: int, enough: bool) -> None:
    assert has_quorum(Count(entitled, present, 0, 0, 0), (2, 3)) == enough


# Planning


def values(stage: Stage, **changes: object) -> MeetingValues:
    seats = [awards.person(stage.session, Role.COMMISSION).user_id]
    held = {
        "starts_at": now(stage.session) + timedelta(days=2),
        "place": "Hall",
        "chair_id": stage.chair.user_id,
        "secretary_id": stage.officer.user_id,
        "members": seats,
        **changes,
    }
    return MeetingValues(**held)  # type: ignore[arg-type]


def test_a_planned_meeting_is_told_to_its_members(session: Session, stage: Stage) -> None:
    first = meetings.plan(session, stage.officer, stage.tender.id, values(stage))
    second = meetings.plan(session, stage.chair, stage.tender.id, values(stage))
    assert (first.number, second.number, first.state) == (1, 2, "planned")
    told = session.scalars(select(Notice.user_id).where(Notice.key.like(f"meeting:{first.id}:%"))).all()
    assert len(set(told)) == 3
    with pytest.raises(NotFound):
        meetings.plan(session, stage.officer, uuid4(), values(stage))
    with pytest.raises(Refused):
        meetings.plan(session, stage.member, stage.tender.id, values(stage))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"starts_at": None, "place": " "}, ["starts_at", "place"]),
        ({"chair_id": None}, ["chair"]),
        ({"secretary_id": None}, ["secretary"]),
        ({"members": []}, ["members"]),
    ],
)
def test_what_a_meeting_needs(stage: Stage, changes: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(Problems) as caught:
        meetings.plan(stage.session, stage.officer, stage.tender.id, values(stage, **changes))
    assert [problem.field for problem in caught.value.problems] == fields


def test_only_the_commission_sits_in_it(session: Session, stage: Stage) -> None:
    reviewer = awards.person(session, Role.REVIEWER)
    with pytest.raises(Problems) as caught:
        meetings.plan(session, stage.officer, stage.tender.id, values(stage, members=[reviewer.user_id]))
    assert [problem.field for problem in caught.value.problems] == ["members"]


def test_agenda(session: Session, stage: Stage, open_one: Commission) -> None:
    decision = service.draft(session, stage.officer, stage.track.id)
    item = open_one.item(decision)
    assert (item.ballot, item.quorum_parts, item.quorum_of, item.place) == ("open", 2, 3, 1)
    with pytest.raises(Conflict, match="on an agenda already"):
        open_one.item(decision)
    with pytest.raises(Problems):
        open_one.item(title=" ")
    for question in (Question(ItemKind.DECISION, decision_id=uuid4()), Question(ItemKind.TRACK)):
        with pytest.raises(Problems):
            meetings.add_item(session, stage.officer, open_one.meeting.id, question)
    track = meetings.add_item(
        session, stage.officer, open_one.meeting.id, Question(ItemKind.TRACK, tender_track_id=stage.track.id)
    )
    other = awards.person(session, Role.OFFICER)
    with pytest.raises(Refused, match="chair and the secretary of this meeting"):
        meetings.withdraw_item(session, other, track.id)
    meetings.withdraw_item(session, stage.officer, track.id)
    with pytest.raises(Conflict):
        meetings.withdraw_item(session, stage.officer, track.id)
    with pytest.raises(NotFound):
        meetings.withdraw_item(session, stage.officer, uuid4())
    service.discard(session, stage.officer, decision.id)
    assert item.state == "withdrawn"
    with pytest.raises(Conflict, match="signed or was discarded"):
        open_one.item(decision)
    sitting.close_meeting(session, stage.officer, open_one.meeting.id)
    with pytest.raises(Conflict, match="meeting is over"):
        open_one.item()


# Votes


def test_more_than_half_adopt_and_only_then_it_is_signed(session: Session, stage: Stage, open_one: Commission) -> None:
    decision = service.draft(session, stage.officer, stage.track.id)
    director = awards.person(session, Role.DIRECTOR)
    with pytest.raises(Conflict, match="has not adopted this list yet"):
        service.sign(session, director, decision.id)
    item = open_one.item(decision)
    assert open_one.vote(item, "no", "no", "yes").state == "rejected"
    with pytest.raises(Conflict, match="has not adopted this list yet"):
        service.sign(session, director, decision.id)
    again = open_one.vote(open_one.item(decision), "yes", "no", "yes")
    assert (again.state, again.entitled, again.present, again.yes, again.no) == ("adopted", 3, 3, 2, 1)
    service.sign(session, director, decision.id)
    assert decision.signed_at is not None


def test_the_database_signs_nothing_that_was_not_adopted(session: Session, stage: Stage) -> None:
    decision = service.draft(session, stage.officer, stage.track.id)
    director = awards.person(session, Role.DIRECTOR)
    with pytest.raises(IntegrityError, match="not adopted by a commission"), session.begin_nested():
        session.execute(
            text(
                "insert into decision_signature (id, decision_id, office, signed_by, digest)"
                " values (gen_random_uuid(), :decision, 'director', :person, :digest)"
            ),
            {"decision": decision.id, "person": director.user_id, "digest": decision.digest},
        )


def test_too_few_decide_nothing(session: Session, stage: Stage, open_one: Commission) -> None:
    for person in open_one.members:
        assert person.user_id is not None
        sitting.attend(session, stage.officer, open_one.meeting.id, person.user_id, present=False)
    item = open_one.item()
    sitting.open_item(session, stage.officer, item.id)
    with pytest.raises(Refused, match="not noted you as present"):
        sitting.vote(session, open_one.members[0], item.id, choice="yes")
    sitting.vote(session, stage.chair, item.id, choice="yes")
    assert sitting.close_item(session, stage.officer, item.id).state == "no_quorum"


def test_the_chair_decides_an_even_open_vote(stage: Stage) -> None:
    held = commission.sitting_of(stage, 3)
    for chair, state, casting in (("yes", "adopted", "yes"), ("no", "rejected", "no"), ("abstain", "rejected", None)):
        others = {"yes": ("yes", "no", "no"), "no": ("yes", "yes", "no"), "abstain": ("yes", "yes", "no")}[chair]
        item = held.vote(held.item(), chair, *others)
        assert (item.state, item.casting) == (state, casting)


def test_an_even_secret_ballot_waits_for_the_chair(session: Session) -> None:
    stage = commission.stage(session, [{2018: 1}], **SECRET)
    held = commission.sitting_of(stage, 3)
    decision = service.draft(session, stage.officer, stage.track.id)
    item = held.vote(held.item(decision), "no", "no", "yes", "yes")
    assert item.state == "tied"
    with pytest.raises(Conflict, match="End that vote first"):
        sitting.close_meeting(session, stage.chair, held.meeting.id)
    with pytest.raises(Conflict, match="voting on this list"):
        service.discard(session, stage.officer, decision.id)
    with pytest.raises(Refused, match="is the chair's"):
        sitting.cast(session, stage.officer, item.id, choice="yes")
    with pytest.raises(Problems):
        sitting.cast(session, stage.chair, item.id, choice="abstain")
    sitting.cast(session, stage.chair, item.id, choice="yes")
    assert (item.state, item.casting) == ("adopted", "yes")
    with pytest.raises(Conflict, match="No casting vote"):
        sitting.cast(session, stage.chair, item.id, choice="yes")
    with pytest.raises(NotFound):
        sitting.cast(session, stage.chair, uuid4(), choice="yes")


@pytest.mark.parametrize("ballot", list(Ballot))
def test_one_vote_each(session: Session, ballot: Ballot) -> None:
    stage = commission.stage(session, [{2018: 1}], ballot=ballot)
    held = commission.sitting_of(stage)
    item = held.item(service.draft(session, stage.officer, stage.track.id))
    with pytest.raises(Conflict, match="not being voted on"):
        sitting.vote(session, held.chair, item.id, choice="yes")
    sitting.open_item(session, stage.officer, item.id)
    with pytest.raises(Conflict, match="put to the vote already"):
        sitting.open_item(session, stage.officer, item.id)
    with pytest.raises(Problems):
        sitting.vote(session, held.chair, item.id, choice="perhaps")
    sitting.vote(session, held.chair, item.id, choice="yes")
    with pytest.raises(Conflict, match="voted on this question already"):
        sitting.vote(session, held.chair, item.id, choice="no")
    with pytest.raises(Conflict, match="voted on this question already"):
        sitting.declare(session, held.chair, item.id, reason="Too late")
    with pytest.raises(NotFound):
        sitting.vote(session, awards.person(session, Role.COMMISSION), item.id, choice="yes")
    with pytest.raises(Refused):
        sitting.vote(session, stage.officer, item.id, choice="yes")
    with pytest.raises(NotFound):
        sitting.vote(session, held.chair, uuid4(), choice="yes")
    second = held.item()
    with pytest.raises(Conflict, match="Another question"):
        sitting.open_item(session, stage.officer, second.id)
    sitting.close_item(session, stage.officer, item.id)
    with pytest.raises(Conflict, match="not being voted on"):
        sitting.close_item(session, stage.officer, item.id)
    with pytest.raises(NotFound):
        sitting.close_item(session, stage.officer, uuid4())


# Recusals


def test_who_is_tied_to_a_winner_neither_votes_nor_counts(session: Session, stage: Stage, open_one: Commission) -> None:
    tied = open_one.members[0]
    session.add(
        Membership(user_id=tied.user_id, organisation_id=stage.application(0).initiator_id, role=OrgRole.VIEWER)
    )
    session.flush()
    item = open_one.item(service.draft(session, stage.officer, stage.track.id))
    sitting.open_item(session, stage.officer, item.id)
    row = session.scalars(select(Recusal)).one()
    assert (row.user_id, row.source) == (tied.user_id, "graph")
    assert stage.application(0).number in row.reason["en"]
    with pytest.raises(Refused):
        sitting.vote(session, tied, item.id, choice="yes")
    with pytest.raises(Conflict, match="do not take part"):
        sitting.declare(session, tied, item.id, reason="Once more")
    for person in (open_one.chair, open_one.members[1]):
        sitting.vote(session, person, item.id, choice="yes")
    closed = sitting.close_item(session, stage.officer, item.id)
    assert (closed.state, closed.entitled, closed.present) == ("adopted", 2, 2)
    with pytest.raises(Conflict, match="vote on this question is over"):
        sitting.declare(session, open_one.chair, item.id, reason="After it")


def test_a_tie_found_during_the_vote_stops_it(session: Session, stage: Stage, open_one: Commission) -> None:
    item = open_one.item(service.draft(session, stage.officer, stage.track.id))
    sitting.open_item(session, stage.officer, item.id)
    tied = open_one.members[1]
    session.add(
        Membership(user_id=tied.user_id, organisation_id=stage.application(1).initiator_id, role=OrgRole.VIEWER)
    )
    session.flush()
    with pytest.raises(Refused, match="conflict of interest"):
        sitting.vote(session, tied, item.id, choice="yes")
    with pytest.raises(IntegrityError, match="conflict of interest"), session.begin_nested():
        session.add(MemberVote(item_id=item.id, user_id=tied.user_id, choice="yes"))
        session.flush()


def test_a_member_steps_aside(session: Session, stage: Stage, open_one: Commission) -> None:
    item, person = open_one.item(), open_one.members[0]
    with pytest.raises(Problems):
        sitting.declare(session, person, item.id, reason=" ")
    with pytest.raises(NotFound):
        sitting.declare(session, person, uuid4(), reason="Friends")
    sitting.declare(session, person, item.id, reason="Friends")
    sitting.open_item(session, stage.officer, item.id)
    with pytest.raises(Refused, match="do not take part"):
        sitting.vote(session, person, item.id, choice="yes")


# The database


def raw(session: Session, statement: str, **given: object) -> Callable[[], object]:
    def run() -> object:
        with session.begin_nested():
            return session.execute(text(statement), given)

    return run


def test_the_database_keeps_votes_and_results(session: Session, stage: Stage, open_one: Commission) -> None:
    person = open_one.chair.user_id
    item = open_one.item()
    insert = "insert into member_vote (item_id, user_id, choice) values (:item, :person, 'yes')"
    stranger = awards.person(session, Role.COMMISSION).user_id
    with pytest.raises(IntegrityError, match="has no vote"):
        raw(session, insert, item=item.id, person=person)()
    sitting.open_item(session, stage.officer, item.id)
    with pytest.raises(IntegrityError, match="has no vote"):
        raw(session, insert, item=item.id, person=stranger)()
    sitting.vote(session, open_one.chair, item.id, choice="yes")
    with pytest.raises(IntegrityError, match="pk_member_vote"):
        raw(session, insert, item=item.id, person=person)()
    for statement in ("update member_vote set choice = 'no'", "delete from member_vote", "delete from recusal"):
        if "recusal" in statement:
            sitting.declare(session, open_one.members[0], item.id, reason="Friends")
        with pytest.raises(IntegrityError, match="append-only"):
            raw(session, statement)()
    key = item.id
    with pytest.raises(IntegrityError, match="recused"), session.begin_nested():
        session.add(Recusal(item_id=key, user_id=person, source="declared", reason={"ru": "x", "en": "x"}))
        session.flush()
    session.expunge_all()
    result = (
        "update agenda_item set state = 'adopted', closed_at = now(), entitled = 2, present = 2, yes = {yes}, no = 0,"
        " abstained = 0 where id = :item"
    )
    with pytest.raises(IntegrityError, match="are not those of its votes"):
        raw(session, result.format(yes=2), item=key)()
    with pytest.raises(IntegrityError, match="majority"):
        raw(session, result.format(yes=1), item=key)()
    sitting.close_item(session, open_one.secretary, key)
    with pytest.raises(IntegrityError, match="stays as it is"):
        raw(session, "update agenda_item set state = 'voting' where id = :item", item=key)()


@pytest.mark.parametrize(
    "change",
    [
        "yes = yes + 1",
        "voters = '{}', yes = 0",
        "voters = voters || :stranger, yes = yes + 1",
        "yes = yes - 1, no = no + 1",
        "voters = voters || :voter, yes = yes - 1, no = no + 2",
        "voters = voters || :voter || :voter, no = no + 2",
    ],
)
def test_a_ballot_takes_one_vote_at_a_time(session: Session, change: str) -> None:
    stage = commission.stage(session, [{2018: 1}], **SECRET)
    held = commission.sitting_of(stage)
    item = held.item(service.draft(session, stage.officer, stage.track.id))
    sitting.open_item(session, stage.officer, item.id)
    sitting.vote(session, held.chair, item.id, choice="yes")
    given = {"stranger": uuid4(), "voter": held.members[0].user_id}
    typed = change
    for name in given:
        typed = typed.replace(f":{name}", f"cast(:{name} as uuid)")
    used = {name: value for name, value in given.items() if name in change}
    with pytest.raises(IntegrityError):
        raw(session, f"update secret_ballot set {typed}", **used)()
    with pytest.raises(IntegrityError, match="append-only"):
        raw(session, "delete from secret_ballot")()


def test_nothing_kept_joins_a_person_to_a_secret_vote(session: Session) -> None:
    """The same people in the same order, once with one's choice and once with another's: all rows look the same."""
    stage = commission.stage(session, [{2018: 1}], **SECRET)
    held = commission.sitting_of(stage)
    item = held.item(service.draft(session, stage.officer, stage.track.id))
    sitting.open_item(session, stage.officer, item.id)
    for person, choice in zip(held.everybody, ("no", "yes", "yes"), strict=True):
        sitting.vote(session, person, item.id, choice=choice)
    view = meeting_queries.meeting_view(session, stage.officer, held.meeting.id)
    assert view.items[0].voted == {person.user_id for person in held.everybody}
    assert view.items[0].choices == {}
    sitting.close_item(session, stage.officer, item.id)
    sitting.close_meeting(session, stage.officer, held.meeting.id)
    row = minutes.write(session, stage.officer, held.meeting.id)
    assert "votes" not in row.content["items"][0]
    session.commit()
    ballot = session.get_one(SecretBallot, item.id)
    assert ballot.voters == sorted(ballot.voters)
    assert session.scalars(select(MemberVote)).all() == []
    events = session.scalars(select(AuditEvent).where(AuditEvent.tag == "awards:vote:cast")).all()
    assert len(events) == 3
    assert {json.dumps(event.changes, sort_keys=True) for event in events} == {json.dumps({"item": str(item.id)})}
    assert meeting_queries.meeting_view(session, stage.officer, held.meeting.id).items[0].choices == {}


# Minutes


def test_minutes_are_signed_by_secretary_and_chair(session: Session, stage: Stage, open_one: Commission) -> None:
    decision = service.draft(session, stage.officer, stage.track.id)
    open_one.vote(open_one.item(decision), "yes", "yes", "no")
    waiting = open_one.item()
    meeting_id = open_one.meeting.id
    with pytest.raises(Conflict, match="written after the meeting"):
        minutes.write(session, stage.officer, meeting_id)
    with pytest.raises(Conflict, match="not written yet"):
        minutes.sign(session, stage.officer, meeting_id, seen="")
    sitting.close_meeting(session, stage.chair, meeting_id)
    assert session.get_one(AgendaItem, waiting.id).state == "withdrawn"
    row = minutes.write(session, stage.officer, meeting_id)
    said = row.content["items"]
    assert [(item["outcome"], item["yes"], item["decision"]["amount"]) for item in said] == [("adopted", 2, "150.00")]
    assert [vote["choice"] for vote in said[0]["votes"]] == ["yes", "yes", "no"]
    with pytest.raises(Conflict, match="written already"):
        minutes.write(session, stage.officer, meeting_id)
    with pytest.raises(Stale):
        minutes.sign(session, stage.officer, meeting_id, seen="0" * 64)
    minutes.sign(session, stage.officer, meeting_id, seen=row.digest)
    with pytest.raises(Conflict, match="signed these minutes already"):
        minutes.sign(session, stage.officer, meeting_id, seen=row.digest)
    minutes.sign(session, stage.chair, meeting_id, seen=row.digest)
    with pytest.raises(Refused):
        minutes.sign(session, awards.person(session, Role.OFFICER), meeting_id, seen=row.digest)
    for statement in ("update minutes set digest = ''", "delete from minutes_signature"):
        with pytest.raises(IntegrityError, match="append-only"):
            raw(session, statement)()
    held = minutes.of_meeting(session, meeting_id)
    assert held is not None
    assert [signature.capacity for signature in held.signatures] == ["secretary", "chair"]


def test_opening_and_closing(session: Session, stage: Stage, open_one: Commission) -> None:
    meeting_id = open_one.meeting.id
    with pytest.raises(Conflict, match="opened already"):
        sitting.open_meeting(session, stage.officer, meeting_id)
    with pytest.raises(NotFound):
        sitting.attend(session, stage.officer, meeting_id, uuid4(), present=True)
    sitting.close_meeting(session, stage.officer, meeting_id)
    with pytest.raises(Conflict, match="while the meeting is open"):
        sitting.close_meeting(session, stage.officer, meeting_id)
    with pytest.raises(NotFound):
        sitting.open_meeting(session, stage.officer, uuid4())


# Money and readers


def test_money_follows_what_is_adopted(session: Session, stage: Stage, open_one: Commission) -> None:
    decision = service.draft(session, stage.officer, stage.track.id)
    item = open_one.item(decision)
    before = meeting_queries.money(session, open_one.meeting)[0]
    assert (before.available, before.adopted, before.waiting, before.last) == (10**9, 0, 150, 10**9 - 150)
    open_one.vote(item, "yes", "yes", "yes")
    after = meeting_queries.money(session, open_one.meeting)[0]
    assert (after.available, after.adopted, after.waiting, after.left) == (10**9, 150, 0, 10**9 - 150)
    service.sign(session, awards.person(session, Role.DIRECTOR), decision.id)
    signed = meeting_queries.money(session, open_one.meeting)[0]
    assert (signed.available, signed.adopted) == (10**9 - 150, 0)


def test_who_sees_a_meeting(session: Session, stage: Stage, open_one: Commission) -> None:
    people = {role.value: awards.person(session, role) for role in Role}
    people["seated"] = open_one.members[0]
    people["applicant"] = identity.actor(session, identity.member(session, identity.organisation(session)))
    seen = {name for name, actor in people.items() if session.scalars(scope(actor, Meeting)).all()}
    assert seen == {"administrator", "officer", "chair", "auditor", "director", "finance", "seated"}
