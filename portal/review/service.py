"""The verbs of the room: the formal check, the assignment of reviewers, the reviews."""

from __future__ import annotations

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.review.assigning import assign, revoke
from portal.review.formal_check import Answer, Findings, admit, items_of, refuse, return_for_correction
from portal.review.formal_check import save as save_check
from portal.review.returning import return_review, versions_of
from portal.review.reviewing import SavedFields, aspects, declare, notes_of, save_draft, save_fields, sheet_of, submit
from portal.review.sheet import Typed

__all__ = [
    "Answer",
    "Findings",
    "SavedFields",
    "Typed",
    "admit",
    "aspects",
    "assign",
    "declare",
    "items_of",
    "notes_of",
    "refuse",
    "return_for_correction",
    "return_review",
    "revoke",
    "save_check",
    "save_draft",
    "save_fields",
    "sheet_of",
    "submit",
    "versions_of",
]
