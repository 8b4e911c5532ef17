"""Programmes and tenders with the official rules, ready for applications."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import now
from portal.tenders.models import Programme, RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import RuleSet, rules_digest, to_json

TRACKS = (Track.EXPORT, Track.IMPORT_SUBSTITUTION)
DAY = timedelta(days=1)

_serial = itertools.count(1)


def programme(session: Session, code: str = "JP") -> Programme:
    """The programme of this code, made when there is none."""
    row = session.scalar(select(Programme).where(Programme.code == code))
    if row is None:
        row = Programme(
            code=code,
            name_ru="Совместные проекты участников промышленных кластеров",
            name_en="Joint projects of industrial cluster members",
        )
        session.add(row)
        session.flush()
    return row


def rule_set(session: Session, track: Track, *, frozen_at: datetime | None = None, **changes: Any) -> RuleSetVersion:
    """The official rules of a track with ``changes`` to fields of the rule set; frozen when told when."""
    rules = replace(load_rulebook(track), **changes)
    content, digest = _written(rules) if changes else _official(track)
    row = RuleSetVersion(
        track=track,
        title_ru=rules.title.ru,
        title_en=rules.title.en,
        content=json.loads(content),
        digest=digest if frozen_at else None,
        frozen_at=frozen_at,
    )
    session.add(row)
    session.flush()
    return row


@cache
def _official(track: Track) -> tuple[str, str]:
    return _written(load_rulebook(track))


def _written(rules: RuleSet) -> tuple[str, str]:
    """The rules as JSON, and their digest."""
    content = to_json(rules)
    return json.dumps(content), rules_digest(content)


def tender(
    session: Session,
    *,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    published_at: datetime | None = None,
    code: str = "",
    tracks: tuple[Track, ...] = TRACKS,
    rules: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Tender:
    """A tender with its tracks, its rule sets frozen when it is published; ``rules`` change both of them.

    ``tracks`` of the returned row is loaded: ``{t.track: t for t in tender.tracks}``; so is ``programme``.
    """
    number = next(_serial)
    row = Tender(
        **{
            "programme": programme(session),
            "code": code or f"T{number}",
            "year": 2018,
            "title_ru": f"Конкурсный отбор совместных проектов, демо {number}",
            "title_en": f"Joint projects tender, demo {number}",
            "notice_ru": "Извещение о проведении отбора.",
            "notice_en": "Notice of the tender.",
            "opens_at": opens_at,
            "closes_at": closes_at,
            "published_at": published_at,
            **fields,
        }
    )
    row.tracks = [
        TenderTrack(track=track, rule_set=rule_set(session, track, frozen_at=published_at, **(rules or {})))
        for track in tracks
    ]
    session.add(row)
    session.flush()
    return row


def open_tender(session: Session, **fields: Any) -> Tender:
    """A published tender on both tracks: opened yesterday, closes in 20 days by the database's clock."""
    instant = now(session)
    return tender(
        session,
        **{
            "opens_at": instant - DAY,
            "closes_at": instant + 20 * DAY,
            "published_at": instant - 8 * DAY,
            **fields,
        },
    )


def closed_tender(session: Session, **fields: Any) -> Tender:
    """A published tender whose intake of 30 days ended yesterday."""
    instant = now(session)
    return tender(
        session,
        **{
            "opens_at": instant - 31 * DAY,
            "closes_at": instant - DAY,
            "published_at": instant - 40 * DAY,
            **fields,
        },
    )


def track_of(row: Tender, track: Track = Track.IMPORT_SUBSTITUTION) -> TenderTrack:
    """The tender's track of this kind."""
    return next(held for held in row.tracks if held.track == track)
