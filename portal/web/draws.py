"""Public draws of lots: the officer commits and enters the outcome, everyone reads and recomputes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from wtforms import StringField

from portal.core.canonical import canonical_json
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.core.formats import EXAMPLE_DAY
from portal.identity.policy import Permission
from portal.notifications.letters import address
from portal.scoring import drawing
from portal.scoring.drawing import Draw, Source
from portal.scoring.lots import SNIPPET, lot
from portal.tenders import queries
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import TieRule
from portal.web.forms import PortalForm
from portal.web.page import page
from portal.web.tenders import WallTimeField

pages = Blueprint("draws", __name__)


class CommitForm(PortalForm):
    """What the fund commits to, besides the registration numbers."""

    source_ru = StringField(
        _l("Public event in Russian"),
        description=_l("Whose outcome nobody can know or choose, for example a draw of the state lottery"),
    )
    source_en = StringField(_l("The same in English"))
    url = StringField(_l("Page where its outcome will be published"))
    draws_at = WallTimeField(
        _l("When it takes place"), description=_l("In the tender's zone, for example %(day)s 18:00", day=EXAMPLE_DAY)
    )


class OutcomeForm(PortalForm):
    """The outcome of the event."""

    randomness = StringField(
        _l("Outcome as published"), description=_l("Sign by sign, for example the numbers in the order they came out")
    )
    url = StringField(_l("Page where it stands"))
    note = StringField(_l("Note"), description=_l("Optional: what a reader should know to find it"))


@page(pages, "/staff/draws/<uuid:track_id>", get=Permission.DRAW_HOLD)
def show(track_id: UUID) -> ResponseReturnValue:
    """The draws of a track, and the next step of the officer."""
    return _staff(track_id, CommitForm(formdata=None), OutcomeForm(formdata=None))


@page(pages, "/staff/draws/<uuid:track_id>/commit", post=Permission.DRAW_HOLD)
def commit(track_id: UUID) -> ResponseReturnValue:
    """Publish a commitment."""
    form = CommitForm()
    track = _track(track_id)
    form.validate()
    place = ZoneInfo(track.tender.zone)
    at: datetime | None = form.draws_at.data
    source = Source(
        form.source_ru.data or "",
        form.source_en.data or "",
        form.url.data or "",
        at.replace(tzinfo=place) if at else None,
    )
    try:
        drawing.commit(session(), g.actor, track_id, source=source)
    except Problems as found:
        form.attach(found.problems)
        return _staff(track_id, form, OutcomeForm(formdata=None)), 422
    flash(_("The commitment is published. Nobody can change it."), "success")
    return redirect(url_for(".show", track_id=track_id), 303)


@page(pages, "/staff/draws/<uuid:track_id>/enter", post=Permission.DRAW_HOLD)
def enter(track_id: UUID) -> ResponseReturnValue:
    """Enter the outcome of the event."""
    form = OutcomeForm()
    _track(track_id)
    try:
        drawing.enter(
            session(),
            g.actor,
            track_id,
            randomness=form.randomness.data or "",
            url=form.url.data or "",
            note=form.note.data or "",
        )
    except Problems as found:
        form.attach(found.problems)
        return _staff(track_id, CommitForm(formdata=None), form), 422
    flash(_("The outcome is entered. Start a scoring run, so that the ranking follows it."), "success")
    return redirect(url_for(".show", track_id=track_id), 303)


@page(pages, "/tenders/<code>/draw", get=Permission.PUBLIC)
def public(code: str) -> ResponseReturnValue:
    """What is committed to, what came out, the order, and how anyone recomputes it."""
    row = queries.by_code(session(), g.actor, code)
    found = drawing.draws(session(), [track.id for track in row.tracks])
    rules = queries.rules_of(session(), g.actor, row.tender.id)
    if not found and not any(TieRule.DRAW in each.tie_rules for each in rules.values()):
        raise NotFound
    return render_template("draws/public.html", row=row, tender=row.tender, draws=[_shown(draw) for draw in found])


@page(pages, "/tenders/<code>/draw/<track>.json", get=Permission.PUBLIC)
def as_json(code: str, track: str) -> ResponseReturnValue:
    """The last draw of a track for programs: what is committed to, its digest, and the randomness, null before."""
    row = queries.by_code(session(), g.actor, code)
    found = drawing.draws(session(), [held.id for held in row.tracks if held.track == track])
    if not found:
        raise NotFound
    last = found[-1]
    content = {
        "commitment": last.commitment.digest,
        "committed": last.committed,
        "randomness": last.outcome.randomness if last.outcome else None,
        "published": last.outcome.url if last.outcome else None,
    }
    return Response(canonical_json(content), mimetype="application/json")


def _shown(draw: Draw) -> dict[str, Any]:
    where = address(url_for(".as_json", code=draw.tender, track=draw.track))
    lots = draw.outcome and [(number, lot(draw.outcome.randomness, number)) for number in draw.order]
    return {"draw": draw, "lots": lots or [], "snippet": SNIPPET.format(address=where), "json": where}


def _staff(track_id: UUID, committing: CommitForm, entering: OutcomeForm) -> str:
    track = _track(track_id)
    found = drawing.draws(session(), [track_id])
    instant = now(session())
    last = found[-1] if found else None
    come = last is not None and last.commitment.draws_at <= instant
    return render_template(
        "draws/show.html",
        track=track,
        tender=track.tender,
        draws=[_shown(draw) for draw in reversed(found)],
        drawable=drawing.drawable(track, instant),
        commits=not come,
        enters=come and last is not None and last.outcome is None,
        committing=committing,
        entering=entering,
    )


def _track(track_id: UUID) -> TenderTrack:
    statement = select(TenderTrack).where(TenderTrack.id == track_id)
    row = session().scalar(
        statement.options(
            joinedload(TenderTrack.tender, innerjoin=True), joinedload(TenderTrack.rule_set, innerjoin=True)
        )
    )
    if row is None or row.tender.published_at is None:
        raise NotFound
    return row
