"""Organisations: registering, the profile, the people who act for them, and invitations."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import EmailField, SelectField, StringField

from portal.clusters.models import MembershipState
from portal.clusters.queries import memberships_of
from portal.core import formats, regions
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import Problems
from portal.identity import invitations, queries, service
from portal.identity.letters import ORG_ROLES
from portal.identity.models import Organisation, OrgRole
from portal.identity.policy import Permission, allowed, authorize, find
from portal.identity.sme import NONE, Status
from portal.identity.sme import status as size_by_law
from portal.web.forms import ActionForm, PortalForm, as_choices
from portal.web.language import locale, say
from portal.web.page import current_actor, page

pages = Blueprint("organisations", __name__, url_prefix="/organisations")

SME_LABELS: Final = {
    "micro": _l("Micro-enterprise"),
    "small": _l("Small enterprise"),
    "medium": _l("Medium-sized enterprise"),
    "none": _l("Not a small or medium-sized enterprise"),
}
ROLE_LABELS: Final = {
    OrgRole.OWNER: _l("Owner"),
    OrgRole.SIGNATORY: _l("Signatory"),
    OrgRole.EDITOR: _l("Editor"),
    OrgRole.VIEWER: _l("Viewer"),
}
_JOINING: Final = (MembershipState.CONFIRMED, MembershipState.REQUESTED)
_DIGITS: Final = {"inputmode": "numeric", "autocomplete": "off"}


class MoneyField(StringField):
    """An amount as it was typed; the verb reads it."""


class PercentField(StringField):
    """A percentage as it was typed; the verb reads it."""


class ProfileForm(PortalForm):
    """What the portal has to know about an organisation."""

    inn = StringField(_l("INN"), render_kw=_DIGITS, description=_l("10 digits, of an entrepreneur 12"))
    kpp = StringField(_l("KPP"), render_kw=_DIGITS, description=_l("9 characters; an entrepreneur has none"))
    ogrn = StringField(_l("OGRN"), render_kw=_DIGITS, description=_l("13 digits, of an entrepreneur (OGRNIP) 15"))
    okved2 = StringField(_l("Main activity by OKVED 2"), render_kw=_DIGITS, description=_l("For example, 28.14"))
    region = SelectField(_l("Region"), validate_choice=False)
    name_ru = StringField(_l("Name in Russian"), description=_l("As in the register of legal entities"))
    name_en = StringField(_l("Name in English"), description=_l("If there is none, write the name in Latin letters"))
    headcount = StringField(
        _l("Average headcount of last year"), render_kw=_DIGITS, description=_l("Persons; may be left empty")
    )
    income = MoneyField(_l("Income of last year"), description=_l("Roubles; may be left empty"))
    sme = SelectField(
        _l("Size of the enterprise"),
        validate_choice=False,
        description=_l("By Law 209-FZ; choose yourself where owners or the industry make it differ"),
    )
    state_share = PercentField(
        _l("Share of the state, municipalities and non-profit organisations in the capital"),
        description=_l("May be left empty; above 25 per cent the enterprise is not small or medium-sized"),
    )
    large_share = PercentField(
        _l("Share of foreign and large companies in the capital"),
        description=_l("May be left empty; above 49 per cent the enterprise is not small or medium-sized"),
    )
    offshore_share = PercentField(_l("Share of offshore owners in the capital"), description=_l("May be left empty"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.region.choices = as_choices([("", _("Choose a region")), *regions.choices(locale())])
        sizes = [(size, str(label)) for size, label in SME_LABELS.items()]
        self.sme.choices = as_choices([("", _("By headcount and income")), *sizes])

    def values(self) -> dict[str, str]:
        """The typed texts, for the verb."""
        return {field.name: field.data or "" for field in self if field.name in _PROFILE}


_PROFILE: Final = (
    "inn", "kpp", "ogrn", "okved2", "region", "name_ru", "name_en", "headcount", "income", "sme",
    "offshore_share", "state_share", "large_share",
)  # fmt: skip
_SHARES: Final = ("offshore_share", "state_share", "large_share")


class InviteForm(PortalForm):
    """Whom to invite, in which role."""

    email = EmailField(_l("E-mail address"), render_kw={"autocomplete": "off"})
    role = SelectField(_l("Role"), validate_choice=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.role.choices = as_choices(role_choices())


def role_choices() -> list[tuple[str, str]]:
    """The roles in an organisation with what each may do, the mightiest last."""
    return [(str(role), say(ORG_ROLES[role])) for role in reversed(OrgRole)]


@page(pages, "/", get=Permission.SIGNED_IN)
def index() -> ResponseReturnValue:
    """The reader's organisations, and invitations to act for others."""
    actor = current_actor()
    return render_template(
        "organisations/index.html",
        organisations=queries.organisations_of(session(), actor),
        invitations=queries.invitations_for(session(), actor),
        roles=ROLE_LABELS,
        action_form=ActionForm(formdata=None),
    )


