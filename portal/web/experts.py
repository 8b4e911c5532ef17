"""What experts are called on pages: by their names, or by numbers for readers who may not know who they are."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from portal.core.language import N_, Message
from portal.review.discussion import numbers_of
from portal.review.models import Assignment
from portal.review.redaction import Peers, Redaction
from portal.web.language import locale, say


def expert_word(number: int | None) -> Message:
    """An expert by the number that they have in a submission; without one, of another submission."""
    return N_("Expert") if number is None else N_("Expert %(number)s", number=number)


def called(assignments: Sequence[Assignment], *, named: bool) -> dict[UUID, str]:
    """The experts of a submission: reviewer -> name (or address) if ``named``, otherwise number."""
    if named:
        return {row.reviewer_id: row.reviewer.full_name or row.reviewer.email for row in assignments}
    return {person: say(expert_word(number)) for person, number in numbers_of(assignments).items()}


def peers_of(assignments: Sequence[Assignment], blind: Redaction | None = None) -> Peers:
    """The redaction of what the experts of a submission write, for readers who may not know who they are."""
    words = [word for each in assignments for word in (each.reviewer.full_name, each.reviewer.email)]
    return Peers(words, locale(), blind)
