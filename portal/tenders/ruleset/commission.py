"""How a decision is made where the rules ask for a commission: meeting, ballot, signatures, letters, appeals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from portal.core.errors import Problem
from portal.core.language import N_


class Ballot(StrEnum):
    """Whether it is written down who voted how, or only how many; ``closed`` is the secret ballot."""

    OPEN = "open"
    CLOSED = "closed"


class Office(StrEnum):
    """In what capacity a decision is signed."""

    DIRECTOR = "director"
    CHAIR = "chair"
    FINANCE = "finance"


@dataclass(frozen=True, slots=True)
class SignOff:
    """``office`` signs decisions whose awards together are more than ``above`` roubles; zero: every decision."""

    office: Office
    above: Decimal


@dataclass(frozen=True, slots=True)
class Commission:
    """``quorum``: (parts, of), so (2, 3) for two thirds of those who may vote; a share in percent cannot say that.

    ``letters_held_minutes``: how long after publication the applicants' letters wait and can be stopped;
    ``appeal_days``: working days after publication in which an applicant may appeal.
    """

    ballot: Ballot
    quorum: tuple[int, int]
    sign_offs: tuple[SignOff, ...]
    letters_held_minutes: int
    appeal_days: int

    def offices(self, amount: Decimal) -> tuple[Office, ...]:
        """Who has to sign awards of ``amount`` roubles together, in the order of the rules."""
        return tuple(item.office for item in self.sign_offs if not item.above or amount > item.above)


LONGEST_HOLD: Final = 7 * 24 * 60
LONGEST_APPEAL: Final = 60


def faults(rules: Commission | None) -> Iterator[Problem]:
    """What does not hold, with the path of its field."""
    if rules is None:
        return
    parts, of = rules.quorum
    if not 0 < parts <= of <= 100:
        message = N_("The quorum is a share above nothing and at most the whole, such as 2 of 3.")
        yield Problem("quorum", "commission.quorum", message)
    offices = [item.office for item in rules.sign_offs]
    if len(set(offices)) < len(offices):
        yield Problem("twice", "commission.sign_offs", N_("Name each office once."))
    if not any(not item.above for item in rules.sign_offs):
        message = N_("At least one office signs every decision: give it the threshold 0.")
        yield Problem("nobody_signs", "commission.sign_offs", message)
    for place, item in enumerate(rules.sign_offs):
        if item.above < 0:
            message = N_("A threshold is not below zero.")
            yield Problem("negative", f"commission.sign_offs.{place}.above", message)
    for name, most in (("letters_held_minutes", LONGEST_HOLD), ("appeal_days", LONGEST_APPEAL)):
        if not 0 <= getattr(rules, name) <= most:
            message = N_("Give a whole number from 0 to %(most)s.", most=most)
            yield Problem("out_of_range", f"commission.{name}", message)
