"""One's own account, and where each person starts after signing in."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask import session as browser
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from wtforms import RadioField, StringField

from portal.clusters.queries import run_by
from portal.core.db import session
from portal.core.errors import Problems
from portal.identity import people, queries
from portal.identity.models import OrgRole
from portal.identity.policy import FUND, Permission
from portal.web import wishes
from portal.web.acting import acting_for
from portal.web.forms import ActionForm, PortalForm, as_choices
from portal.web.page import current_actor, page
from portal.web.sessions import token_of

pages = Blueprint("account", __name__, url_prefix="")


class AccountForm(PortalForm):
    """Name and language."""

    full_name = StringField(_l("Full name"), render_kw={"autocomplete": "name"})
    locale = RadioField(_l("Language of letters and pages"), choices=as_choices([("ru", "Русский"), ("en", "English")]))


@page(pages, "/start", get=Permission.SIGNED_IN)
def start() -> ResponseReturnValue:
    """Staff go to their overview, a specialised organisation to its desk, others to their applications.

    Who wanted to apply before signing in goes on there; without an organisation everybody begins with one.
    """
    actor = current_actor()
    if actor.has(*FUND):
        return redirect(_first("staff.home", "public.home"))
    if actor.memberships and wishes.track():
        return redirect(wishes.path())
    acting = acting_for(actor)
    runs = [row.spec_org_id for row, _count in run_by(session(), [acting] if acting else actor.memberships)]
    if any(actor.acts_for(key, OrgRole.SIGNATORY) for key in runs):
        return redirect(url_for("spec_org.index"))
    if actor.memberships:
        return redirect(_first("applications.index", "organisations.index"))
    if queries.invitations_for(session(), actor):
        return redirect(url_for("organisations.index"))
    return redirect(url_for("organisations.register"))


def _first(*endpoints: str) -> str:
    return url_for(next(name for name in endpoints if name in current_app.view_functions))


@page(pages, "/account/", get=Permission.SIGNED_IN, post=Permission.SIGNED_IN)
def index() -> ResponseReturnValue:
    """Name, language, password, second factor and sessions."""
    actor = current_actor()
    form = AccountForm(obj=current_user)
    status = 200
    if form.validate_on_submit():
        try:
            person = people.edit_own(
                session(), actor, full_name=form.full_name.data or "", locale=form.locale.data or ""
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("Your account is saved."), "success")
            return redirect(url_for(".index", lang=person.locale), 303)
    if form.is_submitted():
        status = 422
    answer = render_template(
        "account/index.html",
        form=form,
        person=current_user,
        sessions=[
            (browser_name(row.agent), row.token_hash == token_of(browser), row)
            for row in queries.sessions_of(session(), current_user.id)
        ],
        action_form=ActionForm(formdata=None),
    )
    return answer, status


@page(pages, "/account/sessions/end", post=Permission.SIGNED_IN)
def end_others() -> ResponseReturnValue:
    """End all one's sessions but this."""
    ended = people.end_other_sessions(session(), current_actor(), keep=token_of(browser))
    flash(_("Other sessions ended: %(count)s.", count=ended), "success")
    return redirect(url_for(".index"), 303)


@page(pages, "/account/registered", get=Permission.PUBLIC)
def registered() -> ResponseReturnValue:
    """After registration: look into the mailbox."""
    return render_template("account/registered.html", mail_page=current_app.extensions["portal"].demo)


@page(pages, "/personal-data", get=Permission.PUBLIC)
def personal_data() -> ResponseReturnValue:
    """What the portal keeps about people, why and how long."""
    return render_template("account/personal_data.html")


_BROWSERS: Final = (("Edg/", "Edge"), ("YaBrowser/", "Yandex Browser"), ("OPR/", "Opera"), ("Firefox/", "Firefox"))
_ENGINES: Final = (("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(agent: str) -> str:
    """What people call the browser and the system of a User-Agent; no more than a reminder which one it was."""
    name = next((name for mark, name in (*_BROWSERS, *_ENGINES) if mark in agent), _("Unknown browser"))
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{name}, {system}" if system else name
