"""Questions about a tender: asked by applicants, answered by an officer once for all.

Everyone reads the answers, nobody but the fund reads who asked. An answer is published in both languages; a
correction is a new version beside the old one. People are told in the background (``amendments.NOTICE``).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session, joinedload

import portal.tenders.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import LOCALES, N_
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.tenders.amendments import NOTICE
from portal.tenders.models import Answer, Question, QuestionState, RuleSetVersion, Subject, Tender, TenderTrack
from portal.tenders.schedule import questions_until
from portal.tenders.service import expect, lock
from portal.tenders.values import too_long

LONGEST_QUESTION: Final = 2_000
LONGEST_ANSWER: Final = 10_000
MOST_WAITING: Final = 5
"""Questions of one person in one tender that wait for an answer at the same time."""
MOST_A_DAY: Final = 10
"""Questions of one person in 24 hours, over all tenders."""
_SECTION: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class QuestionValues:
    """What is asked; ``about`` is "" or ``rule:EL-01``, ``document:DOC-03``, ``section:costs``."""

    organisation_id: UUID | None
    text: str
    locale: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class AnswerValues:
    """The public wording of the question and the answer; a draft may lack any of them."""

    question_ru: str = ""
    question_en: str = ""
    answer_ru: str = ""
    answer_en: str = ""

    def tidy(self) -> AnswerValues:
        return AnswerValues(**{name: text.replace("\r\n", "\n").strip() for name, text in asdict(self).items()})

    def too_long(self) -> list[Problem]:
        questions = dict.fromkeys(("question_ru", "question_en"), LONGEST_QUESTION)
        answers = dict.fromkeys(("answer_ru", "answer_en"), LONGEST_ANSWER)
        return too_long(asdict(self), questions | answers)

    def missing(self) -> list[Problem]:
        """What still lacks before it can be published."""
        return [
            Problem("required", name, N_("Give this text in both languages before publishing."))
            for name, text in asdict(self).items()
            if not text
        ]


def ask(session: Session, actor: Actor, tender_id: UUID, *, values: QuestionValues) -> Question:
    """Put a question to the fund for one of the actor's organisations.

    Conflict before the notice, after the time for questions, or in a cancelled tender. Problems: no text or
    organisation, an unknown subject, too many questions that wait or were asked today.
    """
    tender = session.scalar(
        select(Tender)
        .where(Tender.id == tender_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    if tender is None or tender.published_at is None:
        raise NotFound
    authorize(actor, Permission.QUESTION_ASK, values.organisation_id)
    _require_open(session, tender)
    found = too_long({"text": values.text}, {"text": LONGEST_QUESTION})
    text = values.text.replace("\r\n", "\n").strip()
    if not text:
        found.append(Problem("required", "text", N_("Write your question.")))
    if values.organisation_id is None:
        found.append(Problem("required", "organisation", N_("Choose the organisation for which you ask.")))
    about, code = _subject(session, tender, values.about, found)
    found += _limits(session, actor, tender)
    if found:
        raise Problems(found)
    assert actor.user_id is not None
    assert values.organisation_id is not None
    row = Question(
        tender_id=tender.id,
        asked_by=actor.user_id,
        organisation_id=values.organisation_id,
        locale=values.locale if values.locale in LOCALES else "ru",
        text=text,
        about=about,
        about_code=code,
    )
    session.add(row)
    session.flush()
    changes = {"tender": tender.code, "organisation": row.organisation_id, "about": values.about}
    record(session, actor, "tenders:question:ask", "question", row.id, changes)
    return row


def _require_open(session: Session, tender: Tender) -> None:
    if tender.cancelled_at is not None:
        raise Conflict(N_("The tender has been cancelled: questions are no longer taken."))
    until = questions_until(tender, ZoneInfo(tender.zone))
    if until is None or now(session) >= until:
        raise Conflict(N_("The time for questions is over. The answers stay on the page of the tender."))


def _subject(session: Session, tender: Tender, about: str, found: list[Problem]) -> tuple[str | None, str | None]:
    """The kind and the code of what is asked about. Codes of rules and documents must be those of the tender."""
    if not about:
        return None, None
    kind, _, code = about.partition(":")
    known: set[str] = set()
    if kind in (Subject.RULE, Subject.DOCUMENT):
        contents = session.scalars(
            select(RuleSetVersion.content)
            .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
            .where(TenderTrack.tender_id == tender.id)
        )
        lists = ("eligibility", "criteria") if kind == Subject.RULE else ("documents",)
        known = {item["code"] for content in contents for name in lists for item in content[name]}
    elif kind == Subject.SECTION and _SECTION.fullmatch(code):
        known = {code}
    if code not in known:
        found.append(Problem("unknown", "about", N_("The tender has nothing of this code.")))
        return None, None
    return kind, code


def _limits(session: Session, actor: Actor, tender: Tender) -> list[Problem]:
    """Too many questions of this person. The person's row is locked, so that two forms at once are counted."""
    session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
    own = select(func.count()).select_from(Question).where(Question.asked_by == actor.user_id)
    waiting = session.scalar(own.where(Question.tender_id == tender.id, Question.state == QuestionState.WAITING)) or 0
    if waiting >= MOST_WAITING:
        message = N_(
            "Your questions that wait for an answer: %(count)s. Ask the next one when one of them is answered.",
            count=waiting,
        )
        return [Problem("too_many", "text", message)]
    today = session.scalar(own.where(Question.created_at > func.portal_now() - timedelta(days=1))) or 0
    if today >= MOST_A_DAY:
        message = N_("Questions you have asked within a day: %(count)s. Ask the next one tomorrow.", count=today)
        return [Problem("too_many", "text", message)]
    return []


