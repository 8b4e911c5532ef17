"""The administrator's tenders: preparing and publishing. Amending and cancelling are in ``tender_changes``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import Field, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the published types are older
from wtforms.validators import Optional
from wtforms.widgets import TextInput

from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.core.formats import EXAMPLE_DAY, EXAMPLE_YEAR
from portal.identity.policy import Permission, authorize, find
from portal.tenders import amendments, joint_limits, queries, rules, seal_queries, service
from portal.tenders.models import Programme, Tender, Track
from portal.tenders.rules import ALLOWED, TenderStatus, status
from portal.tenders.values import ProgrammeValues, TenderValues
from portal.web.forms import ActionForm, PortalForm
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.public import track_name

pages = Blueprint("tenders", __name__, url_prefix="/staff/tenders")

OFFICIAL: Final = "official"
_WALL_FORMATS: Final = ("%d.%m.%Y %H:%M", "%d.%m.%Y, %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")


class WallTimeField(Field):
    """A date and time of the tender's own zone; ``data`` is a naive datetime or None, the text is kept."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        text = " ".join(valuelist[0].split()) if valuelist else ""
        self.data = None
        for form in _WALL_FORMATS:
            try:
                self.data = datetime.strptime(text, form)  # noqa: DTZ007 - wall clock of a zone told apart
                return
            except ValueError:
                continue
        if text:
            raise ValueError(_("Give a date and time such as %(day)s 18:00.", day=EXAMPLE_DAY))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data:%d.%m.%Y %H:%M}" if self.data else ""


