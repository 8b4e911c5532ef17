"""Decisions on the tracks of tenders: draft, second signature, publication."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from wtforms import TextAreaField

import portal.awards.jobs  # noqa: F401 - publishing writes a task of this kind
from portal.awards import joint, later_limits, queries, service, sign_offs
from portal.awards.commission.meetings import on_agenda
from portal.awards.commission.models import AgendaItem, ItemState
from portal.awards.joint import Beside
from portal.awards.models import Award, AwardDecision
from portal.awards.offers import queries as offer_queries
from portal.awards.offers import service as offers
from portal.awards.policy import Interest, Signing
from portal.awards.queries import DecisionView, TrackNow, TrackRow
from portal.awards.scenarios.queries import cited_by
from portal.awards.sign_offs import SignOff
from portal.core.db import session
from portal.core.errors import Conflict, Problem, Problems, Refused
from portal.core.language import Message
from portal.identity.policy import Permission, decide
from portal.review.barring import barred_words
from portal.review.conflict_queries import barring
from portal.scoring.queries import latest_run
from portal.tenders.models import Tender, TenderTrack, Track
from portal.tenders.rules import TRACK_NAMES, TenderStatus, status
from portal.web.award_links import problem_links
from portal.web.forms import ActionForm, PortalForm
from portal.web.language import say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.templating import instant as instant_of

pages = Blueprint("awards", __name__, url_prefix="/staff/decisions")

OUTCOMES = tuple(Award)


class StopForm(PortalForm):
    """Why the letters are stopped."""

    reason = TextAreaField(_l("Reason"))


@pages.context_processor
def _names() -> dict[str, Any]:
    return {
        "track_name": lambda track: say(TRACK_NAMES[Track(track)]),
        "stage": stage,
        "outcomes": [outcome.value for outcome in OUTCOMES],
        "signature_steps": _signature_steps,
        "commission_step": _commission_step,
    }


def _signature_steps(
    signatures: Sequence[SignOff], question: AgendaItem | None = None, commission: bool = False
) -> list[dict[str, Any]]:
    """What the timeline says of the signatures that a decision needs.

    ``question``: that of the decision before the commission, whose rules may ask for one (``commission``).
    """
    steps = []
    missing = "next" if commission and (question is None or question.state != ItemState.ADOPTED) else "now"
    for item in signatures:
        if item.at is not None:
            title = _("%(office)s: signed by %(name)s", office=say(item.name), name=item.person)
            steps.append({"title": title, "time": instant_of(item.at), "state": "past"})
        else:
            note = _("The last signature books the awards in the ledger.")
            steps.append({"title": _("Signature: %(office)s", office=say(item.name)), "state": missing, "note": note})
    return steps


def _commission_step(item: AgendaItem | None) -> dict[str, Any]:
    """What the timeline says of the commission's vote on a list."""
    if item is None:
        note = _("A list is signed after the commission has adopted it. Put it on the agenda of a meeting.")
        href = url_for("meetings.index") if decide(g.actor, Permission.MEETING_VIEW).allow else ""
        return {"title": _("Decision of the commission"), "note": note, "state": "now", "href": href}
    href = url_for("meetings.show", meeting_id=item.meeting_id, _anchor=f"item-{item.place}")
    if item.state == ItemState.ADOPTED:
        return {
            "title": _("Adopted by the commission"),
            "time": instant_of(item.closed_at),
            "state": "past",
            "href": href,
        }
    return {
        "title": _("Decision of the commission"),
        "note": _("On the agenda of a meeting."),
        "state": "now",
        "href": href,
    }


def stage(decision: AwardDecision | None) -> str:
    """How far a decision is: none, drafted, signed, published."""
    if decision is None:
        return "none"
    if decision.published_at is not None:
        return "published"
    return "drafted" if decision.signed_at is None else "signed"


