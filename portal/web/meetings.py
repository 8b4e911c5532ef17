"""Meetings of the commission: plan, agenda, attendance, votes, money, minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectField, SelectMultipleField, StringField, TextAreaField

from portal.awards.commission import meetings, minutes, queries, sitting
from portal.awards.commission.meetings import MeetingValues, Question
from portal.awards.commission.models import AgendaItem, Choice, ItemKind, ItemState, Meeting, MeetingState
from portal.awards.commission.queries import MeetingView
from portal.awards.commission.rules import CHOICES, outcome_words
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import Permission, find
from portal.tenders.models import Tender, Track
from portal.tenders.rules import TRACK_NAMES
from portal.web.forms import ActionForm, PortalForm, as_choices, uuid_argument
from portal.web.language import say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.templating import localised
from portal.web.tenders import WallTimeField

pages = Blueprint("meetings", __name__, url_prefix="/staff/meetings")


class PlanForm(PortalForm):
    """A meeting that is planned."""

    tender = SelectField(_l("Tender"), validate_choice=False)
    starts_at = WallTimeField(_l("Date and time"), description=_l("In the tender's zone, for example 10.09.2018 11:00"))
    place = StringField(_l("Where"))
    chair = SelectField(_l("Chair"), validate_choice=False)
    secretary = SelectField(_l("Secretary"), validate_choice=False)
    members = SelectMultipleField(_l("Members with a vote"), validate_choice=False)


class ItemForm(PortalForm):
    """A question for the agenda: a list or a track to choose, or words."""

    question = SelectField(_l("Question"), validate_choice=False)
    title = StringField(_l("In words"), description=_l("Only for another question"))


class VoteForm(PortalForm):
    choice = RadioField(_l("Your vote"), validate_choice=False)


class DeclareForm(PortalForm):
    reason = TextAreaField(_l("Why you do not take part"))


@pages.context_processor
def _names() -> dict[str, Any]:
    return {
        "track_name": lambda track: say(TRACK_NAMES[Track(track)]),
        "outcome_name": lambda state: say(outcome_words(ItemState(state))),
        "choice_name": lambda choice: say(CHOICES[Choice(choice)]),
        "person_name": minutes.name,
    }


@page(pages, "", get=Permission.MEETING_VIEW)
def index() -> ResponseReturnValue:
    """The meetings, the latest first."""
    listed: Page[Any] = keyset(
        session(),
        queries.listed(g.actor),
        (Meeting.starts_at, Meeting.id),
        lambda row: (row[0].starts_at, row[0].id),
        request.args.get("cursor"),
    )
    return render_template("meetings/index.html", listed=listed, rows=listed.rows)


@page(pages, "/new", get=Permission.MEETING_CONDUCT, post=Permission.MEETING_CONDUCT)
def plan() -> ResponseReturnValue:
    """Plan a meeting."""
    form = PlanForm()
    current = session()
    tenders = queries.tenders_to_meet_on(current, g.actor)
    if request.method == "GET":
        asked = uuid_argument("tender")
        form.tender.data = str(asked) if asked else None
        if g.actor.has(Role.OFFICER):
            form.secretary.data = str(g.actor.user_id)
        return _plan_page(form, tenders)
    valid = form.validate()
    tender = next((row for row in tenders if str(row.id) == form.tender.data), None)
    if tender is None:
        form.attach([Problem("required", "tender", N_("Choose the tender."))])
        return _plan_page(form, tenders), 422
    wall: datetime | None = form.starts_at.data
    values = MeetingValues(
        starts_at=wall.replace(tzinfo=ZoneInfo(tender.zone)) if wall else None,
        place=form.place.data or "",
        chair_id=_key(form.chair.data),
        secretary_id=_key(form.secretary.data),
        members=[key for text in form.members.data or () if (key := _key(text)) is not None],
    )
    if not valid:
        return _plan_page(form, tenders), 422
    try:
        meeting = meetings.plan(current, g.actor, tender.id, values)
    except Problems as found:
        current.rollback()
        form.attach(found.problems)
        return _plan_page(form, queries.tenders_to_meet_on(current, g.actor)), 422
    flash(_("The meeting is planned, and its members are told. Put the questions on its agenda."), "success")
    return redirect(url_for(".show", meeting_id=meeting.id), 303)


@page(pages, "/<uuid:meeting_id>", get=Permission.MEETING_VIEW)
def show(meeting_id: UUID) -> ResponseReturnValue:
    """A meeting: members, agenda, votes, money, minutes."""
    return _page(meeting_id)


@page(pages, "/<uuid:meeting_id>/money", get=Permission.MEETING_VIEW)
def money(meeting_id: UUID) -> ResponseReturnValue:
    """The money as the commission decides, for the page to ask again."""
    meeting = find(session(), g.actor, Meeting, meeting_id)
    meeting.tender = session().get_one(Tender, meeting.tender_id)
    return render_template("meetings/_money.html", meeting=meeting, money=queries.money(session(), meeting))


@page(pages, "/<uuid:meeting_id>/items", post=Permission.MEETING_CONDUCT)
def add_item(meeting_id: UUID) -> ResponseReturnValue:
    """Put a question on the agenda."""
    find(session(), g.actor, Meeting, meeting_id)
    form = ItemForm()
    kind, _colon, key = (form.question.data or "").partition(":")
    if kind not in set(ItemKind):
        form.attach([Problem("required", "question", N_("Choose what is put to the vote."))])
        return _page(meeting_id, code=422, adding=form)
    question = Question(ItemKind(kind), title=form.title.data or "")
    if kind == ItemKind.DECISION:
        question = Question(ItemKind.DECISION, decision_id=_key(key))
    elif kind == ItemKind.APPEAL:
        question = Question(ItemKind.APPEAL, appeal_id=_key(key))
    elif kind == ItemKind.TRACK:
        question = Question(ItemKind.TRACK, tender_track_id=_key(key))
    try:
        meetings.add_item(session(), g.actor, meeting_id, question)
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _page(meeting_id, code=422, adding=form)
    except (Conflict, Refused) as refusal:
        return _refused(meeting_id, refusal)
    flash(_("The question is on the agenda."), "success")
    return _back(meeting_id)


@page(pages, "/<uuid:meeting_id>/open", post=Permission.MEETING_CONDUCT)
def open_meeting(meeting_id: UUID) -> ResponseReturnValue:
    """Open the meeting."""
    return _do(meeting_id, lambda: sitting.open_meeting(session(), g.actor, meeting_id), _("The meeting is open."))


@page(pages, "/<uuid:meeting_id>/close", post=Permission.MEETING_CONDUCT)
def close_meeting(meeting_id: UUID) -> ResponseReturnValue:
    """End the meeting."""
    return _do(meeting_id, lambda: sitting.close_meeting(session(), g.actor, meeting_id), _("The meeting is over."))


@page(pages, "/<uuid:meeting_id>/members/<uuid:user_id>", post=Permission.MEETING_CONDUCT)
def attend(meeting_id: UUID, user_id: UUID) -> ResponseReturnValue:
    """Note that a member has come or left."""
    present = request.form.get("present") == "yes"
    return _do(
        meeting_id,
        lambda: sitting.attend(session(), g.actor, meeting_id, user_id, present=present),
        _("Attendance is noted."),
    )


@page(pages, "/items/<uuid:item_id>/withdraw", post=Permission.MEETING_CONDUCT)
def withdraw(item_id: UUID) -> ResponseReturnValue:
    """Take a question off the agenda."""
    return _do(
        _meeting_of(item_id),
        lambda: meetings.withdraw_item(session(), g.actor, item_id),
        _("The question is taken off the agenda."),
    )


@page(pages, "/items/<uuid:item_id>/open", post=Permission.MEETING_CONDUCT)
def open_item(item_id: UUID) -> ResponseReturnValue:
    """Put a question to the vote."""
    return _do(_meeting_of(item_id), lambda: sitting.open_item(session(), g.actor, item_id), _("The vote has begun."))


@page(pages, "/items/<uuid:item_id>/close", post=Permission.MEETING_CONDUCT)
def close_item(item_id: UUID) -> ResponseReturnValue:
    """End a vote."""
    return _do(_meeting_of(item_id), lambda: sitting.close_item(session(), g.actor, item_id), _("The vote is over."))


@page(pages, "/items/<uuid:item_id>/vote", post=Permission.MEETING_VOTE, unhashed=("choice",))
def vote(item_id: UUID) -> ResponseReturnValue:
    """A member's vote."""
    choice = VoteForm().choice.data or ""
    return _do(
        _meeting_of(item_id),
        lambda: sitting.vote(session(), g.actor, item_id, choice=choice),
        _("Your vote is counted."),
    )


