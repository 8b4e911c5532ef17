"""Keeping a cluster's profile: its texts, infrastructure and documents; and the documents themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired
from wtforms import SelectField, StringField, TextAreaField

from portal.clusters import profile, profile_queries
from portal.core import formats, regions
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.documents import kinds
from portal.identity.policy import Permission, authorize
from portal.web.cluster_frame import INFRASTRUCTURE, PAPERS, PROGRAMMES, frame, opened
from portal.web.files import send
from portal.web.forms import ActionForm, PortalForm, as_choices
from portal.web.language import locale
from portal.web.page import page

pages = Blueprint("cluster_profile", __name__, url_prefix="/clusters/<uuid:cluster_id>")

_DATE: Final = _l("For example 01.06.2016")
_TEXTS: Final = ("about_ru", "about_en", "facts_ru", "facts_en", "rcc_since")


class ProfileForm(PortalForm):
    """What the cluster tells of itself."""

    about_ru = TextAreaField(_l("About the cluster in Russian"))
    about_en = TextAreaField(_l("About the cluster in English"))
    facts_ru = TextAreaField(_l("Facts in Russian"), description=_l("One fact a line"))
    facts_en = TextAreaField(_l("Facts in English"), description=_l("One fact a line"))
    rcc_since = StringField(
        _l("Host of a regional competence centre since"),
        description=_l("A date, if the centre works on the basis of the cluster's organisation; otherwise leave empty"),
    )


class InfrastructureForm(PortalForm):
    """An object of the infrastructure."""

    kind = SelectField(_l("Kind"), validate_choice=False)
    name_ru = StringField(_l("Name in Russian"))
    name_en = StringField(_l("Name in English"))
    region = SelectField(_l("Region"), validate_choice=False)


class DocumentForm(PortalForm):
    """A public document of the cluster."""

    kind = SelectField(_l("Kind"), validate_choice=False)
    title = StringField(_l("Title"))
    issued_on = StringField(_l("Date of the document"), description=_DATE)
    file = FileField(
        _l("File"),
        [FileRequired(_l("Choose a file."))],
        description=_l("Everybody can download it."),
        render_kw={"accept": kinds.accept(kinds.DOCUMENTS)},
    )


class ProgrammeForm(PortalForm):
    """A programme in which the cluster takes part."""

    programme = SelectField(_l("Programme"), validate_choice=False)
    since = StringField(_l("Takes part from"), description=_DATE)
    until = StringField(_l("Takes part until"), description=_l("Leave empty when there is no end."))


@page(pages, "/profile", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def edit(cluster_id: UUID) -> ResponseReturnValue:
    """Texts of the profile; below them infrastructure, documents and, for the administrator, programmes."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form = _profile_form(cluster_id)
    if form.validate_on_submit():
        try:
            profile.save_profile(
                session(),
                actor,
                cluster_id=cluster_id,
                values={name: form[name].data or "" for name in _TEXTS},
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The profile is saved."), "success")
            return redirect(url_for("clusters.show", cluster_id=cluster_id), 303)
    return _page(cluster_id, form=form), 422 if form.is_submitted() else 200


@page(pages, "/infrastructure", post=Permission.CLUSTER_KEEP)
def add_infrastructure(cluster_id: UUID) -> ResponseReturnValue:
    """Name an object of the infrastructure."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form = InfrastructureForm()
    try:
        profile.add_infrastructure(
            session(),
            actor,
            cluster_id=cluster_id,
            kind=form.kind.data or "",
            name_ru=form.name_ru.data or "",
            name_en=form.name_en.data or "",
            region=form.region.data or "",
        )
    except Problems as problems:
        return _page(cluster_id, infrastructure_form=form, problems=problems.problems), 422
    flash(_("The object is on the list."), "success")
    return _back(cluster_id, "infrastructure")


@page(pages, "/infrastructure/<uuid:object_id>/remove", post=Permission.CLUSTER_KEEP)
def remove_infrastructure(cluster_id: UUID, object_id: UUID) -> ResponseReturnValue:
    """Take an object off the list."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    profile.remove_infrastructure(session(), actor, cluster_id=cluster_id, object_id=object_id)
    flash(_("The object is off the list."), "success")
    return _back(cluster_id, "infrastructure")


@page(pages, "/documents", post=Permission.CLUSTER_KEEP)
def add_document(cluster_id: UUID) -> ResponseReturnValue:
    """Publish a document."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form = DocumentForm()
    form.validate()
    found: Sequence[Problem] = ()
    if not form.file.errors:
        try:
            profile.add_document(
                session(),
                actor,
                cluster_id=cluster_id,
                kind=form.kind.data or "",
                title=form.title.data or "",
                issued_on=form.issued_on.data or "",
                name=form.file.data.filename or "",
                stream=form.file.data.stream,
            )
        except Problems as problems:
            found = problems.problems
    if found or form.file.errors:
        return _page(cluster_id, document_form=form, problems=found), 422
    flash(_("The document is published."), "success")
    return _back(cluster_id, "documents")


@page(pages, "/documents/<uuid:document_id>", get=Permission.PUBLIC)
def document(cluster_id: UUID, document_id: UUID) -> ResponseReturnValue:
    """A public document of the cluster."""
    opened(cluster_id)
    return send(profile_queries.document(session(), cluster_id, document_id).file)


@page(pages, "/documents/<uuid:document_id>/remove", post=Permission.CLUSTER_KEEP)
def remove_document(cluster_id: UUID, document_id: UUID) -> ResponseReturnValue:
    """Take a document off the page."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    profile.remove_document(session(), actor, cluster_id=cluster_id, document_id=document_id)
    flash(_("The document is off the page."), "success")
    return _back(cluster_id, "documents")


@page(pages, "/programmes", post=Permission.CLUSTER_EDIT)
def add_programme(cluster_id: UUID) -> ResponseReturnValue:
    """Note a programme in which the cluster takes part."""
    actor, _cluster = opened(cluster_id)
    form = ProgrammeForm()
    try:
        profile.add_programme(
            session(),
            actor,
            cluster_id=cluster_id,
            programme=form.programme.data or "",
            since=form.since.data or "",
            until=form.until.data or "",
        )
    except Problems as problems:
        return _page(cluster_id, programme_form=form, problems=problems.problems), 422
    flash(_("The programme is noted."), "success")
    return _back(cluster_id, "programmes")


@page(pages, "/programmes/<uuid:programme_row_id>/remove", post=Permission.CLUSTER_EDIT)
def remove_programme(cluster_id: UUID, programme_row_id: UUID) -> ResponseReturnValue:
    """Take a wrong entry away."""
    actor, _cluster = opened(cluster_id)
    profile.remove_programme(session(), actor, cluster_id=cluster_id, programme_row_id=programme_row_id)
    flash(_("The entry is taken away."), "success")
    return _back(cluster_id, "programmes")


def _back(cluster_id: UUID, part: str) -> ResponseReturnValue:
    return redirect(url_for(".edit", cluster_id=cluster_id) + f"#{part}", 303)


def _profile_form(cluster_id: UUID, *, fresh: bool = False) -> ProfileForm:
    held = profile_queries.profile_of(session(), cluster_id)
    typed = {"formdata": None} if fresh else {}
    if held is None:
        return ProfileForm(data={"version": 0}, **typed)
    since = formats.format_date(held.rcc_since, "ru") if held.rcc_since else ""
    texts = {name: getattr(held, name) for name in _TEXTS if name != "rcc_since"}
    return ProfileForm(data={**texts, "rcc_since": since, "version": held.version}, **typed)


def _page(
    cluster_id: UUID,
    *,
    form: ProfileForm | None = None,
    infrastructure_form: InfrastructureForm | None = None,
    document_form: DocumentForm | None = None,
    programme_form: ProgrammeForm | None = None,
    problems: Sequence[Problem] = (),
) -> str:
    """The whole page; the form that was sent keeps what was typed, with its problems."""
    actor, cluster = opened(cluster_id)
    current = session()
    objects = infrastructure_form or InfrastructureForm(formdata=None, prefix="")
    papers = document_form or DocumentForm(formdata=None)
    parts = programme_form or ProgrammeForm(formdata=None)
    objects.kind.choices = as_choices([(kind.value, str(name)) for kind, name in INFRASTRUCTURE.items()])
    objects.region.choices = as_choices(regions.choices(locale()))
    papers.kind.choices = as_choices([(kind.value, str(name)) for kind, name in PAPERS.items()])
    parts.programme.choices = as_choices([(kind.value, str(PROGRAMMES[kind])) for kind in profile.STORED_PROGRAMMES])
    for sent in (infrastructure_form, document_form, programme_form):
        if sent is not None:
            sent.attach(problems)
    return render_template(
        "cluster_profile/edit.html",
        **frame(actor, cluster, "show"),
        form=form or _profile_form(cluster_id, fresh=True),
        sent=infrastructure_form or document_form or programme_form or form,
        objects=objects,
        papers=papers,
        parts=parts,
        infrastructure=profile_queries.infrastructure_of(current, cluster_id),
        infrastructure_names=INFRASTRUCTURE,
        documents=profile_queries.documents_of(current, cluster_id),
        paper_names=PAPERS,
        programmes=profile_queries.programme_rows(current, cluster_id),
        action=ActionForm(formdata=None),
    )
