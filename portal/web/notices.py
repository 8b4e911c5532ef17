"""What a person is told: the inbox of notices, how each kind is to come, and the link of a letter that stops a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

import portal.applications.following.reminders
import portal.identity.reminders
import portal.review.reminders  # noqa: F401 - the kinds of reminders are declared there
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import Message
from portal.identity import preferences as choosing
from portal.identity.policy import FUND, Actor, Permission
from portal.notifications import preferences, service
from portal.notifications.kinds import TOPIC_TITLES, Kind, Mail, Topic, by_topic, known
from portal.notifications.models import Notice
from portal.notifications.preferences import ZONES, Choice
from portal.web.forms import ActionForm
from portal.web.language import say
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset

pages = Blueprint("notices", __name__, url_prefix="/notifications")

NEVER: Final = "never"


@page(pages, "/", get=Permission.SIGNED_IN)
def index() -> ResponseReturnValue:
    """The reader's notices, the newest first; all or the unread ones."""
    only_unread = request.args.get("show") == "unread"
    statement = select(Notice).where(Notice.user_id == _person(current_actor()), Notice.in_portal)
    if only_unread:
        statement = statement.where(Notice.read_at.is_(None))
    found: Page[Notice] = keyset(session(), statement, (Notice.id,), lambda row: (row.id,), request.args.get("cursor"))
    return render_template(
        "notices/index.html",
        page=found,
        only_unread=only_unread,
        topics={row.id: _topic(row.kind) for row in found.rows},
        form=ActionForm(formdata=None),
    )


@page(pages, "/read", post=Permission.SIGNED_IN)
def read_all() -> ResponseReturnValue:
    """Mark everything as read."""
    service.mark_read(session(), _person(current_actor()))
    flash(_("All notices are marked as read."), "success")
    return redirect(url_for(".index"), 303)


@page(pages, "/<uuid:notice_id>", get=Permission.SIGNED_IN, writes=True)
def show(notice_id: UUID) -> ResponseReturnValue:
    """Open one: it is read now; its object's page asks for the right to see it."""
    person = _person(current_actor())
    notice = service.notice_of(session(), person, notice_id)
    if notice is None:
        raise NotFound
    service.mark_read(session(), person, notice_id=notice_id)
    if notice.path is None:
        return render_template("notices/show.html", notice=notice, topic=_topic(notice.kind))
    return redirect(f"{request.script_root}{notice.path}", 302)


@dataclass(frozen=True, slots=True)
class Row:
    """A kind with what the reader has chosen, for the page of preferences."""

    kind: Kind
    choice: Choice


@page(pages, "/settings", get=Permission.SIGNED_IN, post=Permission.SIGNED_IN)
def settings() -> ResponseReturnValue:
    """Which notices come, and how."""
    actor = current_actor()
    if request.method == "GET":
        return _settings(actor)
    choices = {
        kind.name: Choice(f"portal-{kind.name}" in request.form, Mail(typed))
        for _topic_of_them, kinds in _kinds(actor)
        for kind in kinds
        if (typed := request.form.get(f"mail-{kind.name}", "")) in set(Mail)
    }
    hour = request.form.get("hour", "")
    try:
        choosing.choose(
            session(),
            actor,
            choices=choices,
            zone=request.form.get("zone", ""),
            hour=None if hour == NEVER else int(hour) if hour.isdecimal() and len(hour) < 3 else -1,
        )
    except Problems as refused:
        return _settings(actor, refused.problems), 422
    flash(_("Your choice of notices is saved."), "success")
    return redirect(url_for(".settings"), 303)


def _settings(actor: Actor, problems: tuple[Problem, ...] = ()) -> str:
    person = _person(actor)
    chosen = preferences.of_person(session(), person)
    zone, hour = preferences.digest_time(session(), person)
    return render_template(
        "notices/settings.html",
        groups=[
            (
                TOPIC_TITLES[topic],
                [Row(kind, preferences.held(kind, chosen.get(kind.name, preferences.default(kind)))) for kind in kinds],
            )
            for topic, kinds in _kinds(actor)
        ],
        zones=[(name, say(title)) for name, title in ZONES.items()],
        zone=request.form.get("zone", zone),
        hour=request.form.get("hour", NEVER if hour is None else str(hour)),
        never=NEVER,
        problems=problems,
        form=ActionForm(formdata=None),
    )


@page(pages, "/stop/<token>", get=Permission.PUBLIC, post=Permission.PUBLIC, from_letters=True)
def stop(token: str) -> ResponseReturnValue:
    """The link of a letter: no more letters of its kind. It signs nobody in and shows nobody's name.

    A GET only asks, because mail programs follow links by themselves. The answer to a POST is a page and no
    redirect, as RFC 8058 wants it.
    """
    kind = choosing.read_token(token)
    if request.method == "POST":
        choosing.stop(session(), token)
    return render_template(
        "notices/stop.html",
        title=kind.title if isinstance(kind, Kind) else None,
        done=request.method == "POST",
        form=ActionForm(formdata=None),
    )


def _kinds(actor: Actor) -> list[tuple[Topic, list[Kind]]]:
    return by_topic(staff=actor.has(*FUND))


def _topic(kind: str) -> Message | None:
    found = known(kind)
    return TOPIC_TITLES[found.topic] if found else None


def _person(actor: Actor) -> UUID:
    assert actor.user_id is not None
    return actor.user_id