@page(pages, "/items/<uuid:item_id>/cast", post=Permission.MEETING_CONDUCT)
def cast(item_id: UUID) -> ResponseReturnValue:
    """The chair's casting vote."""
    choice = VoteForm().choice.data or ""
    return _do(
        _meeting_of(item_id),
        lambda: sitting.cast(session(), g.actor, item_id, choice=choice),
        _("The casting vote decides."),
    )


@page(pages, "/items/<uuid:item_id>/recuse", post=Permission.MEETING_VOTE)
def declare(item_id: UUID) -> ResponseReturnValue:
    """A member does not take part in a question."""
    reason = DeclareForm().reason.data or ""
    return _do(
        _meeting_of(item_id),
        lambda: sitting.declare(session(), g.actor, item_id, reason=reason),
        _("It is noted that you do not take part in this question."),
    )


@page(pages, "/<uuid:meeting_id>/minutes", post=Permission.MEETING_CONDUCT)
def write_minutes(meeting_id: UUID) -> ResponseReturnValue:
    """Write the minutes down."""
    return _do(
        meeting_id,
        lambda: minutes.write(session(), g.actor, meeting_id),
        _("The minutes are written. Read them and sign them."),
    )


@page(pages, "/<uuid:meeting_id>/minutes/sign", post=Permission.MEETING_CONDUCT)
def sign_minutes(meeting_id: UUID) -> ResponseReturnValue:
    """Sign the minutes."""
    seen = request.form.get("digest", "")
    return _do(
        meeting_id,
        lambda: minutes.sign(session(), g.actor, meeting_id, seen=seen),
        _("Your signature stands under the minutes."),
    )


