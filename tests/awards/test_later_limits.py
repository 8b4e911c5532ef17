"""Limits of the programme after the first decision: the reserve list keeps them, a correction says why it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.agreements import refusing
from portal.awards import amending, later_limits, reserve_list, service
from portal.awards.allocation.problem import PERCENT, PROJECTS, Candidate, Limit
from portal.awards.amendment_checks import Change
from portal.awards.later_limits import Standing
from portal.awards.locks import locked_decision
from portal.awards.models import Award, AwardDecision, DecisionKind
from portal.awards.reserve_list import Waiting
from portal.awards.results import published_results
from portal.core.canonical import digest
from portal.core.errors import Conflict, Problems
from portal.core.language import render
from portal.identity.models import Membership, OrgRole
from portal.scoring.queries import rules_of
from portal.tenders.models import Track
from tests.factories import awards, identity
from tests.factories import tenders as tenders_factory
from tests.factories.awards import Stage, over_both, ruled

ONE_EACH = {
    "code": "L1",
    "title": {"ru": "Проектов региона", "en": "Projects of a region"},
    "field": "region",
    "value": "*",
    "least": None,
    "most": "1",
    "unit": "projects",
}
SMALL = {**ONE_EACH, "code": "L2", "field": "sme", "value": "", "least": "1", "most": None}
SHARE = {**ONE_EACH, "code": "L3", "value": "36", "most": "60", "unit": "percent"}


def decided(stages: Sequence[Stage]) -> None:
    """The first decisions of tracks, signed and published."""
    drafts = [service.draft(stage.session, stage.chair, stage.track.id) for stage in stages]
    for stage, decision in zip(stages, drafts, strict=True):
        service.sign(stage.session, stage.member, decision.id)
    for stage, decision in zip(stages, drafts, strict=True):
        if decision.published_at is None:
            service.publish(stage.session, stage.officer, decision.id)


def settle(stage: Stage, regions: Sequence[int], *, small: Sequence[int] = ()) -> None:
    """Initiators of these regions in the order of the ranking; ``small``: places of those that are small."""
    for place, region in enumerate(regions):
        sme = "small" if place in small else "none"
        organisation = identity.organisation(stage.session, region=region, sme=sme)
        stage.application(place).initiator_id = organisation.id
    stage.session.flush()


def of_track(session: Session, limits: list[dict[str, Any]], regions: Sequence[int], **more: Any) -> Stage:
    """Awards of 60 and 40 of 100, then a reserve list of 30 and 20."""
    made = awards.stage(session, [{2018: 60}, {2018: 40}, {2018: 30}, {2018: 20}], {2018: 100})
    settle(made, regions, **more)
    ruled(made, limits=limits)
    decided([made])
    return made


def changed(stage: Stage, place: int, outcome: Award, amount: int = 0, *, beyond: str = "") -> AwardDecision:
    change = Change(stage.applications[place], outcome, {2018: Decimal(amount)} if amount else {})
    return amending.amend(
        stage.session,
        stage.chair,
        stage.track.id,
        kind=DecisionKind.CORRECTION,
        changes=[change],
        grounds="Ruling on an appeal",
        beyond=beyond,
    )


def told(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, render(problem.message, "en")) for problem in caught.value.problems]


def refuse(stage: Stage, place: int) -> None:
    person = identity.user(stage.session)
    organisation = stage.application(place).initiator_id
    stage.session.add(Membership(user_id=person.id, organisation_id=organisation, role=OrgRole.OWNER))
    stage.session.flush()
    refusing.refuse(stage.session, identity.actor(stage.session, person), stage.applications[place], reason="Demo")


def returned(stage: Stage) -> list[reserve_list.ReserveProposal]:
    """What the portal proposes for all the money that was given back."""
    keys = stage.session.scalars(select(reserve_list.Posting.id).where(reserve_list.Posting.kind == "release")).all()
    return [proposal for key in keys for proposal in reserve_list.propose(stage.session, key)]


# Pure


@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from("AB")), max_size=7),
    st.integers(0, 90),
    st.integers(0, 2),
    st.integers(0, 1),
)
def test_who_moves_up_keeps_money_and_limits_and_nobody_is_passed_over_without_a_reason(
    asked: list[tuple[int, str]], money: int, most: int, awarded: int
) -> None:
    waiting = [
        Waiting(uuid4(), str(at), "", "", at, None, {2018: Decimal(amount)})
        for at, (amount, _region) in enumerate(asked)
    ]
    region = {item.application_id: asked[at][1] for at, item in enumerate(waiting)}
    given_to = {key: Candidate(str(key), "", "", 0, Decimal(0), {}, region=name) for key, name in region.items()}
    for _ in range(awarded):
        key = uuid4()
        given_to[key] = Candidate(str(key), "", "", 0, Decimal(0), {2018: Decimal(1)}, region="A")
    limit = Limit("L", "region", "*", None, Decimal(most), PROJECTS)
    held = Standing((limit,), {"L": {"ru": "", "en": ""}}, given_to)
    found = reserve_list.next_in_line(waiting, {2018: Decimal(money)}, held)
    counts, left, right = Counter("A" * awarded), money, []
    for item, (amount, name) in zip(waiting, asked, strict=True):
        if counts[name] + 1 > most:
            continue
        if amount > left:
            break
        counts[name] += 1
        left -= amount
        right.append(item)
    assert found == right
    passed = {item.application_id for item, _limit in reserve_list.passed_over(waiting, found, held)}
    last = max((waiting.index(item) for item in found), default=-1)
    assert passed == {item.application_id for item in waiting[: last + 1]} - {item.application_id for item in found}


def test_percent_is_of_the_money_before_the_first_decision() -> None:
    key = uuid4()
    limit = Limit("L", "region", "36", Decimal("33.333"), Decimal("66.667"), PERCENT, "export")
    one = Candidate(str(key), "", "export", 0, Decimal(0), {2019: Decimal(40)}, region="36")
    held = Standing((limit,), {"L": {}}, {key: one}, {"export": Decimal(100), "import_substitution": Decimal(900)})
    (counted,) = held.after({key: {2019: Decimal(67)}})
    assert (counted.before, counted.after, counted.least, counted.most) == (40, 67, Decimal("33.34"), Decimal("66.66"))
    assert (counted.over, counted.under) == (True, False)
    assert later_limits.counted_of(counted.to_plain()) == counted


# The reserve list


def test_the_reserve_list_passes_over_who_would_break_a_limit(session: Session) -> None:
    stage = of_track(session, [ONE_EACH], [36, 77, 36, 50])
    assert stage.states() == ["awarded", "awarded", "reserve", "reserve"]
    refuse(stage, 1)
    (proposal,) = returned(stage)
    assert [line["application"] for line in proposal.lines] == [str(stage.applications[3])]
    waiting = reserve_list.waiting_of(session, stage.track.id)
    stands = reserve_list.standing_of(session, stage.track, waiting)
    ((passed, limit),) = reserve_list.passed_over(waiting, waiting[1:], stands)
    assert (passed.application_id, limit.value) == (stage.applications[2], "36")
    decision = reserve_list.draft(session, stage.chair, proposal.id, grounds="Money has returned")
    service.sign(session, stage.member, decision.id)
    assert stage.states() == ["awarded", "renounced", "reserve", "awarded"]


def test_a_refused_award_makes_room_in_its_limit(session: Session) -> None:
    stage = of_track(session, [ONE_EACH], [36, 77, 36, 50])
    refuse(stage, 0)
    (proposal,) = returned(stage)
    assert [line["application"] for line in proposal.lines] == [str(stage.applications[2]), str(stage.applications[3])]


def test_no_proposal_where_everybody_would_break_a_limit(session: Session) -> None:
    stage = of_track(session, [ONE_EACH], [36, 77, 36, 36])
    refuse(stage, 1)
    assert returned(stage) == []


def test_a_supplementary_decision_never_breaks_a_limit(session: Session) -> None:
    stage = of_track(session, [ONE_EACH], [36, 77, 36, 50])
    refuse(stage, 1)
    change = Change(stage.applications[2], Award.AWARD, {2018: Decimal(30)})
    with pytest.raises(Problems) as caught:
        amending.amend(
            session,
            stage.chair,
            stage.track.id,
            kind=DecisionKind.SUPPLEMENTARY,
            changes=[change],
            grounds="Money has returned",
            beyond="No excuse",
        )
    ((where, what),) = told(caught)
    assert where == "application"
    assert what.startswith("The limit “Projects of a region” (Voronezh")
    assert what.endswith("allows no more than 1; with this decision: 2.")


# Corrections


def test_a_correction_breaks_a_limit_with_a_reason_only(session: Session) -> None:
    stage = of_track(session, [ONE_EACH], [36, 77, 36, 50])
    refuse(stage, 1)
    with pytest.raises(Problems) as caught:
        changed(stage, 2, Award.AWARD, 30)
    assert [where for where, _what in told(caught)] == ["beyond", "beyond"]
    assert "why the limit gives way" in told(caught)[1][1]
    decision = changed(stage, 2, Award.AWARD, 30, beyond="  By the ruling  of 1 March ")
    assert decision.beyond is not None
    assert decision.beyond["reason"] == "By the ruling of 1 March"
    service.sign(session, stage.member, decision.id)
    service.publish(session, stage.officer, decision.id)
    session.expire_all()
    (before,) = session.scalars(select(AwardDecision).where(AwardDecision.number == 1))
    kept = locked_decision(session, decision.id, None)
    shown = published_results(session, stage.tender.id)[0].chain[1]
    assert (shown.excuse, [each.after for each in shown.broken]) == ("By the ruling of 1 March", [2])
    assert digest(amending.recorded(kept, before.digest)) == kept.digest
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("update award_decision set beyond = cast('{}' as jsonb) where number = 2"))


def test_what_keeps_the_limits_keeps_no_excuse(session: Session) -> None:
    stage = of_track(session, [ONE_EACH], [36, 77, 36, 50])
    refuse(stage, 1)
    assert changed(stage, 3, Award.AWARD, 20, beyond="Needless").beyond is None


def test_a_minimum_and_a_share_are_looked_at_too(session: Session) -> None:
    """The only small initiator goes: its minimum breaks. Region 36 has 60 of 100 already, which is its share."""
    stage = of_track(session, [SMALL, SHARE], [36, 77, 36, 50], small=[1])
    with pytest.raises(Problems) as caught:
        changed(stage, 1, Award.DECLINE)
    assert "asks for at least 1; with this decision: 0." in told(caught)[0][1]
    with pytest.raises(Problems) as caught:
        changed(stage, 2, Award.AWARD, 30)
    assert [where for where, _what in told(caught)] == ["amounts", "beyond", "beyond"]
    assert "allows no more than RUB\u00a060; with this decision: RUB\u00a090." in told(caught)[1][1]
    assert changed(stage, 0, Award.AWARD, 50).beyond is None


# Both tracks


def joined(session: Session, most: int) -> tuple[Stage, Stage]:
    """An award and a reserve on each track, all of one region, of which ``most`` projects may be awarded."""
    limit = {**ONE_EACH, "most": str(most)}
    tender = tenders_factory.closed_tender(session, **over_both([limit]))
    awards.own_programme(session, tender)
    imports = awards.stage(session, [{2018: 60}, {2018: 40}], {2018: 100}, tender=tender, declined=[1])
    exports = awards.stage(
        session, [{2018: 60}, {2018: 40}], {2018: 100}, tender=tender, track=Track.EXPORT, declined=[1]
    )
    for stage in (imports, exports):
        settle(stage, [36, 36])
    decided([imports, exports])
    return imports, exports


def test_awards_of_the_other_track_count(session: Session) -> None:
    imports, exports = joined(session, 2)
    assert (imports.states(), exports.states()) == (["awarded", "declined"], ["awarded", "declined"])
    with pytest.raises(Problems):
        changed(imports, 1, Award.AWARD, 40)
    service.sign(session, imports.member, changed(exports, 0, Award.DECLINE).id)
    assert changed(imports, 1, Award.AWARD, 40).beyond is None


def test_a_draft_is_not_signed_when_the_other_track_has_taken_the_room(session: Session) -> None:
    imports, exports = joined(session, 3)
    first, second = changed(imports, 1, Award.AWARD, 40), changed(exports, 1, Award.AWARD, 40)
    service.sign(session, imports.member, first.id)
    rules = rules_of(session, exports.track.id)
    counted = later_limits.of_decision(session, exports.track, second, rules)
    assert [(each.before, each.after, each.broken) for each in counted] == [(3, 4, True)]
    with pytest.raises(Conflict, match="Discard this decision and draft it anew"):
        service.sign(session, exports.member, second.id)
