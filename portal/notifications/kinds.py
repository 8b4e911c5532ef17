"""The kinds of notices: what each is about in human words, and how far a person may switch it off.

The rooms declare theirs beside the letters they write (:func:`declare`, when the module is loaded); the page of
preferences shows one row for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from portal.core.language import N_, Message


class Mail(StrEnum):
    """How a notice reaches its reader by mail: a letter at once, a line of the daily digest, or not at all."""

    NOW = "now"
    DIGEST = "digest"
    NONE = "none"


class Topic(StrEnum):
    """What a kind belongs to, in the order of the page of preferences."""

    DEADLINES = "deadlines"
    MESSAGES = "messages"
    APPLICATION = "application"
    PARTNERS = "partners"
    DECISION = "decision"
    TENDERS = "tenders"
    CLUSTERS = "clusters"
    REVIEW = "review"
    ACCOUNT = "account"


TOPIC_TITLES: Final = {
    Topic.DEADLINES: N_("Deadlines"),
    Topic.MESSAGES: N_("Messages"),
    Topic.APPLICATION: N_("Your applications"),
    Topic.PARTNERS: N_("Partners of a project"),
    Topic.DECISION: N_("Decisions"),
    Topic.TENDERS: N_("Tenders"),
    Topic.CLUSTERS: N_("Clusters"),
    Topic.REVIEW: N_("Reviews"),
    Topic.ACCOUNT: N_("Your account"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notice. ``name`` stands in rows and in the links that switch letters off: it never changes.

    ``obligatory``: always in the portal and always a letter at once (security, decisions, deadlines of signing).
    ``important``: always in the portal; only its letters can be chosen. ``mail`` is what holds until the person
    chooses. ``staff``: only people of the fund get it.
    """

    name: str
    topic: Topic
    title: Message
    obligatory: bool = False
    important: bool = False
    mail: Mail = Mail.NOW
    staff: bool = False


_kinds: dict[str, Kind] = {}


def declare(
    name: str,
    topic: Topic,
    title: Message,
    *,
    obligatory: bool = False,
    important: bool = False,
    mail: Mail = Mail.NOW,
    staff: bool = False,
) -> str:
    """Make a kind known; gives its name. A name is declared once; declaring the same again changes nothing."""
    kind = Kind(name, topic, title, obligatory, important or obligatory, mail, staff)
    if _kinds.setdefault(name, kind) != kind:
        raise ValueError(f"{name} is declared twice")
    return name


def kind_of(name: str) -> Kind:
    """The kind of this name. Raises :class:`LookupError` for one that no room has declared."""
    return _kinds[name]


def known(name: str) -> Kind | None:
    """The kind of this name, or None."""
    return _kinds.get(name)


def by_topic(*, staff: bool) -> list[tuple[Topic, list[Kind]]]:
    """All kinds in the order of the page, each topic with its kinds; those of the fund's people for ``staff`` only."""
    shown = [kind for kind in _kinds.values() if staff or not kind.staff]
    found = [(topic, sorted((k for k in shown if k.topic is topic), key=lambda k: k.name)) for topic in Topic]
    return [(topic, kinds) for topic, kinds in found if kinds]


DIGEST: Final = "digest"
"""The kind of the daily digest's letter: not a notice of its own, switched off as a whole."""
