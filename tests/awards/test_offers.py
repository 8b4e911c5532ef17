"""Partial funding: who is asked, what a yes and a no do, what the clock does, and what the database refuses."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.agreements import queries as agreement_queries
from portal.applications.models import Proof
from portal.applications.signatures.signing import FRESH, Shown
from portal.audit.models import AuditEvent
from portal.awards import basis, jobs, letters, queries, reserve_list, service
from portal.awards.allocation.problem import smallest_part
from portal.awards.commission import sitting
from portal.awards.models import AwardDecision, DecisionLine
from portal.awards.offers import queries as offer_queries
from portal.awards.offers import reminders
from portal.awards.offers import service as offers
from portal.awards.offers.models import AwardOffer, OfferState
from portal.awards.results import published_results
from portal.budget import queries as budget_queries
from portal.core.calendar import deadline
from portal.core.clock import MOSCOW, at, now
from portal.core.db import db, transaction
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused, Stale
from portal.core.jobs import Claim, Task
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.notifications.models import Letter, Notice
from tests.factories import awards, commission, identity
from tests.factories.awards import Stage, ruled

SHOWN = Shown(Proof.WORD)
REQUESTS = [{2018: 60, 2019: 10}, {2018: 50, 2019: 20}, {2018: 30}, {2018: 15}]


@pytest.fixture
def stage(session: Session) -> Stage:
    """The second fits only in part: 40 of 50 in 2018, 20 of 20 in 2019; whole 30 of the third fit without it."""
    made = awards.stage(session, REQUESTS, {2018: 100, 2019: 40})
    ruled(made, allotment="partial")
    return made


def drafted(stage: Stage) -> AwardDecision:
    return service.draft(stage.session, stage.chair, stage.track.id)


def sent(stage: Stage) -> AwardOffer:
    (offer,) = offers.send(stage.session, stage.officer, drafted(stage).id)
    return offer


def owner(stage: Stage, place: int = 1, role: OrgRole = OrgRole.OWNER) -> Actor:
    """Somebody of the initiator behind a place of the ranking."""
    person = identity.user(stage.session)
    organisation = stage.application(place).initiator_id
    stage.session.add(Membership(user_id=person.id, organisation_id=organisation, role=role))
    stage.session.flush()
    return identity.actor(stage.session, person)


def answered(stage: Stage, *, agree: bool, reason: str = "No other funds", place: int = 1) -> AwardOffer:
    offer = stage.session.scalars(
        select(AwardOffer).where(
            AwardOffer.application_id == stage.applications[place], AwardOffer.state == OfferState.OPEN
        )
    ).one()
    return offers.answer(stage.session, owner(stage, place), offer.id, agree=agree, reason=reason, shown=SHOWN)


def listed(stage: Stage, decision: AwardDecision) -> list[tuple[str, dict[int, Decimal]]]:
    rows = queries.decision_view(stage.session, stage.chair, decision.id).rows
    return [(row.line.outcome, {amount.year: amount.amount for amount in row.line.amounts}) for row in rows]


def due(session: Session, offer: AwardOffer) -> None:
    """What the worker does once the offer is due."""
    task = session.scalars(select(Task).where(Task.kind == offers.DUE)).one()
    assert task.payload == {"offer_id": str(offer.id)}
    assert task.run_after >= offer.due_at
    with at(session, task.run_after):
        jobs.offer_due(session, task.payload, Claim(task.id, task.number, 1, task.kind, task.payload, 1))


def subjects(session: Session, actor: Actor) -> list[str]:
    return list(
        session.scalars(select(Notice.subject["en"].astext).where(Notice.user_id == actor.user_id).order_by(Notice.id))
    )


# The arithmetic


@given(st.dictionaries(st.integers(2018, 2021), st.integers(0, 10**11), max_size=4), st.integers(1, 10_000))
def test_a_smallest_part_is_no_less_than_the_share_and_no_more_than_a_kopeck_above(
    kopecks: dict[int, int], share: int
) -> None:
    asked = {year: Decimal(amount) / 100 for year, amount in kopecks.items()}
    percent = Decimal(share) / 100
    found = smallest_part(asked, percent)
    assert set(found) == {year for year, amount in asked.items() if amount}
    for year, least in found.items():
        assert 0 <= least * 100 - asked[year] * percent < 1
        assert least <= asked[year]


# Who is asked


def test_the_draft_gives_the_part_and_the_rest_goes_on(stage: Stage) -> None:
    decision = drafted(stage)
    assert listed(stage, decision) == [
        ("award", {2018: 60, 2019: 10}),
        ("award", {2018: 40, 2019: 20}),
        ("reserve", {}),
        ("reserve", {}),
    ]
    (part,) = offer_queries.parts(stage.session, decision)
    assert (part.state, part.asked, part.offered) == ("unsent", {2018: 50, 2019: 20}, {2018: 40, 2019: 20})
    with pytest.raises(Conflict, match="ask its initiator first"):
        service.sign(stage.session, stage.member, decision.id)


@pytest.mark.parametrize(("share", "outcomes"), [("80", ["award", "award"]), ("80.01", ["award", "reserve"])])
def test_less_than_the_rules_call_a_part_is_not_offered(stage: Stage, share: str, outcomes: list[str]) -> None:
    ruled(stage, smallest_part=share)
    assert [outcome for outcome, _ in listed(stage, drafted(stage))][:2] == outcomes


def test_other_policies_ask_nobody(session: Session, stage: Stage) -> None:
    ruled(stage, allotment="skipping")
    decision = drafted(stage)
    assert offer_queries.parts(session, decision) == []
    with pytest.raises(Conflict):
        offers.send(session, stage.chair, decision.id)


def test_an_offer_says_what_and_until_when(session: Session, stage: Stage) -> None:
    person = owner(stage)
    editor = owner(stage, role=OrgRole.EDITOR)
    offer = sent(stage)
    assert [(each.year, each.asked, each.offered, each.own) for each in offer.amounts] == [
        (2018, 50, 40, 10),
        (2019, 20, 20, 0),
    ]
    assert offer.due_at == deadline(now(session).astimezone(MOSCOW).date(), 5, MOSCOW)
    assert subjects(session, person) == [f"Application {stage.application(1).number}: a part of the subsidy is offered"]
    assert subjects(session, editor) == []
    letter = session.scalars(select(Letter).where(Letter.user_id == person.user_id)).one()
    assert "2018: RUB\u00a040 of RUB\u00a050" in letter.text
    assert "RUB\u00a010" in letter.text
    assert "MSK" in letter.text
    session.execute(text("set constraints all immediate"))


def test_the_time_to_answer_is_that_of_the_rules(session: Session, stage: Stage) -> None:
    ruled(stage, offer_days=2)
    assert sent(stage).due_at == deadline(now(session).astimezone(MOSCOW).date(), 2, MOSCOW)


def test_who_sends_and_when(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    with pytest.raises(Refused):
        offers.send(session, stage.member, decision.id)
    with pytest.raises(NotFound):
        offers.send(session, stage.chair, uuid4())
    with pytest.raises(Stale):
        offers.send(session, stage.chair, decision.id, expected_version=decision.version + 1)
    tied = awards.person(session, Role.OFFICER)
    organisation = stage.application(1).initiator_id
    session.add(Membership(user_id=tied.user_id, organisation_id=organisation, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused):
        offers.send(session, tied, decision.id)
    offers.send(session, stage.chair, decision.id)
    with pytest.raises(Conflict, match="Nobody has to be asked"):
        offers.send(session, stage.chair, decision.id)
    service.discard(session, stage.chair, decision.id)
    with pytest.raises(Conflict, match="discarded"):
        offers.send(session, stage.chair, decision.id)


def test_nobody_is_offered_what_is_no_longer_true(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    ruled(stage, smallest_part="90")
    with pytest.raises(Conflict, match="Draft it anew"):
        offers.send(session, stage.chair, decision.id)


# Yes


def test_after_a_yes_just_this_is_signed_booked_and_told(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    decision = session.get_one(AwardDecision, offer.decision_id)
    with pytest.raises(Conflict, match="Wait for the answer"):
        service.sign(session, stage.member, decision.id)
    done = answered(stage, agree=True, reason="")
    assert (done.state, done.proof, done.reason) == (OfferState.ACCEPTED, "password", "")
    service.sign(session, stage.member, decision.id)
    service.publish(session, stage.officer, decision.id)
    assert stage.states() == ["awarded", "awarded", "reserve", "reserve"]
    left = budget_queries.available(session, stage.tender.programme_id, stage.track.track)
    assert left == {2018: 0, 2019: 10}
    found = published_results(session, stage.tender.id)[0].lines[1]
    assert found.amounts == {2018: 40, 2019: 20}
    line = session.scalars(select(DecisionLine).where(DecisionLine.application_id == stage.applications[1])).one()
    session.refresh(line, ["amounts", "application"])
    said = [message.params for message in letters.paragraphs(line, None) if "amount" in message.params]
    assert [str(each["year"]) for each in said] == ["2018", "2019"]
    waiting = session.execute(agreement_queries.waiting(stage.officer)).all()
    assert len(waiting) == 2
    assert [item.number for item in reserve_list.waiting_of(session, stage.track.id)] == [
        stage.application(2).number,
        stage.application(3).number,
    ]
    session.commit()
    assert budget_queries.verify(session)[1] is None


def test_a_yes_to_other_amounts_does_not_bind(session: Session, stage: Stage) -> None:
    """The money has changed since: the new part has to be agreed to again."""
    sent(stage)
    answered(stage, agree=True)
    awards.budget.envelope(session, stage.tender.programme_id, stage.track.track, 2020, Decimal(1))
    session.execute(text('update score set amounts = \'{"2018": "62.00", "2019": "10.00"}\' where total = 90'))
    session.expire_all()
    decision = session.scalars(select(AwardDecision)).one()
    again = service.redraft(session, stage.chair, decision.id)
    (part,) = offer_queries.parts(session, again)
    assert (part.state, part.offered) == ("unsent", {2018: 38, 2019: 20})
    with pytest.raises(Conflict, match="ask its initiator first"):
        service.sign(session, stage.member, again.id)


# No


def test_after_a_no_the_money_goes_on_to_the_next(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    decision = session.get_one(AwardDecision, offer.decision_id)
    done = answered(stage, agree=False)
    assert (done.state, done.reason) == (OfferState.REFUSED, "No other funds")
    assert any("answer to the offer" in subject for subject in subjects(session, stage.chair))
    with pytest.raises(Conflict, match="Since this list was drafted"):
        service.sign(session, stage.member, decision.id)
    again = service.redraft(session, stage.chair, decision.id)
    # The third is whole now; the fourth is offered what is left of it.
    assert listed(stage, again) == [
        ("award", {2018: 60, 2019: 10}),
        ("reserve", {}),
        ("award", {2018: 30}),
        ("award", {2018: 10}),
    ]
    rows = queries.decision_view(session, stage.chair, again.id).rows
    assert rows[1].line.reason["en"] == (
        "A part was offered, RUB\u00a060 of RUB\u00a070, and its initiator did not agree: reserve list."
    )
    (following,) = offers.send(session, stage.chair, again.id)
    assert following.application_id == stage.applications[3]
    answered(stage, agree=True, place=3)
    service.sign(session, stage.member, again.id)
    assert stage.states() == ["awarded", "reserve", "awarded", "awarded"]


def test_no_answer_in_time_is_a_no(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    person = owner(stage)
    assert offers.expire(session, offer.id) is None
    with at(session, offer.due_at), pytest.raises(Conflict, match="time to answer"):
        offers.answer(session, person, offer.id, agree=True, reason="", shown=SHOWN)
    due(session, offer)
    assert (offer.state, offer.answered_by) == (OfferState.EXPIRED, None)
    with at(session, offer.due_at + timedelta(days=1)):
        assert offers.expire(session, offer.id) is None
        with pytest.raises(Conflict, match="time to answer"):
            offers.answer(session, person, offer.id, agree=True, reason="", shown=SHOWN)
    again = service.redraft(session, stage.chair, offer.decision_id)
    rows = queries.decision_view(session, stage.chair, again.id).rows
    assert "did not answer in time" in rows[1].line.reason["en"]
    assert "the offer has expired" in subjects(session, person)[-1]


def test_an_answer_in_the_last_moment_counts(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    with at(session, offer.due_at - timedelta(microseconds=1)):
        assert answered(stage, agree=True).state == OfferState.ACCEPTED
    due(session, offer)
    assert offer.state == OfferState.ACCEPTED


def test_who_answers_and_how(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    for person in (stage.chair, identity.actor(session, identity.user(session))):
        with pytest.raises(NotFound):
            offers.answer(session, person, offer.id, agree=True, reason="", shown=SHOWN)
    with pytest.raises(Refused):
        offers.answer(session, owner(stage, 1, OrgRole.EDITOR), offer.id, agree=True, reason="", shown=SHOWN)
    signatory = owner(stage, 1, OrgRole.SIGNATORY)
    with pytest.raises(NotFound):
        offers.answer(session, signatory, uuid4(), agree=True, reason="", shown=SHOWN)
    for reason in (" ", "x" * 2_001):
        with pytest.raises(Problems) as caught:
            offers.answer(session, signatory, offer.id, agree=False, reason=reason, shown=SHOWN)
        assert caught.value.problems[0].field == "reason"
    old = Shown(Proof.WORD, FRESH + timedelta(seconds=1))
    with pytest.raises(Problems) as caught:
        offers.answer(session, signatory, offer.id, agree=True, reason="", shown=old)
    assert caught.value.problems[0].field == "password"
    offers.answer(session, signatory, offer.id, agree=True, reason="", shown=SHOWN)
    with pytest.raises(Conflict, match="answered already"):
        offers.answer(session, signatory, offer.id, agree=False, reason="Thought again", shown=SHOWN)
    session.commit()
    told = session.scalars(select(AuditEvent).where(AuditEvent.tag == offers.ANSWER)).one()
    assert told.changes["amounts"] == {"2018": "40.00", "2019": "20.00"}


# The draft is put away


def test_a_discarded_list_withdraws_its_offers(session: Session, stage: Stage) -> None:
    person = owner(stage)
    offer = sent(stage)
    service.discard(session, stage.chair, offer.decision_id)
    session.refresh(offer)
    assert offer.state == OfferState.WITHDRAWN
    assert "withdrawn" in subjects(session, person)[-1]
    with pytest.raises(Conflict, match="withdrawn"):
        offers.answer(session, person, offer.id, agree=True, reason="", shown=SHOWN)
    # What was withdrawn is no answer: the list drafted next offers the part again.
    (again,) = offers.send(session, stage.chair, drafted(stage).id)
    assert again.by_year == {2018: 40, 2019: 20}


def test_a_list_drafted_anew_keeps_offers_of_the_same_amounts(session: Session) -> None:
    """Two are asked at once, of different years; one says no, which changes nothing for the other."""
    made = awards.stage(session, [{2018: 60}, {2018: 50}, {2019: 60}], {2018: 100, 2019: 50})
    ruled(made, allotment="partial")
    first = drafted(made)
    refusing, keeping = offers.send(session, made.chair, first.id)
    answered(made, agree=False)
    again = service.redraft(session, made.chair, first.id)
    for offer in (refusing, keeping):
        session.refresh(offer)
    assert (refusing.state, keeping.state) == (OfferState.REFUSED, OfferState.OPEN)
    (part,) = offer_queries.parts(session, again)
    assert part.offer is keeping
    answered(made, agree=True, place=2)
    service.sign(session, made.member, again.id)
    assert made.states() == ["awarded", "reserve", "awarded"]


def test_a_list_drafted_anew_withdraws_offers_of_other_amounts(session: Session) -> None:
    """The second says no: the third would get more than it was offered."""
    made = awards.stage(session, [{2018: 60}, {2018: 30, 2019: 20}, {2018: 20, 2019: 30}], {2018: 100, 2019: 40})
    ruled(made, allotment="partial", smallest_part="40")
    first = drafted(made)
    assert listed(made, first)[2] == ("award", {2018: 10, 2019: 20})
    (offer,) = offers.send(session, made.chair, first.id)
    session.execute(text('update score set amounts = \'{"2018": "65.00"}\' where total = 90'))
    session.expire_all()
    again = service.redraft(session, made.chair, first.id)
    session.refresh(offer)
    assert offer.state == OfferState.WITHDRAWN
    assert listed(made, again)[1:] == [("award", {2018: 30, 2019: 20}), ("reserve", {})]


def test_only_a_first_list_is_drafted_anew(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    answered(stage, agree=True)
    service.sign(session, stage.member, offer.decision_id)
    with pytest.raises(Conflict, match="not discarded"):
        service.redraft(session, stage.chair, offer.decision_id)
    with pytest.raises(Refused):
        service.redraft(session, stage.member, offer.decision_id)


def test_the_commission_does_not_vote_before_the_answer(session: Session) -> None:
    made = commission.stage(session, [{2018: 60}, {2018: 50}], {2018: 100})
    ruled(made, allotment="partial")
    decision = service.draft(session, made.officer, made.track.id)
    offers.send(session, made.officer, decision.id)
    held = commission.sitting_of(made, 3)
    item = held.item(decision)
    with pytest.raises(Conflict, match="Wait for the answer"):
        sitting.open_item(session, held.secretary, item.id)
    answered(made, agree=True)
    assert sitting.open_item(session, held.secretary, item.id).state == "voting"


# Reminders


def test_who_may_answer_is_reminded_once_for_each_stage(session: Session, stage: Stage) -> None:
    person = owner(stage)
    offer = sent(stage)
    for days, count in ((4, 0), (2, 1), (0.5, 1)):
        found = list(reminders.offers(session, offer.due_at - timedelta(days=days)))
        assert len(found) == count, days
        assert all(person.user_id in [reader.id for reader in each.readers] for each in found)
    keys = {each.key for days in (2, 0.5) for each in reminders.offers(session, offer.due_at - timedelta(days=days))}
    assert len(keys) == 2
    answered(stage, agree=True)
    assert list(reminders.offers(session, offer.due_at - timedelta(hours=1))) == []


# The database


def test_the_database_keeps_offers_as_they_are(session: Session, stage: Stage) -> None:
    offer = sent(stage)
    session.execute(text("set constraints all immediate"))
    key = {"key": offer.id}
    for statement in (
        "delete from award_offer where id = :key",
        "update award_offer set due_at = due_at + interval '1 day' where id = :key",
        "update award_offer_amount set offered = asked where offer_id = :key",
        "delete from award_offer_amount where offer_id = :key",
        "insert into award_offer_amount values (:key, 2020, 10, 5)",
        "update award_offer set state = 'accepted', ended_at = portal_now() where id = :key",
        "update award_offer set state = 'expired', ended_at = due_at where id = :key",
        "update award_offer set state = 'refused', answered_by = sent_by, proof = 'password', ended_at = portal_now()"
        " where id = :key",
        "update award_decision set signed_at = portal_now(), signed_by = (select id from user_account"
        " where id <> drafted_by limit 1) where id = (select decision_id from award_offer where id = :key)",
        "insert into award_offer select gen_random_uuid(), tender_track_id, application_id, submission_id,"
        " decision_id, sent_by, sent_at, due_at, 'open' from award_offer where id = :key",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement), key)
    with at(session, offer.due_at), pytest.raises(IntegrityError), session.begin_nested():
        session.execute(
            text(
                "update award_offer set state = 'accepted', answered_by = sent_by, proof = 'password',"
                " ended_at = due_at - interval '1 second' where id = :key"
            ),
            key,
        )
    answered(stage, agree=False)
    for statement in (
        "update award_offer set state = 'accepted' where id = :key",
        "update award_offer set reason = 'other' where id = :key",
        "insert into decision_signature (id, decision_id, office, signed_by, digest) select gen_random_uuid(),"
        " decision_id, 'member', sent_by, 'x' from award_offer where id = :key",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement), key)


def test_what_is_offered_is_what_the_list_gives(session: Session, stage: Stage) -> None:
    decision = drafted(stage)
    for amounts in ([], [(2018, 50, 39), (2019, 20, 20)], [(2018, 50, 40)], [(2018, 40, 40), (2019, 20, 20)]):
        offer = AwardOffer(
            tender_track_id=stage.track.id,
            application_id=stage.applications[1],
            submission_id=stage.application(1).submission_id,
            decision_id=decision.id,
            sent_by=stage.chair.user_id,
            due_at=now(session) + timedelta(days=5),
            amounts=[offers.OfferAmount(year=year, asked=Decimal(a), offered=Decimal(b)) for year, a, b in amounts],
        )
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(offer)
            session.flush()
            session.execute(text("set constraints all immediate"))


# Races


def at_once(app: Flask, works: list[object]) -> list[str]:
    """Each in a thread with a connection of its own; their answers."""
    answers = [""] * len(works)
    barrier = threading.Barrier(len(works))

    def run(number: int) -> None:
        with app.app_context():
            try:
                db.session.connection()
                barrier.wait(30)
                with transaction() as current:
                    works[number](current)  # type: ignore[operator]
                answers[number] = "done"
            except PortalError as error:
                answers[number] = type(error).__name__
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def offered(app: Flask) -> tuple[UUID, UUID, list[Actor], Stage]:
    with app.app_context(), transaction() as current:
        made = awards.stage(current, REQUESTS, {2018: 100, 2019: 40})
        ruled(made, allotment="partial")
        people = [owner(made) for _ in range(4)]
        offer = sent(made)
        return offer.id, offer.decision_id, people, made


@pytest.mark.slow
def test_two_answers_at_once_are_one(fresh_app: Flask) -> None:
    offer, _, people, _ = offered(fresh_app)

    def say(person: Actor, agree: bool) -> object:
        return lambda current: offers.answer(current, person, offer, agree=agree, reason="Why", shown=SHOWN)

    answers = at_once(fresh_app, [say(person, place % 2 == 0) for place, person in enumerate(people)])
    assert Counter(answers) == {"done": 1, "Conflict": 3}
    with fresh_app.app_context():
        told = db.session.scalar(select(func.count()).where(AuditEvent.tag == offers.ANSWER))
        assert told == 1


@pytest.mark.slow
def test_an_answer_against_the_clock_against_a_new_draft_against_a_signature(fresh_app: Flask) -> None:
    """Whatever comes first, the offer ends once, and nothing is signed that was not agreed to."""
    offer, decision, people, made = offered(fresh_app)
    with fresh_app.app_context(), transaction() as current:
        # Two seconds from now: some come before, some after.
        current.execute(text("alter table award_offer disable trigger guard_offer"))
        current.execute(text("update award_offer set due_at = portal_now() + interval '0.3 seconds'"))
        current.execute(text("alter table award_offer enable trigger guard_offer"))

    def late(current: Session) -> object:
        current.execute(text("select pg_sleep(0.3)"))
        return offers.expire(current, offer)

    def answer(current: Session) -> object:
        current.execute(text("select pg_sleep(0.3)"))
        return offers.answer(current, people[0], offer, agree=True, reason="", shown=SHOWN)

    answers = at_once(
        fresh_app,
        [late, answer, late, lambda current: service.sign(current, made.member, decision)],
    )
    assert set(answers[:3]) <= {"done", "Conflict"}
    assert answers[3] == "Conflict"
    with fresh_app.app_context():
        row = db.session.get_one(AwardOffer, offer)
        ends = db.session.scalar(select(func.count()).where(AuditEvent.tag.in_((offers.ANSWER, offers.EXPIRE))))
        assert (row.state in (OfferState.ACCEPTED, OfferState.EXPIRED), ends) == (True, 1)
        assert (row.state == OfferState.ACCEPTED) == (answers[1] == "done")


def test_consent_and_amounts_are_what_the_digest_covers(session: Session, stage: Stage) -> None:
    """A yes changes nothing of the list that is signed."""
    offer = sent(stage)
    before = session.get_one(AwardDecision, offer.decision_id).digest
    answered(stage, agree=True)
    track = stage.track
    session.refresh(track, ["tender"])
    assert basis.present(session, track).digest == before
