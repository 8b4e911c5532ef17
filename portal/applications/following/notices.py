"""Letters about an event of a tender, to everyone who has an application in it or follows it.

The recipients may be thousands, so that the letters are written in steps (``applications.jobs``). They hold nothing
but what the tender's public pages say; only a declined question is told with its reason, to those who asked it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.applications.models import Application, Participant, ParticipantState
from portal.core.formats import format_datetime
from portal.core.language import LOCALES, N_, Message
from portal.identity.models import Membership, User
from portal.notifications import service as notifications
from portal.notifications.kinds import Topic, declare
from portal.tenders.models import Amendment, AmendmentKind, Answer, Follow, Question, QuestionState, Tender
from portal.tenders.schedule import TITLES

STEP: Final = 100
"""People who are told in one transaction."""

AMENDED: Final = declare("tender_amended", Topic.TENDERS, N_("A tender is extended or amended"), important=True)
CANCELLED: Final = declare("tender_cancelled", Topic.TENDERS, N_("A tender is cancelled"), important=True)
ANSWERED: Final = declare("question_answered", Topic.TENDERS, N_("A question about a tender is answered"))
DECLINED: Final = declare(
    "question_declined", Topic.TENDERS, N_("Your question about a tender is not answered publicly"), important=True
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told, and to whom: ``people`` is the condition on :class:`User`, ``about`` the tender if not given."""

    key: str
    kind: str
    tender: Tender
    subject: Message
    paragraphs: Sequence[Message]
    link: tuple[Message, str]
    people: ColumnElement[bool]
    about: tuple[str, UUID] | None = None


def of_event(session: Session, event: str, key: UUID) -> Notice | None:
    """The notice of an event: ``amendment``, ``answer`` or ``declined``; None when there is no such thing."""
    found = {"amendment": _amendment, "answer": _answer, "declined": _declined}[event]
    return found(session, key)


def recipients(notice: Notice, after: UUID | None = None) -> Select[User]:
    """The people of a notice who can sign in, in the order of their keys."""
    wanted = select(User).where(notice.people, User.active, User.confirmed_at.is_not(None)).order_by(User.id)
    return wanted.where(User.id > after) if after else wanted


def left(session: Session, notice: Notice, after: UUID | None) -> int:
    """How many people are still to be told."""
    wanted = recipients(notice, after).order_by(None).with_only_columns(func.count())
    return session.scalar(wanted) or 0


def tell(session: Session, notice: Notice, people: Sequence[User]) -> None:
    """Tell these people, each once, as they have chosen."""
    notifications.tell(
        session,
        people,
        kind=notice.kind,
        key=notice.key,
        subject=notice.subject,
        paragraphs=notice.paragraphs,
        link=notice.link,
        about=notice.about or ("tender", notice.tender.id),
    )


def acting_for(organisations: Select[Any] | Sequence[UUID]) -> ColumnElement[bool]:
    """People who act for any of the organisations."""
    return User.id.in_(select(Membership.user_id).where(Membership.organisation_id.in_(organisations)))


def concerned(tender_id: UUID) -> ColumnElement[bool]:
    """People of organisations that take part or are invited in an application of the tender, and its followers."""
    taking_part = (
        select(Participant.organisation_id)
        .join(Application, Application.id == Participant.application_id)
        .where(
            Application.tender_id == tender_id,
            Participant.state.in_((ParticipantState.INVITED, ParticipantState.ACCEPTED)),
        )
    )
    followers = select(Follow.user_id).where(Follow.tender_id == tender_id)
    return or_(acting_for(taking_part), User.id.in_(followers))


def _title(tender: Tender) -> dict[str, str]:
    return {"ru": tender.title_ru or tender.title_en, "en": tender.title_en or tender.title_ru}