def _do(meeting_id: UUID, act: Callable[[], object], said: str) -> ResponseReturnValue:
    """One verb of a meeting and back to its page; what is refused is told there."""
    find(session(), g.actor, Meeting, meeting_id)
    try:
        act()
    except Problems as found:
        session().rollback()
        return _page(meeting_id, found.problems, 422)
    except (Conflict, Refused) as refusal:
        return _refused(meeting_id, refusal)
    flash(said, "success")
    return _back(meeting_id)


def _refused(meeting_id: UUID, refusal: Conflict | Refused) -> ResponseReturnValue:
    session().rollback()
    code = 409 if isinstance(refusal, Conflict) else 403
    return _page(meeting_id, [Problem("refused", "", refusal.reason)], code)


def _back(meeting_id: UUID) -> ResponseReturnValue:
    return redirect(url_for(".show", meeting_id=meeting_id), 303)


def _meeting_of(item_id: UUID) -> UUID:
    item = session().get(AgendaItem, item_id)
    if item is None:
        raise NotFound
    return item.meeting_id


def _page(meeting_id: UUID, problems: Any = (), code: int = 200, adding: ItemForm | None = None) -> ResponseReturnValue:
    current = session()
    view = queries.meeting_view(current, g.actor, meeting_id)
    meeting = view.meeting
    conducts = g.actor.user_id in (meeting.chair_id, meeting.secretary_id)
    form = adding or ItemForm(formdata=None)
    agenda_open = conducts and meeting.state != MeetingState.CLOSED
    if agenda_open:
        form.question.choices = as_choices(_questions(meeting.tender_id))
    voting = VoteForm(formdata=None)
    voting.choice.choices = as_choices([(str(choice), say(words)) for choice, words in CHOICES.items()])
    return render_template(
        "meetings/show.html",
        view=view,
        meeting=meeting,
        money=None if meeting.state == MeetingState.CLOSED else queries.money(current, meeting),
        conducts=conducts,
        chairs=g.actor.user_id == meeting.chair_id,
        agenda_open=agenda_open,
        seat=view.seat(g.actor.user_id),
        signed=_signed(view),
        adding=form,
        voting=voting,
        declaring=DeclareForm(formdata=None),
        form=ActionForm(formdata=None),
        problems=problems,
    ), code


def _signed(view: MeetingView) -> bool:
    """Whether the reader has signed the minutes."""
    rows = view.minutes.signatures if view.minutes else ()
    return any(row.signed_by == g.actor.user_id for row in rows)


def _questions(tender_id: UUID) -> list[tuple[str, str]]:
    """What can be put on an agenda, as (value, words)."""
    found = [(f"{kind}:{key}", _question(kind, words)) for kind, key, words in queries.questions(session(), tender_id)]
    return [("", ""), *found, (str(ItemKind.OTHER), _("Another question"))]


def _question(kind: ItemKind, words: str) -> str:
    if kind is ItemKind.APPEAL:
        return str(_("Appeal on application %(number)s", number=words))
    track = say(TRACK_NAMES[Track(words)])
    if kind is ItemKind.DECISION:
        return str(_("Award list: %(track)s", track=track))
    return str(_("Ranking of the projects: %(track)s", track=track))


def _plan_page(form: PlanForm, tenders: Any) -> str:
    current = session()
    form.tender.choices = as_choices([("", ""), *((str(row.id), localised(row, "title")) for row in tenders)])
    chairs = queries.holders(current, Role.CHAIR)
    form.chair.choices = as_choices([("", ""), *_people(chairs)])
    form.secretary.choices = as_choices([("", ""), *_people(queries.holders(current, Role.OFFICER))])
    form.members.choices = as_choices(_people(queries.holders(current, Role.CHAIR, Role.COMMISSION)))
    return render_template("meetings/plan.html", form=form)


def _people(rows: Any) -> list[tuple[str, str]]:
    return [(str(key), name) for key, name in rows]


def _key(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
