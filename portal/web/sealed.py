"""A sealed tender for the fund: keepers and their keys, counts and nothing else, the opening, its protocol."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, PasswordField, SelectField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older

from portal.applications.sealing import opening
from portal.applications.sealing.models import Fault, SealOpening
from portal.applications.sealing.opening import Line, Protocol
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.core.formats import format_datetime
from portal.core.jobs import Task
from portal.core.language import N_
from portal.documents import pdf
from portal.identity.policy import Permission, allowed
from portal.tenders import queries, seal_keys, seal_queries
from portal.tenders.rules import TenderStatus
from portal.tenders.seal_models import SealKey
from portal.web.files import disposition
from portal.web.forms import ActionForm, PortalForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.public import tender_title, track_name

pages = Blueprint("sealed", __name__, url_prefix="/staff/tenders")

FAULTS: Final = {
    Fault.KEY: N_("Its key does not open: the wrapped key or what it is bound to was changed."),
    Fault.CONTENT: N_("Its content was changed after sealing."),
    Fault.DIGEST: N_("The package does not have the SHA-256 of its receipt."),
    Fault.SIGNATURE: N_("A signed manifest does not have the digest that was signed."),
    Fault.FILE: N_("A file is missing or was changed after sealing."),
}


class KeepersForm(PortalForm):
    """Whether a tender is sealed, and who keeps its keys."""

    sealed = BooleanField(_l("Applications stay sealed until two keepers open them"))
    keeper_1 = SelectField(_l("First keeper"), validate_choice=False)
    keeper_2 = SelectField(_l("Second keeper"), validate_choice=False)
    keeper_3 = SelectField(
        _l("Reserve, for example the director"),
        validate_choice=False,
        description=_l("Opens together with either of the two, should the other have lost the passphrase."),
    )

    def offer(self, held: list[SealKey]) -> None:
        people = seal_queries.candidates(session())
        present = {row.place: str(row.user_id) for row in held}
        for place in seal_keys.PLACES:
            field = self[f"keeper_{place}"]
            field.choices = [
                SelectChoice("", _("Nobody")),
                *(SelectChoice(str(user.id), seal_queries.name_of(user)) for user in people),
            ]
            if field.raw_data is None:
                field.data = present.get(place, "")

    def keepers(self) -> list[UUID | None]:
        return [_key(self[f"keeper_{place}"].data or "") for place in seal_keys.PLACES]


class KeyForm(PortalForm):
    """A keeper's passphrase for a new key."""

    seal_password = PasswordField(_l("Passphrase"), render_kw={"autocomplete": "new-password"})
    seal_password_again = PasswordField(_l("The same once more"), render_kw={"autocomplete": "new-password"})


class OpenForm(PortalForm):
    """A keeper's passphrase, to open."""

    seal_password = PasswordField(_l("Passphrase of your key"), render_kw={"autocomplete": "off"})