class WholeField(IntegerField):
    """A whole number; what cannot be read is told so, and kept."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        text = valuelist[0].strip() if valuelist else ""
        if re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII):
            self.data = int(text)
        elif text:
            raise ValueError(_("Give a whole number."))


class TenderForm(PortalForm):
    """A tender in preparation; what is missing may be added until it is published."""

    code = StringField(
        _l("Code"),
        description=_l("Part of registration numbers and addresses, for example %(year)s", year=EXAMPLE_YEAR),
    )
    year = WholeField(_l("Year"))
    title_ru = StringField(_l("Title in Russian"))
    title_en = StringField(_l("Title in English"))
    notice_ru = TextAreaField(_l("Notice in Russian"))
    notice_en = TextAreaField(_l("Notice in English"))
    zone = SelectField(
        _l("Time zone"),
        choices=[SelectChoice(name, name) for name in rules.ZONES],
        default="Europe/Moscow",
        validate_choice=False,
    )
    opens = WallTimeField(
        _l("Intake opens"), description=_l("In the zone above, for example %(day)s 09:00", day=EXAMPLE_DAY)
    )
    closes = WallTimeField(_l("Intake closes"), description=_l("In the zone above; a moment later is too late"))
    question_days = WholeField(
        _l("Questions are taken until so many working days before the closing"), validators=[Optional()]
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """All that is wrong is told at once, also where a number or a time could not be read."""
        if super().validate(extra_validators):
            return True
        self.attach(problem for problem in self.values().problems() if not self[problem.field].errors)
        return False

    def values(self) -> TenderValues:
        return TenderValues(
            code=(self.code.data or "").strip(),
            year=self.year.data,
            title_ru=self.title_ru.data or "",
            title_en=self.title_en.data or "",
            notice_ru=self.notice_ru.data or "",
            notice_en=self.notice_en.data or "",
            zone=self.zone.data or "",
            opens=self.opens.data,
            closes=self.closes.data,
            question_days=self.question_days.data,
        )


class NewTenderForm(TenderForm):
    """A new tender with the rules that each track starts from."""

    programme = SelectField(_l("Programme"), validate_choice=False)
    rules_import_substitution = SelectField(_l("Track: import substitution"), validate_choice=False)
    rules_export = SelectField(_l("Track: export"), validate_choice=False)

    def offer(self) -> None:
        current = session()
        self.programme.choices = [SelectChoice(str(row.id), row.code) for row in queries.programmes(current)]
        found = queries.sources(current)
        for track in Track:
            self[f"rules_{track}"].choices = [
                SelectChoice("", _("The tender has no such track")),
                SelectChoice(OFFICIAL, _("Official rulebook")),
                *copies(found, track),
            ]

    def tracks(self) -> dict[Track, UUID | None]:
        chosen = {track: self[f"rules_{track}"].data for track in (Track.IMPORT_SUBSTITUTION, Track.EXPORT)}
        return {track: source_key(choice) for track, choice in chosen.items() if choice}


class ProgrammeForm(PortalForm):
    """A funding programme."""

    code = StringField(_l("Code"))
    name_ru = StringField(_l("Name in Russian"))
    name_en = StringField(_l("Name in English"))


def source_key(choice: str) -> UUID | None:
    """The rule set to copy from, None for the official rulebook; a broken choice names no rule set."""
    if choice == OFFICIAL:
        return None
    try:
        return UUID(choice)
    except ValueError:
        return UUID(int=0)


def copies(found: list[queries.Source], track: str, but: UUID | None = None) -> list[Any]:
    """The choices of rule sets of this track to copy from."""
    return [
        SelectChoice(str(source.rule_set_id), _("Copy from tender %(code)s", code=source.tender_code))
        for source in found
        if source.track == track and source.rule_set_id != but
    ]


@page(pages, "", get=Permission.TENDER_VIEW)
def index() -> ResponseReturnValue:
    """All tenders, newest first."""
    found: Page[Any] = keyset(
        session(),
        queries.list_select(g.actor),
        (Tender.created_at, Tender.id),
        lambda row: (row[0].created_at, row[0].id),
        request.args.get("cursor"),
    )
    return render_template("tenders/index.html", listed=found)


@page(pages, "/new", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def new() -> ResponseReturnValue:
    """Prepare a tender."""
    form = NewTenderForm()
    form.offer()
    if form.validate_on_submit():
        try:
            row = service.create_tender(
                session(),
                g.actor,
                programme_id=source_key(form.programme.data or "") or UUID(int=0),
                values=form.values(),
                tracks=form.tracks(),
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The tender is in preparation. Check its rules, then publish it."), "success")
            return redirect(url_for(".show", tender_id=row.id), 303)
    return render_template("tenders/form.html", form=form, tender=None), 422 if form.errors else 200


@page(pages, "/<uuid:tender_id>", get=Permission.TENDER_VIEW)
def show(tender_id: UUID) -> ResponseReturnValue:
    """A tender with its tracks and what comes next."""
    row = queries.by_id(session(), g.actor, tender_id)
    held = queries.rules_of(session(), g.actor, tender_id)
    instant = now(session())
    place = ZoneInfo(row.tender.zone)
    draft = row.status is TenderStatus.DRAFT
    missing = (
        [
            *rules.publication_problems(row.tender, instant),
            *seal_queries.publication_problems(session(), row.tender),
            *joint_limits.publication_problems(row.tender, held),
        ]
        if draft
        else []
    )
    warnings = (
        rules.publication_warnings(row.tender, row.tender.year, list(held.values()), instant, place) if draft else []
    )
    return render_template(
        "tenders/show.html",
        row=row,
        tender=row.tender,
        rules=held,
        now=instant,
        action=ActionForm(version=row.tender.version),
        may={verb: row.status in statuses for verb, statuses in ALLOWED.items()},
        missing=missing,
        warnings=warnings,
        amendments=amendments.counts(session(), [tender_id]).get(tender_id, (0, None))[0],
        absent=[track for track in Track if track not in held],
    )


@page(pages, "/<uuid:tender_id>/edit", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def edit(tender_id: UUID) -> ResponseReturnValue:
    """Change a tender in preparation; of a published one the page leads back to it."""
    row = find(session(), g.actor, Tender, tender_id)
    if request.method == "GET" and status(row, now(session())) not in ALLOWED["edit"]:
        flash(_("The tender is published: dates and notice change only by a numbered amendment."), "info")
        return redirect(url_for(".show", tender_id=tender_id))
    place = ZoneInfo(row.zone)
    form = TenderForm(obj=row, opens=wall(row.opens_at, place), closes=wall(row.closes_at, place))
    if form.validate_on_submit():
        try:
            service.edit_tender(
                session(),
                g.actor,
                tender_id,
                values=form.values(),
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("Saved."), "success")
            return redirect(url_for(".show", tender_id=tender_id), 303)
    return render_template("tenders/form.html", form=form, tender=row), 422 if form.errors else 200


@page(pages, "/<uuid:tender_id>/publish", post=Permission.TENDER_EDIT)
def publish(tender_id: UUID) -> ResponseReturnValue:
    """Announce the tender and freeze its rules."""
    form = ActionForm()
    try:
        service.publish(session(), g.actor, tender_id, expected_version=form.version.data or 0)
    except Problems as problems:
        row = queries.by_id(session(), g.actor, tender_id)
        return render_template("tenders/unpublished.html", tender=row.tender, problems=problems.problems), 422
    flash(_("The tender is published, its rules are frozen."), "success")
    return redirect(url_for(".show", tender_id=tender_id), 303)


@page(pages, "/<uuid:tender_id>/tracks/<track>", post=Permission.TENDER_EDIT)
def change_track(tender_id: UUID, track: str) -> ResponseReturnValue:
    """Add a track with the official rules, or take one away."""
    if track not in list(Track):
        raise NotFound
    if request.form.get("do") == "remove":
        service.remove_track(session(), g.actor, tender_id, track=Track(track))
        flash(_("The track %(track)s is removed.", track=track_name(track)), "success")
    else:
        service.add_track(session(), g.actor, tender_id, track=Track(track))
        flash(_("The track %(track)s is added with the official rules.", track=track_name(track)), "success")
    return redirect(url_for(".show", tender_id=tender_id), 303)


@page(pages, "/programmes", get=Permission.TENDER_VIEW)
def programmes() -> ResponseReturnValue:
    """All programmes."""
    return render_template("tenders/programmes.html", programmes=queries.programmes(session()))


@page(pages, "/programmes/new", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def new_programme() -> ResponseReturnValue:
    """A new programme."""
    form = ProgrammeForm()
    if form.validate_on_submit():
        try:
            service.create_programme(session(), g.actor, values=_programme(form))
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("Saved."), "success")
            return redirect(url_for(".programmes"), 303)
    return render_template("tenders/programme.html", form=form, programme=None), 422 if form.errors else 200


@page(pages, "/programmes/<uuid:programme_id>", get=Permission.TENDER_EDIT, post=Permission.TENDER_EDIT)
def edit_programme(programme_id: UUID) -> ResponseReturnValue:
    """Change a programme."""
    row = find(session(), g.actor, Programme, programme_id)
    authorize(g.actor, Permission.TENDER_EDIT, row)
    form = ProgrammeForm(obj=row)
    if form.validate_on_submit():
        try:
            service.edit_programme(
                session(),
                g.actor,
                programme_id,
                values=_programme(form),
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("Saved."), "success")
            return redirect(url_for(".programmes"), 303)
    return render_template("tenders/programme.html", form=form, programme=row), 422 if form.errors else 200


def _programme(form: ProgrammeForm) -> ProgrammeValues:
    texts: dict[str, Any] = {name: (form[name].data or "").strip() for name in ("code", "name_ru", "name_en")}
    return ProgrammeValues(**texts)


def wall(instant: datetime | None, place: ZoneInfo) -> datetime | None:
    """What clocks in a zone show at an instant."""
    return instant.astimezone(place).replace(tzinfo=None) if instant else None
