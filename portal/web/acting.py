"""For which of its organisations a person works at the moment: a filter and a default, never a right."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as browser
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.db import session
from portal.core.errors import NotFound
from portal.identity import queries
from portal.identity.policy import Actor, Permission
from portal.web.forms import ActionForm
from portal.web.language import locale
from portal.web.page import current_actor, page
from portal.web.templating import localised

pages = Blueprint("acting", __name__, url_prefix="/acting")

_KEY = "acting_for"


def acting_for(actor: Actor) -> UUID | None:
    """The organisation that was chosen, as long as the actor belongs to it; None for all of them."""
    held = browser.get(_KEY)
    chosen = UUID(held["id"]) if isinstance(held, dict) else None
    return chosen if chosen in actor.memberships and len(actor.memberships) > 1 else None


def acting_name(actor: Actor) -> str:
    """Its name in the language of the page, kept with the choice so that no page has to read it."""
    return str(browser[_KEY][locale()]) if acting_for(actor) else ""


def acting_words(actor: Actor) -> str:
    """What the header says of a person of several organisations: for which of them it acts; "" for others."""
    if len(actor.memberships) < 2:
        return ""
    return acting_name(actor) or str(_("All my organisations"))


@page(pages, "/", get=Permission.SIGNED_IN, post=Permission.SIGNED_IN)
def choose() -> ResponseReturnValue:
    """Choose one of one's organisations, or all."""
    actor = current_actor()
    rows = [item[0] for item in queries.organisations_of(session(), actor)]
    if request.method == "GET":
        return render_template(
            "acting/choose.html", rows=rows, chosen=acting_for(actor), action_form=ActionForm(formdata=None)
        )
    wanted = request.form.get("organisation", "")
    if not wanted:
        browser.pop(_KEY, None)
        flash(_("My applications shows all your organisations."), "success")
        return redirect(url_for("applications.index"), 303)
    row = next((row for row in rows if str(row.id) == wanted), None)
    if row is None:
        raise NotFound
    browser[_KEY] = {"id": str(row.id), "ru": row.name_ru or row.name_en, "en": row.name_en or row.name_ru}
    flash(_("You act for %(name)s now.", name=localised(row, "name")), "success")
    return redirect(url_for("applications.index"), 303)
