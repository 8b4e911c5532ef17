"""Around the demo's tenders: questions and answers, amendments, followers, and one later closing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications.submissions import closing_exceptions
from portal.applications.submissions.closing_exceptions import ExceptionValues
from portal.core.calendar import add_working_days
from portal.core.clock import MOSCOW
from portal.demo.filing import Register
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.demo.programme import Announced
from portal.demo.sign_ins import INITIATOR, PARTNER
from portal.identity.policy import Actor
from portal.tenders import amendments, following, queries, questions
from portal.tenders.amendments import AmendmentValues, Reasons
from portal.tenders.models import Question, Tender
from portal.tenders.questions import AnswerValues, QuestionValues
from portal.tenders.schedule import calendar_of


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was asked in Russian, by whom, and how it is answered; without an answer it waits."""

    cluster: str
    place: int
    about: str
    text: str
    english: str = ""
    answer_ru: str = ""
    answer_en: str = ""


ANSWERED: Final = (
    Asked(
        "D2", 0, "rule:EL-04",
        "Нужно ли заключение специализированной организации, если проект уже включён в программу развития кластера?",
        "Is the letter of the specialised organisation needed if the project is already in the cluster's programme?",
        "Да. Заключение подтверждает, что проект соответствует программе на дату подачи, и прикладывается к каждой"
        " заявке.",
        "Yes. The letter confirms that the project fits the programme on the day of submission; it goes with each"
        " application.",
    ),
    Asked(
        "D3", 0, "section:costs",
        "Можно ли включить в затраты оборудование, оплаченное до подачи заявки?",
        "May equipment that was paid for before the application count as costs?",
        "Да, если оно оплачено не раньше даты, указанной в правилах направления, и поставлено на учёт участника.",
        "Yes, if it was paid for no earlier than the day given in the track's rules and is on the participant's books.",
    ),
    Asked(
        "D5", 0, "document:DOC-11",
        "За сколько дней до подачи должна быть получена выписка из ЕГРЮЛ?",
        "How old may the extract from the register of legal entities be?",
        "Не более чем за 20 дней до подачи заявки.",
        "No more than 20 days before the application.",
    ),
    Asked(
        "D1", 0, "",
        "Могут ли участники одного совместного проекта состоять в разных кластерах?",
        "May participants of one joint project belong to different clusters?",
        "Нет. Все участники проекта должны быть участниками одного промышленного кластера; поставщики из других"
        " кластеров указываются как контрагенты.",
        "No. All participants belong to one industrial cluster; suppliers from other clusters are named as partners"
        " of contracts.",
    ),
)  # fmt: skip
SECOND_VERSION: Final = (
    "Не более чем за 30 дней до подачи заявки. Ранее в ответе был указан срок 20 дней; верен срок из правил.",
    "No more than 30 days before the application. An earlier answer said 20 days; what the rules say holds.",
)
CORRECTED: Final = 2
"""The place of the answer that was corrected."""
DUPLICATE: Final = Asked("D4", 0, "section:costs", "Засчитываются ли станки, купленные в прошлом году?")
PRIVATE: Final = Asked("D1", 0, "section:financing", "Посмотрите, пожалуйста, наш договор с банком: он подойдёт?")
WAITING: Final = (
    Asked("D6", 0, "rule:EL-21", "Засчитывается ли в софинансирование кредит, одобренный, но ещё не выданный банком?"),
    Asked("D1", 1, "section:kpi", "Рабочее место создано в середине года: за какое полугодие его показывать?"),
)


def of_2018(people: People, tender: Announced, closes: datetime) -> None:
    """The intake of 2018 was announced a week shorter, and extended before it ended."""
    with moment(moscow(2018, 8, 15, 12)) as session:
        row = session.get_one(Tender, tender.id)
        amendments.amend(
            session,
            people.actor(session, "admin"),
            tender.id,
            values=AmendmentValues(
                Reasons(
                    "Увеличение срока по обращениям специализированных организаций кластеров",
                    "More time at the request of the clusters' specialised organisations",
                ),
                closes.astimezone(MOSCOW).replace(tzinfo=None),
                row.notice_ru,
                row.notice_en,
            ),
            expected_version=row.version,
        )


