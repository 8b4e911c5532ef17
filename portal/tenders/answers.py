"""What everyone reads: the answered questions of a tender with the earlier versions of their answers. No names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from portal.tenders.models import Answer, Question, QuestionState, Subject

LONGEST_SEARCH: Final = 200


@dataclass(frozen=True, slots=True)
class Published:
    """A question with its present answer, without anything that tells who asked."""

    question_id: UUID
    number: int
    about: str | None
    about_code: str | None
    answer: Answer
    asked_at: datetime

    @property
    def changed(self) -> bool:
        return self.answer.version > 1


def published_select(tender_id: UUID, *, words: str = "", about: str = "") -> Select[Any]:
    """Rows of :class:`Published`'s columns, to be paged by ``Question.number``.

    ``words`` are looked up in questions and answers of both languages, in most of their forms; ``about`` is
    ``rule``, ``document``, ``section``, or one of them with a code: ``rule:EL-01``.
    """
    wanted = (
        select(Question.id)
        .add_columns(Question.number, Question.about, Question.about_code, Answer, Question.created_at)
        .join(Answer, and_(Answer.question_id == Question.id, Answer.version == Question.answers))
        .where(Question.tender_id == tender_id, Question.state == QuestionState.ANSWERED)
    )
    kind, _, code = about.partition(":")
    if kind in list(Subject):
        wanted = wanted.where(Question.about == kind)
        if code:
            wanted = wanted.where(Question.about_code == code)
    words = words.replace("\x00", "").strip()[:LONGEST_SEARCH]
    if words:
        text = func.concat_ws(" ", Answer.question_ru, Answer.question_en, Answer.answer_ru, Answer.answer_en)
        asked = func.websearch_to_tsquery("russian", words)
        exact = text.ilike(f"%{_escaped(words)}%", escape="\\")
        wanted = wanted.where(or_(func.to_tsvector("russian", text).bool_op("@@")(asked), exact))
    return wanted


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def earlier(session: Session, questions: Iterable[UUID]) -> dict[UUID, list[Answer]]:
    """The versions before the present one of each question that has any, newest first."""
    found: dict[UUID, list[Answer]] = {}
    wanted = (
        select(Answer)
        .join(Question, Question.id == Answer.question_id)
        .where(Answer.question_id.in_(list(questions)), Answer.version < Question.answers)
        .order_by(Answer.question_id, Answer.version.desc())
    )
    for row in session.scalars(wanted):
        found.setdefault(row.question_id, []).append(row)
    return found


def count(session: Session, tender_id: UUID) -> int:
    """How many questions of a tender are answered."""
    wanted = (
        select(func.count())
        .select_from(Question)
        .where(Question.tender_id == tender_id, Question.state == QuestionState.ANSWERED)
    )
    return session.scalar(wanted) or 0