@page(pages, "", get=Permission.AWARD_VIEW)
def index() -> ResponseReturnValue:
    """The tracks of tenders with the state of their decisions, the latest closing first."""
    listed: Page[Any] = keyset(
        session(),
        queries.tracks(g.actor),
        (Tender.closes_at, TenderTrack.id),
        lambda row: (row[0].tender.closes_at, row[0].id),
        request.args.get("cursor"),
    )
    return render_template("awards/index.html", listed=listed, rows=[TrackRow(*row) for row in listed.rows])


@page(pages, "/tracks/<uuid:tender_track_id>", get=Permission.AWARD_VIEW)
def track(tender_track_id: UUID) -> ResponseReturnValue:
    """The decision on one track, or what is needed for one."""
    return _track_page(tender_track_id)


@page(pages, "/tracks/<uuid:tender_track_id>/draft", post=Permission.AWARD_DRAFT)
def draft(tender_track_id: UUID) -> ResponseReturnValue:
    """Draft the list that follows from the ranking and the money left."""
    try:
        service.draft(session(), g.actor, tender_track_id)
    except Problems as found:
        return _refused(tender_track_id, found.problems, 422)
    except (Conflict, Refused) as refusal:
        return _refused(tender_track_id, [_whole(refusal.reason)], _status(refusal))
    flash(_("The list is drafted. Nothing is booked before another person signs it."), "success")
    return redirect(url_for(".track", tender_track_id=tender_track_id), 303)


@page(pages, "/<uuid:decision_id>/redraft", post=Permission.AWARD_DRAFT)
def redraft(decision_id: UUID) -> ResponseReturnValue:
    """Put a draft away and draft the list as it follows now."""
    place = queries.decision_track(session(), g.actor, decision_id)
    try:
        service.redraft(session(), g.actor, decision_id, expected_version=ActionForm().version.data)
    except Problems as found:
        return _refused(place, found.problems, 422)
    except (Conflict, Refused) as refusal:
        return _refused(place, [_whole(refusal.reason)], _status(refusal))
    flash(_("The list is drafted anew from what is true now."), "success")
    return redirect(url_for(".track", tender_track_id=place), 303)


@page(pages, "/<uuid:decision_id>/offers", post=Permission.AWARD_DRAFT)
def send_offers(decision_id: UUID) -> ResponseReturnValue:
    """Ask the initiators of the projects that the draft funds in part."""
    place = queries.decision_track(session(), g.actor, decision_id)
    try:
        sent = offers.send(session(), g.actor, decision_id, expected_version=ActionForm().version.data)
    except (Conflict, Refused) as refusal:
        return _refused(place, [_whole(refusal.reason)], _status(refusal))
    flash(ngettext("%(num)s offer is sent.", "%(num)s offers are sent.", len(sent)), "success")
    return redirect(url_for(".track", tender_track_id=place), 303)


@page(pages, "/<uuid:decision_id>/discard", post=Permission.AWARD_DRAFT)
def discard(decision_id: UUID) -> ResponseReturnValue:
    """Put a draft away."""
    place = queries.decision_track(session(), g.actor, decision_id)
    try:
        service.discard(session(), g.actor, decision_id, expected_version=ActionForm().version.data)
    except Conflict as refusal:
        return _refused(place, [_whole(refusal.reason)], 409)
    flash(_("The draft is discarded."), "success")
    return redirect(url_for(".track", tender_track_id=place), 303)


@page(pages, "/<uuid:decision_id>/sign", get=Permission.AWARD_SIGN, post=Permission.AWARD_SIGN)
def sign(decision_id: UUID) -> ResponseReturnValue:
    """What the signature does, and the signature."""
    if request.method == "GET":
        return _sign_page(decision_id)
    try:
        signed = service.sign(session(), g.actor, decision_id, expected_version=ActionForm().version.data)
    except Problems as found:
        return _not_signed(decision_id, found.problems, 422)
    except (Conflict, Refused) as refusal:
        return _not_signed(decision_id, [_whole(refusal.reason)], _status(refusal))
    if signed.signed_at is None:
        flash(_("Your signature is kept. The decision takes effect with the last signature."), "success")
    else:
        flash(_("The decision is signed and the awards are booked."), "success")
    return redirect(url_for(".track", tender_track_id=signed.tender_track_id), 303)


