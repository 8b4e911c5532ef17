"""Which offers answer a need, and which needs an offer: by kind, product code and region, with the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from portal.clusters.board_models import PostKind
from portal.core.language import N_, Message

PRODUCT_KINDS: Final = frozenset({PostKind.SUPPLY, PostKind.COMPONENT})
"""Kinds that answer each other, and only with a product in common."""


class Post(Protocol):
    """A post as the comparison needs it."""

    @property
    def id(self) -> UUID: ...
    @property
    def organisation_id(self) -> UUID: ...
    @property
    def side(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def okpd2(self) -> str: ...
    @property
    def region(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Match:
    """A post of the other side; ``score`` grows with what both have in common, ``reasons`` say what that is."""

    post_id: UUID
    score: int
    reasons: tuple[Message, ...]


def matches(post: Post, others: Iterable[Post]) -> list[Match]:
    """The posts that answer ``post``, the best first; nobody answers themselves."""
    found = [match for other in others if (match := _compared(post, other)) is not None]
    return sorted(found, key=lambda match: (-match.score, match.post_id.hex))


def common_code(one: str, other: str) -> str:
    """The longest beginning of both codes that is a class, group or finer: ``24.51`` of 24.51.11 and 24.51.2."""
    common: list[str] = []
    for mine, theirs in zip(one.split("."), other.split("."), strict=False):
        if mine != theirs:
            shared = _beginning(mine, theirs)
            if common and shared:
                common.append(shared)
            break
        common.append(mine)
    return ".".join(common)


def _beginning(one: str, other: str) -> str:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]


def _compared(post: Post, other: Post) -> Match | None:
    if other.id == post.id or other.side == post.side or other.organisation_id == post.organisation_id:
        return None
    same_family = post.kind in PRODUCT_KINDS and other.kind in PRODUCT_KINDS
    if not same_family and post.kind != other.kind:
        return None
    score, reasons = 1, []
    if same_family:
        code = common_code(post.okpd2, other.okpd2) if post.okpd2 and other.okpd2 else ""
        if not code:
            return None
        score += len(code.replace(".", ""))
        reasons.append(N_("Products of the same code %(code)s of OKPD 2", code=code))
    else:
        reasons.append(N_("The same kind of service"))
    if post.region and other.region:
        if post.region == other.region:
            score += 2
            reasons.append(N_("In the same region"))
    elif post.region or other.region:
        reasons.append(N_("Any region will do"))
    return Match(other.id, score, tuple(reasons))