@page(pages, "/new", get=Permission.ORGANISATION_REGISTER, post=Permission.ORGANISATION_REGISTER)
def register() -> ResponseReturnValue:
    """Register an organisation and become its owner."""
    form = ProfileForm()
    if form.validate_on_submit():
        try:
            organisation = service.register_organisation(session(), current_actor(), form.values())
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The organisation is registered. You are its owner."), "success")
            return redirect(url_for(".show", organisation_id=organisation.id), 303)
    status = 422 if form.is_submitted() else 200
    return render_template("organisations/register.html", form=form), status


@page(pages, "/<uuid:organisation_id>", get=Permission.ORGANISATION_VIEW)
def show(organisation_id: UUID) -> ResponseReturnValue:
    """Profile, people, invitations."""
    return _page(organisation_id, InviteForm(formdata=None))


def _page(organisation_id: UUID, form: InviteForm) -> str:
    actor, current = current_actor(), session()
    organisation = find(current, actor, Organisation, organisation_id)
    deciding = allowed(actor, Permission.ORGANISATION_INVITE, organisation)
    region = regions.find(organisation.region)
    return render_template(
        "organisations/show.html",
        organisation=organisation,
        size=_size(organisation),
        region=region.name_in(locale()) if region else organisation.region,
        people=queries.people_of(current, organisation.id),
        invitations=queries.open_invitations(current, organisation.id) if deciding else [],
        now=now(current),
        deciding=deciding,
        joins=organisation_id in actor.memberships
        and allowed(actor, Permission.CLUSTER_JOIN, organisation)
        and not any(row.state in _JOINING for row in memberships_of(current, [organisation_id])),
        form=form,
        action_form=ActionForm(formdata=None),
        roles=ROLE_LABELS,
        role_choices=[(str(role), str(label)) for role, label in ROLE_LABELS.items()],
        sizes=SME_LABELS,
    )


