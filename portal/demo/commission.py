"""The commission of the demo: the meetings over 2016 with their minutes, the one planned over 2018, an appeal."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.audit import heads
from portal.awards import amending, queries, service
from portal.awards.allocation import computing as allocating
from portal.awards.amendment_checks import Change
from portal.awards.commission import appeals, meetings, minutes, sitting
from portal.awards.commission.meetings import MeetingValues, Question
from portal.awards.commission.models import ItemKind
from portal.awards.models import Award, DecisionKind
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.identity.models import Organisation

MEMBERS: Final = ("commission", "commission2", "commission3", "commission4")
PLACE: Final = "Демо: Москва, Пресненская наб., 10, зал заседаний"
VOTES: Final = {"chair": "yes", "commission": "yes", "commission2": "yes", "commission3": "abstain"}
"""How those who came voted on the list of 2016; the fourth member was away."""
COUNTED_TWICE: Final = Decimal(1_250_000)
GROUNDS: Final = (
    "Демо: при проверке расчёта субсидии найдена строка затрат, учтённая дважды. Сумма последнего года уменьшена на"
    " 1,25 млн рублей; место проекта и прочие исходы не меняются."
)


def plan(session: Session, people: People, tender_id: UUID, starts_at: datetime) -> UUID:
    """A meeting with all members, the officer as its secretary."""
    values = MeetingValues(
        starts_at=starts_at,
        place=PLACE,
        chair_id=people.key("chair"),
        secretary_id=people.key("officer"),
        members=[people.key(account) for account in MEMBERS],
    )
    return meetings.plan(session, people.actor(session, "officer"), tender_id, values).id


def decide_2016(people: People, tender_id: UUID, track_id: UUID) -> UUID:
    """The list of 2016: drafted, adopted, signed by those whom the amount asks for, published. Returns the decision."""
    with moment(moscow(2016, 11, 10, 12)) as session:
        meeting_id = plan(session, people, tender_id, moscow(2016, 11, 15, 11))
    with moment(moscow(2016, 11, 14, 14)) as session:
        run = allocating.start(session, people.actor(session, "officer"), tender_track_id=track_id)
        for _ in range(allocating.PHASES):
            allocating.step(session, run.id)
    with moment(moscow(2016, 11, 14, 15)) as session:
        officer = people.actor(session, "officer")
        decision_id = service.draft(session, officer, track_id).id
        question = Question(ItemKind.DECISION, decision_id=decision_id)
        item_id = meetings.add_item(session, officer, meeting_id, question).id
    _adopt(people, meeting_id, item_id, moscow(2016, 11, 15, 11))
    _sign(people, decision_id, moscow(2016, 11, 16, 11))
    work(moscow(2016, 11, 16, 12))
    with moment(moscow(2016, 11, 17, 12)) as session:
        heads.publish(session)
    with moment(moscow(2016, 11, 18, 10)) as session:
        service.publish(session, people.actor(session, "chair"), decision_id)
    work(moscow(2016, 11, 18, 12, 5))
    return decision_id


def correct_2016(people: People, tender_id: UUID, track_id: UUID) -> None:
    """A correction of what was published: the last award is lowered, by another meeting and other signatures."""
    with moment(moscow(2016, 11, 21, 15)) as session:
        officer = people.actor(session, "officer")
        line = [each for each in amending.in_force(session, track_id).values() if each.outcome == Award.AWARD][-1]
        amounts = {amount.year: amount.amount for amount in line.amounts}
        last = max(amounts)
        change = Change(line.application_id, Award.AWARD, {**amounts, last: amounts[last] - COUNTED_TWICE})
        kind = DecisionKind.CORRECTION
        decision_id = amending.amend(session, officer, track_id, kind=kind, changes=[change], grounds=GROUNDS).id
        meeting_id = plan(session, people, tender_id, moscow(2016, 11, 24, 11))
        question = Question(ItemKind.DECISION, decision_id=decision_id)
        item_id = meetings.add_item(session, officer, meeting_id, question).id
    _adopt(people, meeting_id, item_id, moscow(2016, 11, 24, 11))
    _sign(people, decision_id, moscow(2016, 11, 24, 15))
    with moment(moscow(2016, 11, 25, 10)) as session:
        service.publish(session, people.actor(session, "chair"), decision_id)
    work(moscow(2016, 11, 25, 12, 5))


def _adopt(people: People, meeting_id: UUID, item_id: UUID, at: datetime) -> None:
    """The meeting from its opening to the signed minutes."""
    with moment(at) as session:
        officer = people.actor(session, "officer")
        sitting.open_meeting(session, officer, meeting_id)
        for account in VOTES:
            sitting.attend(session, officer, meeting_id, people.key(account), present=True)
        sitting.open_item(session, officer, item_id)
        for account, choice in VOTES.items():
            sitting.vote(session, people.actor(session, account), item_id, choice=choice)
        sitting.close_item(session, officer, item_id)
    with moment(at + timedelta(minutes=70)) as session:
        officer = people.actor(session, "officer")
        sitting.close_meeting(session, officer, meeting_id)
        digest = minutes.write(session, officer, meeting_id).digest
        minutes.sign(session, officer, meeting_id, seen=digest)
        minutes.sign(session, people.actor(session, "chair"), meeting_id, seen=digest)


def _sign(people: People, decision_id: UUID, at: datetime) -> None:
    with moment(at) as session:
        view = queries.decision_view(session, people.actor(session, "director"), decision_id)
        for item in view.signatures:
            service.sign(session, people.actor(session, item.office), decision_id)


def appeal_2016(people: People, application_id: UUID) -> None:
    """An appeal of somebody on the reserve list, examined and dismissed by a member who signed nothing."""
    filed = moscow(2016, 11, 23, 10)
    with moment(filed) as session:
        text = "Демо: просим пересмотреть баллы по критерию CR-07: кооперация с тремя участниками учтена не полностью."
        initiator = session.get_one(Organisation, session.get_one(Application, application_id).initiator_id)
        appeal_id = appeals.file(session, people.owner(session, initiator), application_id, text=text).id
    with moment(filed + timedelta(days=2)) as session:
        judge = people.actor(session, "commission2")
        reason = "Демо: подана в срок, касается опубликованного решения."
        appeals.examine(session, judge, appeal_id, admit=True, reason=reason, expected_version=1)
    with moment(filed + timedelta(days=7)) as session:
        judge = people.actor(session, "commission2")
        reason = "Демо: баллы пересчитаны, расчёт верен; договоры с третьим участником в заявке не приложены."
        appeals.decide(session, judge, appeal_id, uphold=False, reason=reason, expected_version=2)


def plan_2018(people: People, tender_id: UUID, tracks: list[UUID]) -> None:
    """The meeting over the tender in review, planned, with both rankings on its agenda."""
    with moment(moscow(2018, 10, 8, 12)) as session:
        officer = people.actor(session, "officer")
        meeting_id = plan(session, people, tender_id, moscow(2018, 10, 17, 11))
        for track_id in tracks:
            question = Question(ItemKind.TRACK, tender_track_id=track_id)
            meetings.add_item(session, officer, meeting_id, question)
        title = "Демо: сроки заключения соглашений"
        meetings.add_item(session, officer, meeting_id, Question(ItemKind.OTHER, title=title))
