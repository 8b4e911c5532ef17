"""Changing a published tender: a later closing, another notice, other milestones; and cancelling it.

Each change is a numbered row that is never changed, with its reason in both languages. Everyone who has an
application in the tender or follows it gets a letter; the letters are written in the background. The rules stay
frozen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import SequenceMatcher
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core import jobs
from portal.core.calendar import is_working_day
from portal.core.clock import now
from portal.core.errors import Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Actor
from portal.tenders import rules as life
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import Amendment, AmendmentKind, RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import RuleSet
from portal.tenders.schedule import MOVABLE, Milestone, calendar_of, order_problems
from portal.tenders.service import expect, locked
from portal.tenders.values import LONGEST_NOTICE, LONGEST_REASON, at_wall, too_long

NOTICE: Final = "tender_notice"
"""The kind of the task that writes the letters about an event of a tender; the applications room does it."""
NOTICES: Final = ("notice_ru", "notice_en")


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why, in both languages; both are public."""

    ru: str
    en: str

    def problems(self) -> list[Problem]:
        found = [
            Problem("required", f"reason_{locale}", N_("Give the reason in both languages: everyone reads it."))
            for locale, text in (("ru", self.ru), ("en", self.en))
            if not text.strip()
        ]
        texts = {"reason_ru": self.ru, "reason_en": self.en}
        return found + too_long(texts, dict.fromkeys(texts, LONGEST_REASON))


@dataclass(frozen=True, slots=True)
class AmendmentValues:
    """The tender as it is to be. ``closes`` is a wall-clock time of its zone, None to leave the closing alone.

    ``days`` maps codes of ``schedule.MOVABLE`` to days; a day that is the present one changes nothing, None gives
    the day back to the rule set's limits, and a code that is missing is left alone.
    """

    reasons: Reasons
    closes: datetime | None = None
    notice_ru: str = ""
    notice_en: str = ""
    days: Mapping[str, date | None] = field(default_factory=dict)


def amend(
    session: Session, actor: Actor, tender_id: UUID, *, values: AmendmentValues, expected_version: int
) -> Amendment:
    """Publish the difference between ``values`` and the tender as its next amendment.

    Problems: no reason, nothing changed, a closing that is not later or comes after intake has ended, an empty
    notice, a day that has passed, is a day off, or contradicts the order of the procedure.
    """
    row = locked(session, actor, tender_id, "amend")
    expect(row.version, expected_version)
    instant, place = now(session), ZoneInfo(row.zone)
    rules = _rules(session, row)
    shown = {step.code: step for step in calendar_of(row, rules, place)}
    found = values.reasons.problems()
    changes = _closing(row, values.closes, instant, found)
    changes += _notices(row, values, found)
    today = instant.astimezone(place).date()
    changes += _days(row, values.days, shown, today, place, found)
    if not changes and not found:
        found.append(Problem("nothing", "", N_("Nothing is different: change the closing, the notice or a milestone.")))
    if not found:
        found += order_problems(calendar_of(row, rules, place), place)
    if found:
        session.expire(row)
        raise Problems(found)
    session.flush()
    made = _write(session, actor, row, AmendmentKind.CHANGE, values.reasons, changes)
    record(
        session,
        actor,
        "tenders:tender:amend",
        "tender",
        row.id,
        {"number": made.number, "reason": values.reasons.ru.strip(), "changes": changes},
    )
    return made


def cancel(session: Session, actor: Actor, tender_id: UUID, *, reasons: Reasons, expected_version: int) -> Tender:
    """Cancel a tender whose results are not published; one that was published tells why in its last amendment."""
    row = locked(session, actor, tender_id, "cancel")
    expect(row.version, expected_version)
    if found := reasons.problems():
        raise Problems(found)
    row.cancelled_at = now(session)
    row.cancel_reason, row.cancel_reason_en = reasons.ru.strip(), reasons.en.strip()
    session.flush()
    if row.published_at is not None:
        change = {"what": "cancelled_at", "before": None, "after": row.cancelled_at.astimezone(UTC).isoformat()}
        _write(session, actor, row, AmendmentKind.CANCELLATION, reasons, [change])
    record(session, actor, "tenders:tender:cancel", "tender", row.id, {"reason": row.cancel_reason})
    return row


def _write(
    session: Session,
    actor: Actor,
    row: Tender,
    kind: AmendmentKind,
    reasons: Reasons,
    changes: Sequence[Mapping[str, Any]],
) -> Amendment:
    """The tender's row is locked, so that the next number is free."""
    last = session.scalar(select(func.max(Amendment.number)).where(Amendment.tender_id == row.id))
    made = Amendment(
        tender_id=row.id,
        number=(last or 0) + 1,
        kind=kind,
        reason_ru=reasons.ru.strip(),
        reason_en=reasons.en.strip(),
        changes=list(changes),
        made_by=actor.user_id,
    )
    session.add(made)
    session.flush()
    jobs.enqueue(session, NOTICE, {"event": "amendment", "id": str(made.id)}, key=f"{NOTICE}:amendment:{made.id}")
    return made


