"""Why a later decision is made: as a person wrote it, or one of the usual grounds, which are read in any language."""

from __future__ import annotations

from typing import Final

from portal.awards.models import DecisionKind
from portal.core.language import N_, Message, both

RETURNED: Final = N_("Money has returned to the envelopes of the track.")
"""Why the reserve list moves up, where nobody says it in other words."""


def kept(kind: DecisionKind, text: str) -> str:
    """The grounds as they are kept and covered by the digest: the usual ones by their message id."""
    usual = kind is DecisionKind.SUPPLEMENTARY and text in both(RETURNED).values()
    return RETURNED.msgid if usual else text


def told(grounds: str) -> Message | str:
    """Kept grounds as they are read."""
    return RETURNED if grounds == RETURNED.msgid else grounds


def in_both(grounds: str) -> dict[str, str]:
    """The same in both languages; a person's own words are as they were written."""
    said = told(grounds)
    return {"ru": said, "en": said} if isinstance(said, str) else both(said)
