"""For administrators: the people of the portal, their roles, blocking."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField

from portal.core.db import session
from portal.core.errors import Problems
from portal.identity import people, queries
from portal.identity.letters import ROLES
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Permission, find
from portal.web.forms import ActionForm, PortalForm
from portal.web.language import say
from portal.web.organisations import ROLE_LABELS
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset
from portal.web.security import resend_confirmation

pages = Blueprint("users", __name__, url_prefix="/people")

MAX_SEARCH: Final = 100
STATES: Final = {"blocked": _l("Blocked"), "unconfirmed": _l("Address not confirmed")}


class BlockForm(PortalForm):
    """Why a person is blocked."""

    reason = StringField(_l("Reason for blocking"), description=_l("Kept in the audit trail"))


@page(pages, "/", get=Permission.USER_MANAGE)
def index() -> ResponseReturnValue:
    """Everyone, newest first, narrowed by text, role and state."""
    text = " ".join(request.args.get("q", "").split())[:MAX_SEARCH]
    role = request.args.get("role", "")
    state = request.args.get("state", "")
    wanted = Role(role) if role in set(Role) else None
    found: Page[User] = keyset(
        session(),
        queries.people(text=text, role=wanted, state=state),
        (User.id.expression,),
        lambda person: (person.id,),
        request.args.get("cursor"),
    )
    return render_template(
        "users/index.html",
        people=found,
        text=text,
        role=role if wanted else "",
        state=state if state in STATES else "",
        roles={str(key): say(name) for key, name in ROLES.items()},
        states=STATES,
    )


@page(pages, "/<uuid:user_id>", get=Permission.USER_MANAGE)
def show(user_id: UUID) -> ResponseReturnValue:
    """A person: account, roles, organisations."""
    return _page(user_id, BlockForm(formdata=None))


def _page(user_id: UUID, form: BlockForm) -> str:
    current = session()
    person = find(current, current_actor(), User, user_id)
    grants = {grant.role: grant for grant in queries.grants_of(current, user_id)}
    return render_template(
        "users/show.html",
        person=person,
        form=form,
        action_form=ActionForm(formdata=None),
        roles=_role_rows(grants),
        memberships=queries.memberships_of(current, user_id),
        org_roles=ROLE_LABELS,
    )


def _role_rows(grants: dict[str, RoleGrant]) -> list[tuple[str, str, RoleGrant | None]]:
    return [(str(role), say(name), grants.get(str(role))) for role, name in ROLES.items()]


@page(pages, "/<uuid:user_id>/roles/<role>/grant", post=Permission.USER_MANAGE)
def grant(user_id: UUID, role: str) -> ResponseReturnValue:
    """Give a role."""
    people.grant_role(session(), current_actor(), user_id=user_id, role=role)
    flash(_("The role is given. The person has to sign in anew."), "success")
    return redirect(url_for(".show", user_id=user_id), 303)


@page(pages, "/<uuid:user_id>/roles/<role>/revoke", post=Permission.USER_MANAGE)
def revoke(user_id: UUID, role: str) -> ResponseReturnValue:
    """Take a role back."""
    people.revoke_role(session(), current_actor(), user_id=user_id, role=role)
    flash(_("The role is taken back. The person has to sign in anew."), "success")
    return redirect(url_for(".show", user_id=user_id), 303)


@page(pages, "/<uuid:user_id>/block", post=Permission.USER_MANAGE)
def block(user_id: UUID) -> ResponseReturnValue:
    """Refuse a person at the door."""
    form = BlockForm()
    if form.validate_on_submit():
        try:
            people.block(session(), current_actor(), user_id=user_id, reason=form.reason.data or "")
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The person is blocked and signed out everywhere."), "success")
            return redirect(url_for(".show", user_id=user_id), 303)
    return _page(user_id, form), 422


@page(pages, "/<uuid:user_id>/unblock", post=Permission.USER_MANAGE)
def unblock(user_id: UUID) -> ResponseReturnValue:
    """Let a person sign in again."""
    people.unblock(session(), current_actor(), user_id=user_id)
    flash(_("The person can sign in again."), "success")
    return redirect(url_for(".show", user_id=user_id), 303)


@page(pages, "/<uuid:user_id>/second-factor", post=Permission.USER_MANAGE)
def second_factor(user_id: UUID) -> ResponseReturnValue:
    """Switch the second factor off for somebody who has lost it."""
    people.reset_second_factor(session(), current_actor(), user_id=user_id)
    flash(_("The second factor is off. The person has to sign in anew."), "success")
    return redirect(url_for(".show", user_id=user_id), 303)


@page(pages, "/<uuid:user_id>/confirmation", post=Permission.USER_MANAGE)
def confirmation(user_id: UUID) -> ResponseReturnValue:
    """Send the letter of confirmation again."""
    resend_confirmation(current_actor(), find(session(), current_actor(), User, user_id))
    flash(_("The letter is on its way."), "success")
    return redirect(url_for(".show", user_id=user_id), 303)