@page(pages, "/<uuid:decision_id>/publish", post=Permission.AWARD_PUBLISH)
def publish(decision_id: UUID) -> ResponseReturnValue:
    """Publish a signed decision."""
    place = queries.decision_track(session(), g.actor, decision_id)
    try:
        published = service.publish(session(), g.actor, decision_id, expected_version=ActionForm().version.data)
    except Conflict as refusal:
        return _refused(place, [_whole(refusal.reason)], 409)
    if published.letters_at is None:
        flash(_("The decision is published. The applicants' letters are being written."), "success")
    else:
        flash(_("The decision is published. The applicants' letters are held and can still be stopped."), "success")
    return redirect(url_for(".track", tender_track_id=place), 303)


@page(pages, "/<uuid:decision_id>/letters/stop", post=Permission.AWARD_PUBLISH)
def stop_letters(decision_id: UUID) -> ResponseReturnValue:
    """Stop the letters while they are held."""
    place = queries.decision_track(session(), g.actor, decision_id)
    form = StopForm()
    try:
        service.stop_letters(
            session(), g.actor, decision_id, reason=form.reason.data or "", expected_version=form.version.data
        )
    except Problems as found:
        form.attach(found.problems)
        session().rollback()
        return _track_page(place, (), 422, form)
    except Conflict as refusal:
        return _refused(place, [_whole(refusal.reason)], 409)
    flash(_("The letters are stopped. What is published stays published."), "success")
    return redirect(url_for(".track", tender_track_id=place), 303)


@page(pages, "/<uuid:decision_id>/letters/send", post=Permission.AWARD_PUBLISH)
def send_letters(decision_id: UUID) -> ResponseReturnValue:
    """Let stopped letters go out."""
    place = queries.decision_track(session(), g.actor, decision_id)
    try:
        service.send_letters(session(), g.actor, decision_id, expected_version=ActionForm().version.data)
    except Conflict as refusal:
        return _refused(place, [_whole(refusal.reason)], 409)
    flash(_("The letters are being written."), "success")
    return redirect(url_for(".track", tender_track_id=place), 303)


def _refused(place: UUID, problems: Any, code: int) -> ResponseReturnValue:
    session().rollback()
    return _track_page(place, problems, code)


def _not_signed(decision_id: UUID, problems: Any, code: int) -> ResponseReturnValue:
    session().rollback()
    return _sign_page(decision_id, problems, code)


def _track_page(
    place: UUID, problems: Any = (), code: int = 200, stopping: StopForm | None = None
) -> ResponseReturnValue:
    return _track_shown(queries.track_of(session(), g.actor, place), problems, code, stopping)


def _track_shown(row: TrackNow, problems: Any, code: int, stopping: StopForm | None = None) -> ResponseReturnValue:
    """Six queries at most after that of the row."""
    current, decision = session(), row.decision
    view = queries.live_view(current, row)
    if stopping is None:
        stopping = StopForm(formdata=None)
        stopping.version.data = decision.version if decision else None
    parts = (
        offer_queries.parts_of(current, view.decision, row.rules, ((each.line, each.asked) for each in view.rows))
        if view is not None
        else []
    )
    return render_template(
        "awards/track.html",
        row=row,
        letters=_letters(decision, row.now),
        parts=parts,
        states={part.state for part in parts},
        agreed=all(part.state == "accepted" for part in parts),
        wait=_wait(decision, row.now),
        stopping=stopping,
        tender=row.track.tender,
        decision=decision,
        view=view,
        limits=later_limits.of_decision(current, row.track, decision, row.rules) if decision else (),
        item=on_agenda(current, decision.id) if decision is not None and view is not None and view.commission else None,
        run=latest_run(current, row.track.id) if decision is None else None,
        closed=status(row.track.tender, row.now) is TenderStatus.CLOSED,
        refusal=_sign_refusal(decision, view, kept=False),
        cited=cited_by(current, decision.id) if decision else (),
        beside=_beside(row),
        waits=decision is not None and decision.signed_at is None and _all_given(view),
        form=_form(decision),
        problems=problems,
        hrefs=problem_links(row.track, problems),
    ), code


