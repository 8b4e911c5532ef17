"""Who reviews what in a track: how far the reviews are, and proposals to look at, confirm or discard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Problems
from portal.core.language import N_, Message
from portal.identity.models import User
from portal.identity.policy import Permission
from portal.review import overdue, plan_queries, planning
from portal.review.models import Assignment
from portal.review.plan_queries import Counts, PlanPage, ReviewerLine
from portal.review.pool_models import Change, PlanLine, PlanState
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import TenderTrack
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset

pages = Blueprint("assignment", __name__, url_prefix="/staff/assignment")

SHOWN_LOADS: Final = 60
PHASES: Final = (
    N_("Counting applications, reviewers and conflicts"),
    N_("Looking for the best assignment"),
    N_("Sealing the proposal"),
)
"""What is being done while so many phases are over."""

CHANGES: Final[dict[str, Message]] = {
    Change.UNMET: N_("Cannot be satisfied"),
    Change.NEW: N_("New"),
    Change.REVOKED: N_("Taken back"),
    Change.KEPT: N_("Kept"),
}
STATES: Final[dict[str, tuple[Message, str]]] = {
    PlanState.COMPUTING: (N_("Being computed"), "yellow"),
    PlanState.PROPOSED: (N_("Waits for a decision"), "blue"),
    PlanState.ACCEPTED: (N_("Being carried out"), "yellow"),
    PlanState.OVERTAKEN: (N_("Overtaken"), "red"),
    PlanState.CONFIRMED: (N_("Confirmed"), "green"),
    PlanState.DISCARDED: (N_("Discarded"), "grey"),
}


@page(pages, "", get=Permission.REVIEW_POOL_VIEW)
def index() -> ResponseReturnValue:
    """The tracks with applications in expertise."""
    current = session()
    return render_template("assignment/index.html", lines=plan_queries.tracks(current, today(current)))


@page(pages, "/tracks/<uuid:track_id>", get=Permission.REVIEW_POOL_VIEW)
def track(track_id: UUID) -> ResponseReturnValue:
    """How far the reviews of a track are: by lane, by reviewer, and what is late."""
    return _track(track_id, ())


@page(pages, "/tracks/<uuid:track_id>/plan", post=Permission.REVIEW_ASSIGN)
def start(track_id: UUID) -> ResponseReturnValue:
    """Have a proposal computed."""
    keep = request.form.get("keep_asked") == "yes"
    try:
        plan = planning.start(session(), current_actor(), tender_track_id=track_id, keep_asked=keep)
    except Problems as refused:
        return _track(track_id, refused.problems), 422
    return redirect(url_for(".plan", plan_id=plan.id), 303)


@page(pages, "/tracks/<uuid:track_id>/remind", post=Permission.REVIEW_ASSIGN)
def remind(track_id: UUID) -> ResponseReturnValue:
    """Remind those whose reviews are late."""
    told = overdue.remind_late(session(), current_actor(), tender_track_id=track_id)
    if told:
        flash(ngettext("%(num)s reviewer is reminded.", "%(num)s reviewers are reminded.", told), "success")
    else:
        flash(_("Everybody who is late was reminded today already."), "info")
    return redirect(url_for(".track", track_id=track_id) + "#late", 303)


@page(pages, "/plans/<uuid:plan_id>", get=Permission.REVIEW_POOL_VIEW)
def plan(plan_id: UUID) -> ResponseReturnValue:
    """A proposal: its progress, then what is new, what is taken back, what cannot be satisfied, and the loads."""
    current = session()
    found = plan_queries.plan_page(current, plan_id)
    if found.plan.state in (PlanState.COMPUTING, PlanState.ACCEPTED):
        template = "assignment/progress.html" if request.headers.get("HX-Request") else "assignment/computing.html"
        return render_template(template, **_frame(found.plan.track), found=found, phases=PHASES, form=ActionForm())
    if request.headers.get("HX-Request"):
        return render_template("assignment/progress.html", found=found, phases=PHASES)
    return _preview(found)


@page(pages, "/plans/<uuid:plan_id>/confirm", post=Permission.REVIEW_ASSIGN)
def confirm(plan_id: UUID) -> ResponseReturnValue:
    """Decide for the proposal; the reviewers are asked in the background."""
    form = ActionForm()
    planning.confirm(session(), current_actor(), plan_id=plan_id, expected_version=form.version.data or 0)
    return redirect(url_for(".plan", plan_id=plan_id), 303)


@page(pages, "/plans/<uuid:plan_id>/discard", post=Permission.REVIEW_ASSIGN)
def discard(plan_id: UUID) -> ResponseReturnValue:
    """Put the proposal aside."""
    form = ActionForm()
    held = planning.discard(session(), current_actor(), plan_id=plan_id, expected_version=form.version.data or 0)
    flash(_("The proposal is discarded; nobody was asked."), "success")
    return redirect(url_for(".track", track_id=held.tender_track_id), 303)


def _frame(held: TenderTrack) -> dict[str, Any]:
    rules = rules_in(held.rule_set)
    return {
        "held": held,
        "tender": held.tender,
        "rules": rules,
        "lanes": {lane.code: lane.title[locale()] for lane in rules.expertise},
    }


def _track(track_id: UUID, problems: Any) -> str:
    current, actor = session(), current_actor()
    held, applications, instant = plan_queries.track_now(current, track_id)
    on = instant.astimezone(ZoneInfo(held.tender.zone)).date()
    frame = _frame(held)
    counts = plan_queries.by_lane(current, track_id, on)
    people: Page[Any] = keyset(
        current,
        plan_queries.reviewers_select(track_id, on),
        (User.full_name, User.id.expression),
        lambda row: (row[0].full_name, row[0].id),
        request.args.get("cursor"),
        rising=True,
    )
    late: Page[Assignment] = keyset(
        current,
        plan_queries.late_select(actor, track_id, on),
        (Assignment.due_on, Assignment.id.expression),
        lambda row: (row.due_on, row.id),
        request.args.get("late"),
        rising=True,
    )
    return render_template(
        "assignment/track.html",
        **frame,
        applications=applications,
        counts=[
            (lane, counts.get(lane.code, Counts()), lane.reviewers * applications) for lane in frame["rules"].expertise
        ],
        total=plan_queries.summed(counts.values()),
        people=people,
        reviewers=[
            ReviewerLine(row[0].id, row[0].full_name or row[0].email, Counts(*list(row)[1:])) for row in people.rows
        ],
        late=late,
        plans=plan_queries.plans_of(current, track_id),
        states=STATES,
        problems=problems,
        form=ActionForm(formdata=None),
    )


def _preview(found: PlanPage) -> str:
    current, actor = session(), current_actor()
    shown = [change for change in CHANGES if found.lines.get(change)]
    change = request.args.get("show", "")
    change = change if change in CHANGES else next(iter(shown), Change.NEW)
    lines: Page[PlanLine] = keyset(
        current,
        plan_queries.lines_select(actor, found.plan.id, change),
        (PlanLine.id.expression,),
        lambda row: (row.id,),
        request.args.get("cursor"),
        rising=True,
    )
    loads = sorted(found.plan.loads, key=lambda load: (-load["after"], load["reviewer"]))
    names = plan_queries.names(current, [UUID(load["reviewer"]) for load in loads[:SHOWN_LOADS]])
    return render_template(
        "assignment/plan.html",
        **_frame(found.plan.track),
        found=found,
        plan=found.plan,
        state=STATES[found.plan.state],
        changes=[(str(key), say(words), found.lines.get(key, 0)) for key, words in CHANGES.items()],
        change=str(change),
        page=lines,
        loads=[load | {"name": names.get(UUID(load["reviewer"]), "")} for load in loads[:SHOWN_LOADS]],
        more=max(len(loads) - SHOWN_LOADS, 0),
        most=max((max(load["limit"], load["before"], load["after"]) for load in loads), default=1),
        why=why,
        form=ActionForm(formdata=None, version=found.plan.version),
    )


def why(reasons: dict[str, int]) -> list[str]:
    """Why nobody could be found, in words: how many reviewers of the pool for each reason."""
    said = [words(reasons[word]) for word, words in WHY.items() if reasons.get(word)]
    return said or [_("there is no reviewer in the pool")]


WHY: Final[dict[str, Callable[[int], str]]] = {
    "lane": lambda n: ngettext("%(num)s works in other lanes", "%(num)s work in other lanes", n),
    "taken": lambda n: ngettext(
        "%(num)s has to do with this application already", "%(num)s have to do with this application already", n
    ),
    "conflict": lambda n: ngettext("%(num)s has a conflict of interest", "%(num)s have a conflict of interest", n),
    "undecided": lambda n: ngettext(
        "%(num)s may have a conflict that is not decided yet", "%(num)s may have a conflict that is not decided yet", n
    ),
    "language": lambda n: ngettext("%(num)s does not read Russian", "%(num)s do not read Russian", n),
    "absent": lambda n: ngettext("%(num)s is away", "%(num)s are away", n),
    "load": lambda n: ngettext("%(num)s is at the load limit", "%(num)s are at the load limit", n),
}
"""The reasons of :class:`portal.review.assignment.Shortage` in words."""