def _rules(session: Session, row: Tender) -> list[RuleSet]:
    wanted = (
        select(RuleSetVersion.id)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.tender_id == row.id)
        .order_by(RuleSetVersion.track)
    )
    return [rules for rules, _ in rules_with(session, wanted)]


def _closing(row: Tender, closes: datetime | None, instant: datetime, found: list[Problem]) -> list[dict[str, Any]]:
    """Move the closing; a present value changes nothing."""
    later = at_wall(closes, row.zone, "closes", found)
    assert row.closes_at is not None
    # The form shows minutes; what is typed back is the same time when its minute is.
    if later is None or later == row.closes_at.replace(second=0, microsecond=0):
        return []
    if life.status(row, instant) not in life.ALLOWED["extend"]:
        found.append(Problem("closed", "closes", N_("Intake can be extended only until it closes.")))
    elif later <= row.closes_at:
        message = N_("The new time must be later than the present one. Intake is never shortened.")
        found.append(Problem("not_later", "closes", message))
    change = {"what": "closes_at", "before": _stamp(row.closes_at), "after": _stamp(later)}
    row.closes_at = later
    return [change]


def _notices(row: Tender, values: AmendmentValues, found: list[Problem]) -> list[dict[str, Any]]:
    changes = []
    for name in NOTICES:
        before, after = _plain(getattr(row, name)), _plain(getattr(values, name))
        if not after:
            found.append(Problem("required", name, N_("The notice must not become empty.")))
        elif after != before:
            changes.append({"what": name, "before": before, "after": after})
            setattr(row, name, after)
    found += too_long({name: getattr(values, name) for name in NOTICES}, dict.fromkeys(NOTICES, LONGEST_NOTICE))
    return changes


def _plain(text: str) -> str:
    """Without what browsers add to a text that passes through a form."""
    return text.replace("\r\n", "\n").strip()


def _days(
    row: Tender,
    days: Mapping[str, date | None],
    shown: Mapping[str, Milestone],
    today: date,
    place: ZoneInfo,
    found: list[Problem],
) -> list[dict[str, Any]]:
    changes = []
    moved = dict(row.moved)
    for code in MOVABLE:
        if code not in days or code not in shown:
            continue
        before, after = shown[code].date(place), days[code]
        if after == before or (after is None and code not in moved):
            continue
        if after is None:
            del moved[code]
        elif after < today:
            found.append(Problem("past", f"day-{code}", N_("This day has passed.")))
        elif not is_working_day(after):
            found.append(Problem("day_off", f"day-{code}", N_("This is a day off.")))
        else:
            moved[code] = after.isoformat()
        told = after.isoformat() if after else None
        changes.append({"what": f"milestone:{code}", "before": before.isoformat(), "after": told})
    row.moved = moved
    return changes


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def listed(session: Session, tender_id: UUID) -> list[Amendment]:
    """All amendments of a tender, the newest first."""
    wanted = select(Amendment).where(Amendment.tender_id == tender_id).order_by(Amendment.number.desc())
    return list(session.scalars(wanted))


def counts(session: Session, tenders: Iterable[UUID]) -> dict[UUID, tuple[int, datetime]]:
    """How many amendments each of the tenders has, and when the last one was made; without those that have none."""
    wanted = (
        select(Amendment.tender_id, func.max(Amendment.number), func.max(Amendment.created_at))
        .where(Amendment.tender_id.in_(list(tenders)))
        .group_by(Amendment.tender_id)
    )
    return {key: (number, at) for key, number, at in session.execute(wanted)}


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is the ``same``, was ``removed``, or was ``added``."""

    kind: str
    text: str


MOST_WORDS: Final = 1_500


def differences(before: str, after: str) -> list[Piece]:
    """What changed between two texts, word by word; texts beyond :data:`MOST_WORDS` words are shown line by line."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > MOST_WORDS:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    removed = added = between = ""
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        if kind != "equal":
            removed, added, between = removed + between + gone, added + between + come, ""
        elif (removed or added) and gone.isspace():
            between = gone  # the white space between two changed words does not part them
        else:
            pieces += [*_changed(removed, added), Piece("same", between + gone)]
            removed = added = between = ""
    pieces += _changed(removed, added)
    return [*pieces, Piece("same", between)] if between else pieces


def _changed(removed: str, added: str) -> list[Piece]:
    return [Piece(kind, text) for kind, text in (("removed", removed), ("added", added)) if text]


_WORD: Final = re.compile(r"\S+|\s+")
"""A word or the white space between two; joined, they are the text."""