def _sign_page(decision_id: UUID, problems: Any = (), code: int = 200) -> ResponseReturnValue:
    """Eleven queries at most, by whatever rules the list is made; the track where there is nothing to sign."""
    current = session()
    row = queries.track_deciding(current, g.actor, decision_id)
    decision = row.decision
    if decision is None or decision.id != decision_id or decision.signed_at is not None:
        return _track_shown(row, problems, code)
    view = queries.live_view(current, row)
    refusal = _sign_refusal(decision, view)
    if not problems and refusal is None:
        # Whoever may sign is told before pressing that the list does not hold any more.
        what = service.changed(current, row.track, decision, row.rules)
        problems = () if what is None else [_whole(what)]
    return render_template(
        "awards/sign.html",
        row=row,
        view=view,
        limits=later_limits.of_decision(current, row.track, decision, row.rules),
        decision=decision,
        together=decision.number == 1 and bool(row.track.tender.joint_limits),
        refusal=refusal,
        form=_form(decision),
        problems=problems,
    ), code


def _beside(row: TrackNow) -> Sequence[Beside]:
    """The tracks with which the first decision on this one is made together; one query where there are any."""
    if not row.track.tender.joint_limits or (row.decision is not None and row.decision.number > 1):
        return ()
    return joint.beside(session(), row.track.id)


def _all_given(view: DecisionView | None) -> bool:
    """Whether nothing of a list is missing any more, so that it waits for that of another track."""
    return view is not None and bool(view.signatures) and all(item.given for item in view.signatures)


def _letters(decision: AwardDecision | None, instant: datetime) -> str:
    """How the letters of a published decision stand: held, stopped, gone; "" where there are none."""
    if decision is None or decision.published_at is None:
        return ""
    if decision.letters_stopped_at is not None:
        return "stopped"
    return "held" if decision.letters_at is not None and instant < decision.letters_at else "gone"


def _wait(decision: AwardDecision | None, instant: datetime) -> tuple[int, int]:
    """Hours and minutes until held letters go out, begun minutes counted whole."""
    if decision is None or decision.letters_at is None:
        return 0, 0
    return divmod(max(0, math.ceil((decision.letters_at - instant).total_seconds() / 60)), 60)


def _sign_refusal(decision: AwardDecision | None, view: DecisionView | None, *, kept: bool = True) -> Message | None:
    """Why the reader may not sign this decision; None when nothing speaks against it.

    ``kept``: conflicts of interest are looked up too.
    """
    if decision is None or view is None or decision.signed_at is not None:
        return None
    found: tuple[Interest, ...] = ()
    barred: Message | None = None
    if kept:
        people = [key for key in (g.actor.user_id, decision.drafted_by) if key is not None]
        found = tuple(queries.interests(session(), people, view.winners))
        gaining = [row.line.application_id for row in view.rows if row.line.outcome in service.GAINING]
        row = next(iter(barring(session(), people, gaining)), None)
        barred = barred_words(row) if row is not None else None
    refusal = decide(g.actor, Permission.AWARD_SIGN, Signing(decision, found, barred)).reason
    if refusal is not None:
        return refusal
    try:
        sign_offs.office_for(g.actor, view.signatures)
    except (Conflict, Refused) as away:
        return away.reason
    return None


def _form(decision: AwardDecision | None) -> ActionForm:
    form = ActionForm(formdata=None)
    form.version.data = decision.version if decision else None
    return form


def _whole(reason: Message) -> Problem:
    return Problem("refused", "", reason)


def _status(refusal: Conflict | Refused) -> int:
    return 409 if isinstance(refusal, Conflict) else 403