def of_open(people: People, register: Register, tender: Announced, now: datetime) -> None:
    """Questions with their answers, one of them corrected, one merged, one declined; followers; an amendment."""
    step = (now - tender.opens) / 20
    officer = "officer"
    answered = []
    for number, item in enumerate(ANSWERED, start=1):
        key = _ask(people, register, tender.id, item, tender.opens + step * number)
        answered.append(key)
        _answer(people, officer, key, item, tender.opens + step * (number + 1), item.answer_ru, item.answer_en)
    item = ANSWERED[CORRECTED]
    _answer(people, officer, answered[CORRECTED], item, tender.opens + step * 8, *SECOND_VERSION)
    duplicate = _ask(people, register, tender.id, DUPLICATE, tender.opens + step * 9)
    private = _ask(people, register, tender.id, PRIVATE, tender.opens + step * 10)
    with moment(tender.opens + step * 11) as session:
        actor = people.actor(session, officer)
        questions.merge(session, actor, duplicate, into=answered[1], expected_version=1)
        reason = "Фонд не оценивает отдельные договоры до подачи заявки. Требования к ним приведены в DOC-17."
        questions.decline(session, actor, private, reason=reason, expected_version=1)
        for person in (INITIATOR, PARTNER):
            following.follow(session, people.actor(session, person.account), tender.id)
    with moment(tender.opens + step * 12) as session:
        _amend(session, people.actor(session, "admin"), tender.id)
    for number, item in enumerate(WAITING):
        _ask(people, register, tender.id, item, tender.opens + step * (16 + number))
    work(tender.opens + step * 18)


def except_newcomer(people: People, tender: Announced, inn: str, instant: datetime) -> None:
    """A later closing for the organisation that has just joined."""
    with moment(instant) as session:
        closes = (tender.closes + timedelta(days=3)).astimezone(MOSCOW).replace(tzinfo=None)
        reason = "Подтверждение членства в кластере задержалось по вине оператора портала"
        closing_exceptions.grant(
            session,
            people.actor(session, "officer"),
            tender.id,
            values=ExceptionValues(inn=inn, closes=closes, reason=reason),
        )


def _ask(people: People, register: Register, tender_id: UUID, item: Asked, instant: datetime) -> UUID:
    with moment(instant) as session:
        party = register.members[item.cluster][item.place]
        partner = people.actor(session, PARTNER.account)
        actor = partner if partner.acts_for(party.id) else people.owner(session, party)
        values = QuestionValues(party.id, item.text, "ru", item.about)
        return questions.ask(session, actor, tender_id, values=values).id


def _answer(
    people: People, account: str, key: UUID, item: Asked, instant: datetime, answer_ru: str, answer_en: str
) -> None:
    with moment(instant) as session:
        row = session.get_one(Question, key)
        questions.publish(
            session,
            people.actor(session, account),
            key,
            values=AnswerValues(item.text, item.english, answer_ru, answer_en),
            expected_version=row.version,
        )


def _amend(session: Session, actor: Actor, tender_id: UUID) -> None:
    """A webinar is announced, and the commission meets a few days later than counted."""
    row = session.get_one(Tender, tender_id)
    rules = queries.rules_of(session, actor, tender_id).values()
    meeting = next(step.day for step in calendar_of(row, rules, MOSCOW) if step.code == "commission")
    assert meeting is not None
    amendments.amend(
        session,
        actor,
        tender_id,
        values=AmendmentValues(
            Reasons(
                "Добавлен вебинар для заявителей; заседание комиссии перенесено из-за занятости зала",
                "A webinar for applicants is added; the commission meets later because the hall is taken",
            ),
            None,
            f"{row.notice_ru} За две недели до окончания приёма фонд проведёт вебинар для заявителей.",
            f"{row.notice_en} Two weeks before the closing the fund holds a webinar for applicants.",
            {"commission": add_working_days(meeting, 3)},
        ),
        expected_version=row.version,
    )