@page(
    pages,
    "/<uuid:organisation_id>/edit",
    get=Permission.ORGANISATION_EDIT,
    post=Permission.ORGANISATION_EDIT,
)
def edit(organisation_id: UUID) -> ResponseReturnValue:
    """Correct the profile."""
    organisation = find(session(), current_actor(), Organisation, organisation_id)
    authorize(current_actor(), Permission.ORGANISATION_EDIT, organisation)
    form = ProfileForm(data=_typed(organisation))
    if form.validate_on_submit():
        try:
            service.edit_organisation(
                session(),
                current_actor(),
                organisation_id=organisation_id,
                values=form.values(),
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The profile is saved."), "success")
            return redirect(url_for(".show", organisation_id=organisation_id), 303)
    status = 422 if form.is_submitted() else 200
    return render_template("organisations/edit.html", form=form, organisation=organisation), status


def _typed(organisation: Organisation) -> dict[str, Any]:
    """The profile as texts of the form; a category that follows from the figures is shown as such."""
    computed = _size(organisation).category or NONE
    plain = {name: getattr(organisation, name) for name in _PROFILE}
    return {
        **{name: "" if value is None else str(value) for name, value in plain.items()},
        "income": "" if organisation.income is None else formats.format_number(organisation.income, locale()),
        **{name: _share(getattr(organisation, name)) for name in _SHARES},
        "sme": "" if organisation.sme == computed else organisation.sme,
        "version": organisation.version,
    }


def _share(value: Decimal | None) -> str:
    return "" if value is None else formats.format_number(value, locale())


def _size(organisation: Organisation) -> Status:
    """The size by the thresholds of the law, from the figures of the profile."""
    return size_by_law(
        organisation.headcount,
        organisation.income,
        organisation.okved2,
        organisation.state_share,
        organisation.large_share,
    )


@page(pages, "/<uuid:organisation_id>/invite", post=Permission.ORGANISATION_INVITE)
def invite(organisation_id: UUID) -> ResponseReturnValue:
    """Invite somebody by mail."""
    form = InviteForm()
    if form.validate_on_submit():
        try:
            row = invitations.invite(
                session(),
                current_actor(),
                organisation_id=organisation_id,
                email=form.email.data or "",
                role=form.role.data or "",
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The invitation to %(email)s is on its way.", email=row.email), "success")
            return redirect(url_for(".show", organisation_id=organisation_id), 303)
    return _page(organisation_id, form), 422


@page(pages, "/invitations/<uuid:invitation_id>/resend", post=Permission.ORGANISATION_INVITE)
def resend(invitation_id: UUID) -> ResponseReturnValue:
    """Send an invitation again."""
    row = invitations.resend(session(), current_actor(), invitation_id=invitation_id)
    flash(_("The invitation to %(email)s is on its way.", email=row.email), "success")
    return redirect(url_for(".show", organisation_id=row.organisation_id), 303)


@page(pages, "/invitations/<uuid:invitation_id>/withdraw", post=Permission.ORGANISATION_INVITE)
def withdraw(invitation_id: UUID) -> ResponseReturnValue:
    """Take an invitation back."""
    row = invitations.withdraw(session(), current_actor(), invitation_id=invitation_id)
    flash(_("The invitation to %(email)s is withdrawn.", email=row.email), "success")
    return redirect(url_for(".show", organisation_id=row.organisation_id), 303)


@page(pages, "/invitations/<token>", get=Permission.SIGNED_IN, post=Permission.SIGNED_IN)
def invitation(token: str) -> ResponseReturnValue:
    """The link of an invitation: what it is to, and the button that accepts it."""
    if request.method == "GET":
        joined = invitations.accepted(session(), current_actor(), token)
        if joined is not None:  # the link of the letter, followed once more
            return redirect(url_for(".show", organisation_id=joined))
    row = invitations.by_token(session(), current_actor(), token)
    form = ActionForm()
    if form.validate_on_submit():
        return _accepted(invitations.accept(session(), current_actor(), row).organisation_id)
    organisation = session().get_one(Organisation, row.organisation_id)
    return render_template(
        "organisations/invitation.html",
        form=form,
        invitation=row,
        organisation=organisation,
        role=say(ORG_ROLES[OrgRole(row.role)]),
    )


@page(pages, "/invitations/<uuid:invitation_id>/accept", post=Permission.SIGNED_IN)
def accept(invitation_id: UUID) -> ResponseReturnValue:
    """Accept without the link: whoever signed in with the confirmed address has shown as much."""
    row = invitations.by_id(session(), current_actor(), invitation_id)
    return _accepted(invitations.accept(session(), current_actor(), row).organisation_id)


def _accepted(organisation_id: UUID) -> ResponseReturnValue:
    flash(_("You act for this organisation now."), "success")
    return redirect(url_for(".show", organisation_id=organisation_id), 303)


@page(pages, "/<uuid:organisation_id>/people/<uuid:user_id>/role", post=Permission.ORGANISATION_INVITE)
def change_role(organisation_id: UUID, user_id: UUID) -> ResponseReturnValue:
    """Give one of the people another role."""
    form = InviteForm()
    service.change_role(
        session(),
        current_actor(),
        organisation_id=organisation_id,
        user_id=user_id,
        role=form.role.data or "",
    )
    flash(_("The role is changed."), "success")
    return redirect(url_for(".show", organisation_id=organisation_id), 303)


@page(
    pages,
    "/<uuid:organisation_id>/people/<uuid:user_id>/remove",
    get=Permission.ORGANISATION_VIEW,
    post=Permission.ORGANISATION_VIEW,
)
def remove(organisation_id: UUID, user_id: UUID) -> ResponseReturnValue:
    """Ask, then end a person's right to act for the organisation."""
    actor, current = current_actor(), session()
    organisation = find(current, actor, Organisation, organisation_id)
    if user_id != actor.user_id:
        authorize(actor, Permission.ORGANISATION_INVITE, organisation)
    form = ActionForm()
    if form.validate_on_submit():
        service.remove_person(current, actor, organisation_id=organisation_id, user_id=user_id)
        leaving = user_id == actor.user_id
        flash(_("You have left the organisation.") if leaving else _("The person is removed."), "success")
        target = url_for(".index") if leaving else url_for(".show", organisation_id=organisation_id)
        return redirect(target, 303)
    person = queries.person_of(current, organisation_id, user_id)
    return render_template("organisations/remove.html", form=form, organisation=organisation, person=person)
