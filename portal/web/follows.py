"""Following a tender: its letters without an application."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.db import session
from portal.identity.policy import Permission
from portal.tenders import following, queries
from portal.web.page import page

pages = Blueprint("follows", __name__)


@page(pages, "/tenders/<code>/follow", post=Permission.TENDER_FOLLOW)
def follow(code: str) -> ResponseReturnValue:
    """Get the letters about a tender."""
    row = queries.by_code(session(), g.actor, code)
    following.follow(session(), g.actor, row.tender.id)
    flash(_("You follow this tender: its amendments and answers come to you by mail."), "success")
    return redirect(url_for("public.tender", code=row.tender.code), 303)


@page(pages, "/tenders/<code>/unfollow", post=Permission.TENDER_FOLLOW)
def unfollow(code: str) -> ResponseReturnValue:
    """No longer get them."""
    row = queries.by_code(session(), g.actor, code)
    following.unfollow(session(), g.actor, row.tender.id)
    flash(
        _("You no longer follow this tender. If you have an application in it, you still get its letters."), "success"
    )
    return redirect(url_for("public.tender", code=row.tender.code), 303)
