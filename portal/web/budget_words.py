"""What the pages of the budget call tracks, accounts and postings, in the language of the page."""

from __future__ import annotations

from portal.budget.ledger import ACCOUNT_NAMES
from portal.budget.models import Account, PostingKind
from portal.budget.wording import KIND_NAMES
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.language import say


def track_name(track: str) -> str:
    """A track's name in the language of the page."""
    return say(TRACK_NAMES[Track(track)])


def account_name(account: str) -> str:
    return say(ACCOUNT_NAMES[Account(account)])


def kind_name(kind: str) -> str:
    return say(KIND_NAMES[PostingKind(kind)])