def save_draft(
    session: Session, actor: Actor, question_id: UUID, *, values: AnswerValues, expected_version: int
) -> Question:
    """Keep an answer that is not ready; nobody outside the fund sees it."""
    row = _locked(session, actor, question_id, (QuestionState.WAITING, QuestionState.ANSWERED))
    expect(row.version, expected_version)
    draft = values.tidy()
    if found := draft.too_long():
        raise Problems(found)
    row.draft = asdict(draft)
    session.flush()
    record(session, actor, "tenders:answer:save", "question", row.id, {})
    return row


def publish(
    session: Session, actor: Actor, question_id: UUID, *, values: AnswerValues, expected_version: int
) -> Answer:
    """Publish the answer, or a new version of it. The first one gives the question its number in the tender.

    Problems: a text that is missing in one of the languages, or too long, or a new version that says the same.
    """
    row = _locked(session, actor, question_id, (QuestionState.WAITING, QuestionState.ANSWERED))
    expect(row.version, expected_version)
    told = values.tidy()
    found = told.missing() + told.too_long()
    if row.answers and not found:
        present = session.scalars(
            select(Answer).where(Answer.question_id == row.id, Answer.version == row.answers)
        ).one()
        if all(getattr(present, name) == text for name, text in asdict(told).items()):
            found.append(Problem("nothing", "", N_("Nothing is different from the published answer.")))
    if found:
        raise Problems(found)
    assert actor.user_id is not None
    instant = now(session)
    if row.number is None:
        lock(session, row.tender_id)
        last = session.scalar(select(func.max(Question.number)).where(Question.tender_id == row.tender_id))
        row.number = (last or 0) + 1
    row.state, row.answers, row.draft, row.handled_at = QuestionState.ANSWERED, row.answers + 1, {}, instant
    made = Answer(
        question_id=row.id, version=row.answers, answered_by=actor.user_id, published_at=instant, **asdict(told)
    )
    session.add(made)
    session.flush()
    changes = {"number": row.number, "version": made.version}
    record(session, actor, "tenders:answer:publish", "question", row.id, changes)
    _tell(session, "answer", made.id)
    return made


