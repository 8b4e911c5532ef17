"""States of an application and the way from one to the next; registration numbers."""

from __future__ import annotations

from typing import Final

from portal.applications.models import Application, State
from portal.core.states import Transitions
from portal.tenders.models import TRACK_CODES, Tender, Track
from portal.tenders.ruleset import RuleSet

EDITABLE: Final = frozenset({State.DRAFT, State.WITHDRAWN, State.RETURNED})
"""States in which what was typed may be changed."""

DECIDED: Final = frozenset({State.REJECTED, State.AWARDED, State.RESERVE, State.DECLINED, State.RENOUNCED})
_REVISED: Final = frozenset({State.AWARDED, State.RESERVE, State.DECLINED})

TRANSITIONS: Final = Transitions(
    {
        "submit": (EDITABLE, State.SUBMITTED),
        "seal": (frozenset({State.DRAFT, State.WITHDRAWN}), State.SEALED),
        "open": (frozenset({State.SEALED}), State.SUBMITTED),
        "withdraw": (frozenset({State.SUBMITTED, State.SEALED}), State.WITHDRAWN),
        "return": (frozenset({State.SUBMITTED}), State.RETURNED),
        "refuse": (frozenset({State.SUBMITTED, State.RETURNED}), State.REJECTED),
        "admit": (frozenset({State.SUBMITTED}), State.EXPERTISE),
        "award": (frozenset({State.EXPERTISE, State.RESERVE}), State.AWARDED),
        "reserve": (frozenset({State.EXPERTISE}), State.RESERVE),
        "decline": (frozenset({State.EXPERTISE, State.RESERVE}), State.DECLINED),
        "revise_award": (_REVISED, State.AWARDED),
        "revise_reserve": (_REVISED, State.RESERVE),
        "revise_decline": (_REVISED, State.DECLINED),
        "renounce": (frozenset({State.AWARDED}), State.RENOUNCED),
    }
)


def after_submission(rules: RuleSet) -> tuple[str, ...]:
    """The kinds of background work that a submission which can be read causes, each once."""
    blind = ("blind_copies",) if rules.hides_applicants else ()
    return ("score_submission", "find_similar", *blind)


def registration_number(tender_code: str, track: Track, serial: int) -> str:
    """``JP-2018-IS-0007``; the tender's code is unique, so the number is."""
    return f"JP-{tender_code}-{TRACK_CODES[track]}-{serial:04d}"


COMMISSION: Final = "commission"
"""What everybody outside the fund reads between the decision and its publication."""


def public_state(application: Application, tender: Tender) -> str:
    """The state as applicants and the public may know it: a decision only once the results are published."""
    decided = application.state in (State.AWARDED, State.RESERVE, State.DECLINED, State.RENOUNCED)
    return COMMISSION if decided and tender.results_published_at is None else application.state
