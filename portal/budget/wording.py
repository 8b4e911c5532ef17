"""The names of kinds of postings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from portal.budget.models import PostingKind
from portal.core.language import N_, Message

KIND_NAMES: Final[Mapping[PostingKind, Message]] = {
    PostingKind.APPROPRIATE: N_("Appropriation"),
    PostingKind.ADJUST: N_("Adjustment"),
    PostingKind.RESERVE: N_("Reservation for an award"),
    PostingKind.COMMIT: N_("Commitment by an agreement"),
    PostingKind.PAY: N_("Payment"),
    PostingKind.RELEASE: N_("Release"),
    PostingKind.RETURN: N_("Money returned"),
    PostingKind.REALLOCATE: N_("Reallocation"),
    PostingKind.RESTORE: N_("Returned money restored"),
    PostingKind.CARRY_OVER: N_("Carried to the next year"),
    PostingKind.REVERSE: N_("Reversal"),
}
