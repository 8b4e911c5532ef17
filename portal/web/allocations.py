"""How the money of a track would be given out under its rules: reasons, prices of limits, money by year."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import portal.awards.jobs  # noqa: F401 - computing writes a task of this kind
from portal.applications.models import Application
from portal.awards import queries
from portal.awards.allocation import computing as allocating
from portal.awards.allocation.computing import RunView
from portal.awards.allocation.inputs import JOINT, limit_names
from portal.awards.allocation.problem import PROJECTS, Outcome, Policy, outcome_of
from portal.awards.allocation.words import POLICY_NAMES, told
from portal.core.db import session
from portal.core.errors import Problems
from portal.core.figures import Figure, number, percent
from portal.core.language import Message
from portal.identity.policy import Permission
from portal.tenders.models import Tender, Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.award_links import problem_links
from portal.web.forms import ActionForm
from portal.web.language import say
from portal.web.page import page

pages = Blueprint("allocations", __name__, url_prefix="/staff/allocations")

SHOWN: Final = 500
"""Projects that the page lists; an allocation of more is read as a file."""


@dataclass(frozen=True, slots=True)
class Row:
    """One project with what it is granted and why."""

    application: Application
    place: int
    asked: Mapping[int, Decimal]
    outcome: Outcome
    reason: Message


@pages.context_processor
def _words() -> dict[str, Any]:
    return {
        "points_of": lambda text: say(_figure(number, text)),
        "gap_of": lambda text: say(_figure(percent, text, 100)),
    }


def _figure(kind: Callable[[Decimal], Figure], text: str | None, factor: int = 1) -> Message:
    return Message("%(figure)s", {"figure": kind(Decimal(text or 0) * factor)})


@page(pages, "/tracks/<uuid:tender_track_id>", get=Permission.AWARD_VIEW, post=Permission.AWARD_DRAFT)
def track(tender_track_id: UUID) -> ResponseReturnValue:
    """The newest allocation of a track; posting has it computed anew."""
    if request.method == "POST":
        try:
            allocating.start(session(), g.actor, tender_track_id=tender_track_id)
        except Problems as found:
            session().rollback()
            return _show(tender_track_id, found.problems), 422
        return redirect(url_for(".track", tender_track_id=tender_track_id), 303)
    return _show(tender_track_id)


def _show(tender_track_id: UUID, problems: Any = ()) -> str:
    current = session()
    row = queries.track_of(current, g.actor, tender_track_id)
    found = allocating.view(current, row.track)
    done = found.run is not None and found.run.done_at is not None
    if request.headers.get("HX-Request"):
        return render_template("allocations/progress.html", row=row, found=found, done=done)
    return render_template(
        "allocations/track.html",
        row=row,
        found=found,
        done=done,
        track_name=say(TRACK_NAMES[Track(row.track.track)]),
        policy=POLICY_NAMES[Policy(found.run.result["policy"])] if done and found.run else None,
        policies=_policies(found) if done else [],
        projects=_projects(found, row.track.tender) if done else [],
        money=_money(found) if done else [],
        limits=_limits(found, row.track.tender) if done else [],
        joint=row.track.tender.joint_limits,
        problems=problems,
        hrefs=problem_links(row.track, problems or found.problems),
        form=ActionForm(formdata=None),
    )


def _projects(found: RunView, tender: Tender) -> list[tuple[str, list[Row]]]:
    """The projects of each track that the allocation is about; no name where it is about one."""
    rows = _rows(found, tender)
    tracks = {row.application.track for row in rows}
    if len(tracks) < 2:
        return [("", rows[:SHOWN])]
    return [
        (say(TRACK_NAMES[Track(track)]), [row for row in rows if row.application.track == track][:SHOWN])
        for track in found.rules
        if track in tracks
    ]


def _rows(found: RunView, tender: Tender) -> list[Row]:
    assert found.run is not None
    names = limit_names(tender, found.rules)
    result = found.run.result
    rows = []
    for key, plain in result["outcomes"].items():
        outcome = outcome_of(plain)
        asked = {int(year): Decimal(amount) for year, amount in result["asked"][key].items()}
        rows.append(Row(found.applications[key], result["places"][key], asked, outcome, told(outcome, names)))
    return sorted(rows, key=lambda row: row.place)


@dataclass(frozen=True, slots=True)
class Money:
    """The envelopes of a track by year; ``name``: the track's, "" where the allocation is about one; ``shadow``: year
    -> what another million roubles would bring, in points."""

    name: str
    years: list[dict[str, Any]]
    shadow: Mapping[str, str]


def _money(found: RunView) -> list[Money]:
    assert found.run is not None
    result = found.run.result
    if "tracks" not in result:
        return [Money("", _years(result, result["left"], list(result["outcomes"])), result["shadow"])]
    tracks: dict[str, list[str]] = {track: [] for track in result["tracks"]}
    for key in result["outcomes"]:
        tracks[found.applications[key].track].append(key)
    return [
        Money(say(TRACK_NAMES[Track(track)]), _years(result, figures["left"], tracks[track]), figures["shadow"])
        for track, figures in result["tracks"].items()
    ]


def _years(result: Mapping[str, Any], held: Mapping[str, str], keys: Sequence[str]) -> list[dict[str, Any]]:
    """A bar for each year that somebody asks for: what is granted, and what is left of the envelope."""
    asked = {year for key in keys for year, amount in result["asked"][key].items() if Decimal(amount)}
    rows = []
    for year, left in sorted(held.items()):
        if asked and year not in asked:
            continue
        granted = sum((Decimal(result["outcomes"][key]["granted"].get(year, 0)) for key in keys), Decimal(0))
        parts = [
            {"key": "granted", "label": _("Would be granted"), "value": granted, "css": "jp-fill-2"},
            {"key": "left", "label": _("Left"), "value": Decimal(left), "css": "jp-fill-4"},
        ]
        rows.append({"label": year, "parts": parts, "total": granted + Decimal(left)})
    return rows


def _limits(found: RunView, tender: Tender) -> list[dict[str, Any]]:
    """Each limit for each group that it counts, with its price; ``of``: the track that it looks at, among several."""
    assert found.run is not None
    names = limit_names(tender, found.rules)
    prices = {each["code"]: each for each in found.run.result["prices"]}
    rows = []
    for each in found.run.result["limits"]:
        money = each["unit"] != PROJECTS
        rows.append(
            {
                "name": say(names[each["code"]]) if each["code"] in names else each["code"],
                "value": each["value"],
                "of": _looks_at(each["code"], tender),
                "money": money,
                "used": Decimal(each["used"]),
                "least": None if each["least"] is None else Decimal(each["least"]),
                "most": None if each["most"] is None else Decimal(each["most"]),
                "met": each["met"],
                "dropped": each["code"] in found.run.result["dropped"],
                "low": Decimal(prices[each["code"]]["low"]),
                "high": Decimal(prices[each["code"]]["high"]),
            }
        )
    # A limit for each value has a row for each: those that are used stand first.
    return sorted(rows, key=lambda row: (row["met"], not row["used"]))[:SHOWN]


def _looks_at(code: str, tender: Tender) -> str:
    if not tender.joint_limits:
        return ""
    return _("both tracks") if code.startswith(JOINT) else say(TRACK_NAMES[Track(code.partition(":")[0])])


def _policies(found: RunView) -> list[tuple[str, Decimal]]:
    assert found.run is not None
    points = found.run.result["by_policy"]
    offered = (Policy.STRICT, Policy.SKIPPING, Policy.BEST_TOTAL)
    return [(say(POLICY_NAMES[policy]), Decimal(points[policy.value])) for policy in offered if policy.value in points]