def _amendment(session: Session, key: UUID) -> Notice | None:
    row = session.scalar(select(Amendment).where(Amendment.id == key).options(joinedload(Amendment.tender)))
    if row is None:
        return None
    tender = row.tender
    cancelled = row.kind == AmendmentKind.CANCELLATION
    subject = (
        N_("Tender %(code)s has been cancelled", code=tender.code)
        if cancelled
        else N_("Tender %(code)s: amendment No. %(number)s", code=tender.code, number=row.number)
    )
    return Notice(
        key=f"amendment:{row.id}",
        kind=CANCELLED if cancelled else AMENDED,
        tender=tender,
        subject=subject,
        paragraphs=[
            N_("Tender: %(title)s.", title=_title(tender)),
            *(said(change, tender.zone) for change in row.changes),
            N_("Reason: %(reason)s", reason={"ru": row.reason_ru, "en": row.reason_en}),
        ],
        link=(N_("Read the amendment"), f"/tenders/{tender.code}/changes#amendment-{row.number}"),
        people=concerned(tender.id),
    )


def said(change: dict[str, Any], zone: str) -> Message:
    """One change of an amendment as a sentence."""
    what, before, after = change["what"], change["before"], change["after"]
    if what == "closes_at":
        return N_(
            "Applications are accepted until %(after)s (before: %(before)s).",
            after=_minute(after, zone),
            before=_minute(before, zone),
        )
    if what == "cancelled_at":
        return N_("The tender is cancelled: applications are no longer accepted and will not be considered.")
    if what == "notice_ru":
        return N_("The Russian text of the notice has changed.")
    if what == "notice_en":
        return N_("The English text of the notice has changed.")
    step = TITLES[what.removeprefix("milestone:")]
    if after is None:
        return N_(
            "%(step)s: counted by the rules again (before: by %(before)s).",
            step=step,
            before=date.fromisoformat(before),
        )
    return N_(
        "%(step)s: by %(after)s (before: by %(before)s).",
        step=step,
        after=date.fromisoformat(after),
        before=date.fromisoformat(before),
    )


def _minute(stamp: str, zone: str) -> dict[str, str]:
    return minute(datetime.fromisoformat(stamp), zone)


def minute(at: datetime, zone: str) -> dict[str, str]:
    """An instant to the minute with its zone, in both languages."""
    return {locale: format_datetime(at, ZoneInfo(zone), locale) for locale in LOCALES}


def _answer(session: Session, key: UUID) -> Notice | None:
    row = session.get(Answer, key)
    if row is None:
        return None
    question = _question(session, row.question_id)
    tender = question.tender
    subject = (
        N_("Tender %(code)s: answer to question %(number)s", code=tender.code, number=question.number)
        if row.version == 1
        else N_("Tender %(code)s: new answer to question %(number)s", code=tender.code, number=question.number)
    )
    return Notice(
        key=f"answer:{row.id}",
        kind=ANSWERED,
        tender=tender,
        subject=subject,
        paragraphs=[
            N_("Tender: %(title)s.", title=_title(tender)),
            N_("Question: %(text)s", text={"ru": row.question_ru, "en": row.question_en}),
            N_("Answer: %(text)s", text={"ru": row.answer_ru, "en": row.answer_en}),
        ],
        link=(N_("Read all questions and answers"), f"/tenders/{tender.code}/questions#question-{question.number}"),
        people=or_(User.id.in_(_askers(question.id)), concerned(tender.id)),
    )


def _declined(session: Session, key: UUID) -> Notice | None:
    """Told to its own asker with its own text; one that was merged gets the reason of the other."""
    row = session.get(Question, key)
    if row is None:
        return None
    question = _question(session, key)
    decided = _question(session, question.merged_into) if question.merged_into else question
    if decided.state != QuestionState.DECLINED:
        return None
    tender = question.tender
    return Notice(
        key=f"declined:{question.id}",
        kind=DECLINED,
        tender=tender,
        subject=N_("Tender %(code)s: your question is not answered publicly", code=tender.code),
        paragraphs=[
            N_("Your question: %(text)s", text=question.text),
            N_("Reason: %(reason)s", reason=decided.decline_reason or ""),
        ],
        link=(N_("My questions"), f"/tenders/{tender.code}/questions#mine"),
        people=User.id == question.asked_by,
    )


def _question(session: Session, key: UUID) -> Question:
    return session.scalars(select(Question).where(Question.id == key).options(joinedload(Question.tender))).one()


def _askers(question_id: UUID) -> Select[Any]:
    """Who asked it, and who asked the same."""
    return select(Question.asked_by).where(or_(Question.id == question_id, Question.merged_into == question_id))
