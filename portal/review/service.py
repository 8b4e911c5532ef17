"""The verbs of the room: the formal check, the assignment of reviewers, the reviews."""

from __future__ import annotations

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.review.assigning import assign, revoke
from portal.review.formal_check import Answer, Findings, admit, items_of, refuse, return_for_correction
from portal.review.formal_check import save as save_check
from portal.review.reviewing import Typed, aspects, declare, save_draft, submit

__all__ = [
    "Answer",
    "Findings",
    "Typed",
    "admit",
    "aspects",
    "assign",
    "declare",
    "items_of",
    "refuse",
    "return_for_correction",
    "revoke",
    "save_check",
    "save_draft",
    "submit",
]
