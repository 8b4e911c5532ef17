"""The steps of a tender in words and as a picture, for every page that shows its calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.core.formats import format_date, zone_name
from portal.core.language import N_
from portal.tenders.schedule import TITLES, Milestone
from portal.web.language import locale, say
from portal.web.templating import instant as shown_instant

EVENTS: Final = {**TITLES, "closes": N_("End of intake")}
"""How a step is called where something else is counted from it."""

STARTS: Final = {"opens": "announced", "questions": "opens", "closes": "opens"}
"""Where the bar of a step begins, if not at the step that it is counted from."""

THINNEST: Final = 8.0


def when(step: Milestone, zone: str) -> str:
    """The instant with its zone, or the last day."""
    if step.at is not None:
        return shown_instant(step.at, zone)
    assert step.day is not None
    return str(_("by %(day)s", day=format_date(step.day, locale())))


def period_end(until: datetime, zone: str) -> str:
    """The end of a period: midnight is told as the end of the day before it, as people count."""
    local = until.astimezone(ZoneInfo(zone))
    if local.time() != time.min:
        return shown_instant(until, zone)
    day = format_date(local.date() - timedelta(days=1), locale())
    return str(_("the end of %(day)s (%(zone)s)", day=day, zone=zone_name(local, locale())))


def basis(step: Milestone) -> str:
    """What the date follows from, in words."""
    if step.moved:
        return str(_("Set by an amendment"))
    if step.at is not None or step.working_days is None:
        return str(_("Took place")) if step.code in ("announced", "results") else str(_("Set in the notice"))
    period = length(step)
    event = say(EVENTS[step.after])
    if step.working_days < 0:
        return str(_("%(period)s before “%(event)s”", period=period, event=event))
    return str(_("%(period)s after “%(event)s”", period=period, event=event))


def length(step: Milestone) -> str:
    """How many working days a counted step takes; "" for one that is set."""
    if step.moved or step.at is not None or step.working_days is None:
        return ""
    return str(ngettext("%(num)s working day", "%(num)s working days", abs(step.working_days)))


def states(steps: Sequence[Milestone], place: ZoneInfo, instant: datetime) -> list[str]:
    """For each step: ``past``, ``now`` for the next one to come, or ``next`` for those after it."""
    ends = [step.ends(place) for step in steps]
    coming = min((end for end in ends if end > instant), default=None)
    return ["past" if end <= instant else "now" if end == coming else "next" for end in ends]


def picture(steps: Sequence[Milestone], zone: str, instant: datetime) -> dict[str, Any]:
    """The steps as bars over the time of the tender: ``{rows, today}`` in thousandths of its length.

    A bar goes from the step that it is counted from to the step itself; ``today`` is None outside of that time.
    """
    place = ZoneInfo(zone)
    ends = {step.code: step.ends(place) for step in steps}
    first, last = min(ends.values()), max(ends.values())
    whole = max((last - first).total_seconds(), 1.0)

    def scaled(at: datetime) -> float:
        return round((at - first).total_seconds() * 1000 / whole, 1)

    rows = []
    for step, state in zip(steps, states(steps, place, instant), strict=True):
        end = ends[step.code]
        start = min(ends.get(STARTS.get(step.code, step.after), end), end)
        width = max(scaled(end) - scaled(start), THINNEST)
        rows.append(
            {
                "label": say(step.title),
                "when": when(step, zone),
                "x": min(scaled(start), 1000 - width),
                "width": width,
                "state": state,
            }
        )
    inside = first - timedelta(days=1) <= instant <= last
    return {"rows": rows, "today": max(scaled(instant), 0.0) if inside else None}
