"""What the fund does in the demo: formal checks, assignments, reviews."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following.corrections import Wish
from portal.demo.filing import Filed
from portal.demo.people import People
from portal.review import inquiries
from portal.review import service as review
from portal.review.models import Assignment
from portal.review.queries import Case, locked_case
from portal.review.service import Answer, Findings, Typed

JUSTIFICATIONS: Final = {
    "ru": "Демонстрационное обоснование: данные заявки подтверждают эту оценку.",
    "en": "Demonstration justification: the application supports this mark.",
}


class Fund:
    """The fund's people at work on filed applications."""

    def __init__(self, people: People) -> None:
        self._people = people

    def admit(self, session: Session, filed: Filed) -> None:
        """Go through the checklist with nothing to complain of."""
        case = self._case(session, filed)
        answers = {item.key: Answer(ok=True) for item in review.items_of(case)}
        review.admit(
            session,
            self._people.actor(session, "officer"),
            application_id=filed.id,
            submission_id=case.submission.id,
            findings=Findings(answers),
        )

    def give_back(self, session: Session, filed: Filed, requests: Sequence[Wish]) -> None:
        """Return it for correction with requests bound to their places; every item of the checklist is met."""
        case = self._case(session, filed)
        answers = {item.key: Answer(ok=True) for item in review.items_of(case)}
        review.return_for_correction(
            session,
            self._people.actor(session, "officer"),
            application_id=filed.id,
            submission_id=case.submission.id,
            findings=Findings(answers, "Демо: исправьте отмеченное и отправьте снова.", requests=tuple(requests)),
        )

    def refuse(self, session: Session, filed: Filed, reasons: Sequence[str], comment: str) -> None:
        """Refuse for the reasons given; what the portal found is what the officer says."""
        case = self._case(session, filed)
        review.refuse(
            session,
            self._people.actor(session, "officer"),
            application_id=filed.id,
            submission_id=case.submission.id,
            findings=Findings(_as_found(case), comment, tuple(reasons)),
        )

    def save_check(self, session: Session, filed: Filed) -> None:
        """Begin the checklist: the items that the portal can tell, as it found them."""
        case = self._case(session, filed)
        review.save_check(
            session,
            self._people.actor(session, "officer"),
            application_id=filed.id,
            submission_id=case.submission.id,
            findings=Findings(_as_found(case)),
        )

    def assign(self, session: Session, filed: Filed, reviewers: Sequence[int], lane: str | None = None) -> None:
        """Ask experts by their numbers; ``lane`` where the rules have lanes."""
        review.assign(
            session,
            self._people.actor(session, "officer"),
            application_id=filed.id,
            reviewer_ids=[self._people.key(f"reviewer{number}") for number in reviewers],
            lane=lane,
        )

    def review(self, session: Session, filed: Filed, reviewer: int, mark: int | str | None) -> None:
        """Declare no conflict and hand the review in with ``mark`` as the mean of the aspects; None: not begun."""
        if mark is None:
            return
        actor = self._people.actor(session, f"reviewer{reviewer}")
        row = session.scalars(
            select(Assignment).where(Assignment.application_id == filed.id, Assignment.reviewer_id == actor.user_id)
        ).one()
        review.declare(session, actor, assignment_id=row.id, conflict=False, expected_version=row.version)
        rules = self._case(session, filed).rules
        text = JUSTIFICATIONS[actor.locale]
        keys = [key for key, *_ in review.aspects(rules, row.lane)]
        review.submit(
            session,
            actor,
            assignment_id=row.id,
            values={key: Typed(value, text) for key, value in zip(keys, _around(mark, len(keys)), strict=True)},
            expected_version=row.version,
        )

    def inquire(self, session: Session, filed: Filed, reviewer: int, text: str, passed: str) -> None:
        """A reviewer begins, and asks the applicant something; the officer passes it on in other words."""
        actor = self._people.actor(session, f"reviewer{reviewer}")
        row = session.scalars(
            select(Assignment).where(Assignment.application_id == filed.id, Assignment.reviewer_id == actor.user_id)
        ).one()
        review.declare(session, actor, assignment_id=row.id, conflict=False, expected_version=row.version)
        asked = inquiries.ask(session, actor, assignment_id=row.id, text=text)
        officer = self._people.actor(session, "officer")
        inquiries.pass_on(session, officer, inquiry_id=asked.id, text=passed, expected_version=asked.version)

    def _case(self, session: Session, filed: Filed) -> Case:
        return locked_case(session, filed.id)


def _around(mark: int | str, aspects: int) -> list[str]:
    """Marks of the aspects, half a point up and down in turn, whose mean is ``mark``."""
    mean = Decimal(mark)
    half = Decimal("0.5") if Decimal("0.5") <= mean <= Decimal("9.5") else Decimal(0)
    pairs = [mean + half, mean - half] * (aspects // 2)
    return [str(value) for value in (*pairs, *[mean] * (aspects % 2))]


def _as_found(case: Case) -> dict[str, Answer]:
    return {
        item.key: Answer(ok=item.found, note="" if item.found else "Демо: см. замечание портала")
        for item in review.items_of(case)
        if item.found is not None
    }