def _key(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return UUID(int=0)


@page(pages, "/<uuid:tender_id>/sealed", get=Permission.SEAL_VIEW)
def show(tender_id: UUID) -> ResponseReturnValue:
    """How many applications are sealed, who keeps the keys, and what comes next."""
    return _show(tender_id)


def _show(
    tender_id: UUID,
    *,
    keepers_form: KeepersForm | None = None,
    key_form: KeyForm | None = None,
    open_form: OpenForm | None = None,
) -> str:
    current = session()
    row = queries.by_id(current, g.actor, tender_id)
    tender = row.tender
    appoints = row.status is TenderStatus.DRAFT and allowed(g.actor, Permission.TENDER_EDIT, tender)
    if not tender.sealed and not appoints:
        raise NotFound
    held = seal_queries.keepers_of(current, tender.id)
    if appoints and keepers_form is None:
        keepers_form = KeepersForm(formdata=None, version=tender.version, sealed=tender.sealed)
    if keepers_form is not None:
        keepers_form.offer(held)
    mine = next((key for key in held if key.user_id == g.actor.user_id), None)
    keeps = mine is not None and allowed(g.actor, Permission.SEAL_KEEP, mine)
    begun = current.get(SealOpening, tender.id)
    task = current.get(Task, begun.task_id) if begun and begun.task_id else None
    ends_at, over = current.execute(seal_queries.ends(tender.id)).one()
    counted = opening.counts(current, tender.id)
    in_use = seal_queries.in_use(current, tender.id)
    alive = tender.cancelled_at is None
    return render_template(
        "sealed/show.html",
        row=row,
        tender=tender,
        held=held,
        mine=mine if keeps else None,
        counts=[(track_name(track.track), counted.get(track.track, 0)) for track in row.tracks],
        total=sum(counted.values()),
        ends_at=ends_at,
        over=over,
        now=now(current),
        begun=begun,
        task=task,
        in_use=in_use,
        needed=seal_queries.NEEDED,
        given=sum(key.given_at is not None for key in held),
        name_of=seal_queries.name_of,
        faulty=opening.protocol(current, tender.id).faulty if begun and begun.finished_at else [],
        keepers_form=keepers_form if appoints else None,
        key_form=(key_form or KeyForm(formdata=None))
        if keeps and alive and not in_use and tender.unsealed_at is None
        else None,
        open_form=(open_form or OpenForm(formdata=None))
        if keeps and alive and over and mine is not None and mine.public is not None and mine.given_at is None
        else None,
        action=ActionForm(formdata=None),
    )


@page(pages, "/<uuid:tender_id>/sealed/keepers", post=Permission.TENDER_EDIT)
def appoint(tender_id: UUID) -> ResponseReturnValue:
    """Seal a tender in preparation, or not, and name the keepers."""
    queries.by_id(session(), g.actor, tender_id)
    form = KeepersForm()
    form.offer([])
    try:
        seal_keys.appoint(
            session(),
            g.actor,
            tender_id,
            sealed=bool(form.sealed.data),
            keepers=form.keepers(),
            expected_version=form.version.data or 0,
        )
    except Problems as problems:
        form.attach(problems.problems)
        return _show(tender_id, keepers_form=form), 422
    flash(_("Saved. The keepers make their keys on this page."), "success")
    return redirect(url_for(".show", tender_id=tender_id), 303)


@page(pages, "/<uuid:tender_id>/sealed/key", post=Permission.SEAL_KEEP)
def make_key(tender_id: UUID) -> ResponseReturnValue:
    """A keeper makes a key, or replaces it."""
    queries.by_id(session(), g.actor, tender_id)
    form = KeyForm()
    try:
        seal_keys.make_key(
            session(),
            g.actor,
            tender_id,
            passphrase=form.seal_password.data or "",
            again=form.seal_password_again.data or "",
        )
    except Problems as problems:
        form.attach(problems.problems)
        return _show(tender_id, key_form=form), 422
    flash(_("Your key is made. Keep the passphrase safe: nobody can restore it."), "success")
    return redirect(url_for(".show", tender_id=tender_id), 303)


@page(pages, "/<uuid:tender_id>/sealed/open", post=Permission.SEAL_KEEP)
def unseal(tender_id: UUID) -> ResponseReturnValue:
    """A keeper opens; with the second one the opening begins."""
    queries.by_id(session(), g.actor, tender_id)
    form = OpenForm()
    try:
        begun = opening.give_key(
            session(), g.actor, tender_id=tender_id, passphrase=(form.seal_password.data or "")[: seal_keys.LONGEST]
        )
    except Problems as problems:
        form.attach(problems.problems)
        return _show(tender_id, open_form=form), 422
    flash(
        _("Both keys are here: the applications are being opened.")
        if begun
        else _("Your key is given. Now another keeper opens."),
        "success",
    )
    return redirect(url_for(".show", tender_id=tender_id), 303)


@page(pages, "/<uuid:tender_id>/sealed/again", post=Permission.SEAL_KEEP)
def again(tender_id: UUID) -> ResponseReturnValue:
    """Try again to open what could not be opened."""
    opening.try_again(session(), g.actor, tender_id=tender_id)
    flash(_("The applications that could not be opened are tried again."), "success")
    return redirect(url_for(".show", tender_id=tender_id), 303)


@page(pages, "/<uuid:tender_id>/sealed/protocol", get=Permission.SEAL_VIEW)
def protocol(tender_id: UUID) -> ResponseReturnValue:
    """The protocol of the opening."""
    queries.by_id(session(), g.actor, tender_id)
    found = opening.protocol(session(), tender_id)
    return render_template(
        "sealed/protocol.html",
        found=found,
        tender=found.tender,
        tracks=[(track_name(track), count) for track, count in found.per_track().items()],
        track_name=track_name,
        fault_words=fault_words,
    )


@page(pages, "/<uuid:tender_id>/sealed/protocol.pdf", get=Permission.SEAL_VIEW)
def protocol_pdf(tender_id: UUID) -> ResponseReturnValue:
    """The same on paper."""
    queries.by_id(session(), g.actor, tender_id)
    found = opening.protocol(session(), tender_id)
    response = Response(pdf.render("opening", paper(found)), mimetype="application/pdf")
    response.headers["Content-Disposition"] = disposition("attachment", f"{found.tender.code}-opening.pdf")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def fault_words(line: Line) -> str:
    """Why an application could not be opened, in the reader's language; "" for one that was."""
    if line.fault is None:
        return ""
    words = say(FAULTS[line.fault])
    return f"{words} {line.fault_at}" if line.fault_at else words


def paper(found: Protocol) -> dict[str, Any]:
    """What the paper says, as plain JSON in the present language."""
    place, day = ZoneInfo(found.tender.zone), found.opening.begun_at

    def instant(at: Any) -> str:
        return format_datetime(at, place, locale()) if at else "—"

    return {
        "locale": locale(),
        "title": _("Protocol of the opening"),
        "portal": _("Joint Projects Portal"),
        "day": [day.year, day.month, day.day],
        "head": [
            [_("Tender"), tender_title(found.tender)],
            [_("Last closing, exceptions counted"), instant(found.ends_at)],
            [_("Opening began"), instant(found.opening.begun_at)],
            [_("Opening ended"), instant(found.opening.finished_at)],
            *([track_name(track), str(count)] for track, count in found.per_track().items()),
            [_("Opened"), str(found.opened)],
            [_("Could not be opened"), str(len(found.faulty))],
        ],
        "keepers_title": _("Opened by"),
        "keepers": [[item.name, instant(item.given_at), item.public] for item in found.keepers],
        "columns": [_("Number"), _("Received"), _("SHA-256 of the frozen version"), _("Opened")],
        "lines": [
            [line.number, instant(line.received_at), line.sha256, fault_words(line) or instant(line.opened_at)]
            for line in found.lines
        ],
        "note": _(
            "Times are those of the portal's database. Each SHA-256 was given to the applicants in their receipt when"
            " they submitted; an application counts as opened when what came out has that very SHA-256."
        ),
    }