def decline(session: Session, actor: Actor, question_id: UUID, *, reason: str, expected_version: int) -> Question:
    """Do not answer publicly; the reason goes to those who asked, and to nobody else."""
    row = _locked(session, actor, question_id, (QuestionState.WAITING,))
    expect(row.version, expected_version)
    found = too_long({"reason": reason}, {"reason": LONGEST_QUESTION})
    if not reason.strip():
        found.append(Problem("required", "reason", N_("Tell the asker why.")))
    if found:
        raise Problems(found)
    row.state, row.decline_reason, row.handled_at = QuestionState.DECLINED, reason.strip(), now(session)
    session.flush()
    record(session, actor, "tenders:question:decline", "question", row.id, {"reason": row.decline_reason})
    merged = session.scalars(select(Question.id).where(Question.merged_into == row.id).order_by(Question.id))
    for key in (row.id, *merged):
        _tell(session, "declined", key)
    return row


def merge(session: Session, actor: Actor, question_id: UUID, *, into: UUID, expected_version: int) -> Question:
    """Let another question of the tender answer this one; whoever asked is told with the other's answer.

    Problems: the other one is this one, of another tender, declined, or merged itself.
    """
    first, second = sorted((question_id, into))
    for key in (first, second):
        session.get(Question, key, with_for_update=True, populate_existing=True)
    row = _locked(session, actor, question_id, (QuestionState.WAITING,))
    expect(row.version, expected_version)
    main = session.get(Question, into)
    suits = main is not None and main.id != row.id and main.tender_id == row.tender_id
    if not suits or main is None or main.state not in (QuestionState.WAITING, QuestionState.ANSWERED):
        message = N_("Choose another question of this tender that waits or is answered.")
        raise Problems.one("unknown", "into", message)
    row.state, row.merged_into, row.draft, row.handled_at = QuestionState.MERGED, main.id, {}, now(session)
    session.flush()
    # Those that were merged into this one before follow it.
    session.execute(update(Question).where(Question.merged_into == row.id).values(merged_into=main.id))
    record(session, actor, "tenders:question:merge", "question", row.id, {"into": main.id})
    if main.state == QuestionState.ANSWERED:
        present = session.scalars(
            select(Answer.id).where(Answer.question_id == main.id, Answer.version == main.answers)
        ).one()
        # Whoever has had this answer's letter does not get it twice: the key of a letter is that of the answer.
        jobs.enqueue(session, NOTICE, {"event": "answer", "id": str(present)}, key=f"{NOTICE}:merged:{row.id}")
    return row


def _locked(session: Session, actor: Actor, question_id: UUID, states: tuple[QuestionState, ...]) -> Question:
    row = session.get(Question, question_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    authorize(actor, Permission.QUESTION_ANSWER, row)
    if row.state not in states:
        raise Conflict(N_("This question has been handled already. Open it again to see how."))
    return row


def _tell(session: Session, event: str, key: UUID) -> None:
    jobs.enqueue(session, NOTICE, {"event": event, "id": str(key)}, key=f"{NOTICE}:{event}:{key}")


def inbox_select(actor: Actor, *, state: str = "", tender_id: UUID | None = None) -> Select[Any]:
    """The questions that the actor may read, with tender, organisation and asker; page by ``(created_at, id)``."""
    wanted = scope(actor, Question).options(
        joinedload(Question.tender, innerjoin=True),
        joinedload(Question.organisation, innerjoin=True),
        joinedload(Question.asker, innerjoin=True),
    )
    if state in list(QuestionState):
        wanted = wanted.where(Question.state == state)
    return wanted.where(Question.tender_id == tender_id) if tender_id else wanted


def waiting() -> Select[Any]:
    """The questions that wait for an answer, over all tenders: rows to count."""
    return select(Question.id).where(Question.state == QuestionState.WAITING)


def own(session: Session, actor: Actor, tender_id: UUID) -> list[Question]:
    """What the actor has asked about a tender, newest first; at most a hundred."""
    if actor.user_id is None:
        return []
    wanted = (
        select(Question)
        .where(Question.asked_by == actor.user_id, Question.tender_id == tender_id)
        .order_by(Question.id.desc())
        .limit(100)
    )
    return list(session.scalars(wanted))


def versions(session: Session, question_id: UUID) -> list[Answer]:
    """The published answers of a question, the present one first."""
    return list(
        session.scalars(select(Answer).where(Answer.question_id == question_id).order_by(Answer.version.desc()))
    )
