"""The administrator's register: clusters and imports."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, SelectChoice, StringField  # type: ignore[attr-defined]  # the published types are older
from wtforms.validators import InputRequired, Length

import portal.applications.jobs
import portal.clusters.jobs  # noqa: F401 - an import is a task, and what it confirms writes others
from portal.clusters import columns, fields, queries, service
from portal.clusters.models import Cluster, ImportKind, ImportState, RegisterImport
from portal.core import formats
from portal.core.db import session
from portal.core.errors import Problems
from portal.documents import kinds
from portal.documents.sheets import WRITERS
from portal.identity.policy import Permission, authorize, scope
from portal.web.forms import PortalForm
from portal.web.language import locale
from portal.web.page import current_actor, page

pages = Blueprint("register", __name__, url_prefix="/register")

LIST_LIMIT: Final = 1000
IMPORTS_SHOWN: Final = 10
FAULTS_SHOWN: Final = 200
KIND_NAMES: Final = {
    ImportKind.CLUSTERS: _l("Clusters"),
    ImportKind.MEMBERS: _l("Members of clusters"),
    ImportKind.SUPPLIES: _l("Functional map"),
    ImportKind.FIGURES: _l("Figures of the members"),
}
OWN_KINDS: Final = (ImportKind.CLUSTERS, ImportKind.MEMBERS)
"""The tables of the register itself; the others belong to a cluster's own pages."""
_FIELDS: Final = tuple(column.key for column in columns.CLUSTERS)


class ClusterForm(PortalForm):
    """A cluster as texts: the room says what is wrong with each, for forms and imports alike."""

    code = StringField(_l("Code"), description=_l("Short and lasting: imports find the cluster by it."))
    name_ru = StringField(_l("Name in Russian"), [Length(max=fields.MAX_NAME)])
    name_en = StringField(_l("Name in English"), [Length(max=fields.MAX_NAME)])
    sector_ru = StringField(_l("Sector in Russian"), [Length(max=fields.MAX_SECTOR)])
    sector_en = StringField(_l("Sector in English"), [Length(max=fields.MAX_SECTOR)])
    regions = StringField(_l("Codes of the regions"), description=_l("Two digits each, for example 50, 69"))
    registered_on = StringField(_l("In the register from"), description=_l("For example 01.06.2016"))
    valid_until = StringField(_l("In the register until"), description=_l("Leave empty when the entry has no end."))
    spec_inn = StringField(_l("INN of the specialised organisation"), render_kw={"inputmode": "numeric"})
    spec_kpp = StringField(_l("KPP of the specialised organisation"))


class ImportForm(PortalForm):
    """A table to import."""

    kind = RadioField(
        _l("What the table holds"),
        choices=[SelectChoice(kind.value, KIND_NAMES[kind]) for kind in OWN_KINDS],
        validators=[InputRequired(_l("Choose what the table holds."))],
    )
    file = FileField(
        _l("Table"),
        [FileRequired(_l("Choose a file."))],
        description=_l("XLSX, or CSV with semicolons or commas in UTF-8 or Windows-1251; up to 20,000 rows"),
        render_kw={"accept": kinds.accept(kinds.TABLES)},
    )


@page(pages, "/", get=Permission.CLUSTER_IMPORT)
def index() -> ResponseReturnValue:
    """All clusters, and the latest imports."""
    actor, current = current_actor(), session()
    statement = queries.listed(queries.with_spec_org(scope(actor, Cluster)), locale=locale())
    own = scope(actor, RegisterImport).where(RegisterImport.cluster_id.is_(None))
    imports = current.scalars(queries.recent_imports(own, IMPORTS_SHOWN)).all()
    return render_template(
        "register/index.html",
        rows=queries.register(current, statement, LIST_LIMIT),
        imports=imports,
        kind_names=KIND_NAMES,
    )


@page(pages, "/new", get=Permission.CLUSTER_EDIT, post=Permission.CLUSTER_EDIT)
def new() -> ResponseReturnValue:
    """Enter a cluster."""
    form, status = ClusterForm(), 200
    if form.validate_on_submit():
        try:
            service.create_cluster(session(), current_actor(), values=_texts(form))
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The cluster is in the register."), "success")
            return redirect(url_for(".index"), 303)
    elif form.is_submitted():
        status = 422
    return render_template("register/cluster.html", form=form, cluster=None), status


@page(pages, "/<uuid:cluster_id>", get=Permission.CLUSTER_EDIT, post=Permission.CLUSTER_EDIT)
def edit(cluster_id: UUID) -> ResponseReturnValue:
    """Change a cluster."""
    actor, current = current_actor(), session()
    cluster = current.scalar(queries.with_spec_org(scope(actor, Cluster)).where(Cluster.id == cluster_id))
    if cluster is None:
        abort(404)
    authorize(actor, Permission.CLUSTER_EDIT, cluster)
    form, status = ClusterForm(data=_as_texts(cluster)), 200
    if form.validate_on_submit():
        try:
            service.edit_cluster(
                current,
                actor,
                cluster_id=cluster_id,
                values=_texts(form),
                expected_version=form.version.data or 0,
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The cluster is saved."), "success")
            return redirect(url_for(".index"), 303)
    elif form.is_submitted():
        status = 422
    return render_template("register/cluster.html", form=form, cluster=cluster), status


@page(pages, "/import", get=Permission.CLUSTER_IMPORT, post=Permission.CLUSTER_IMPORT)
def upload() -> ResponseReturnValue:
    """Upload a table; the import itself runs in the background."""
    form, status = ImportForm(), 200
    if form.validate_on_submit():
        try:
            row = service.start_import(
                session(),
                current_actor(),
                kind=ImportKind(form.kind.data),
                name=form.file.data.filename or "",
                stream=form.file.data.stream,
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            return redirect(url_for(".report", import_id=row.id), 303)
    elif form.is_submitted():
        status = 422
    tables = [(kind, KIND_NAMES[kind], columns.TABLES[kind]) for kind in OWN_KINDS]
    return render_template("register/import.html", form=form, tables=tables), status


@page(pages, "/import/<uuid:import_id>", get=Permission.CLUSTER_IMPORT)
def report(import_id: UUID) -> ResponseReturnValue:
    """How far an import has come, and what came of it."""
    return render_template("register/report.html", **report_of(import_row(import_id)))


def report_of(row: RegisterImport) -> dict[str, Any]:
    """Variables of ``register/_report.html``."""
    faults = row.report.get("faults", [])
    return {
        "row": row,
        "parked": queries.import_parked(session(), row),
        "faults": faults[:FAULTS_SHOWN],
        "more": max(0, len(faults) - FAULTS_SHOWN),
        "lines": len({fault["line"] for fault in faults}),
        "kind_name": KIND_NAMES[ImportKind(row.kind)],
        "column_name": _column_names(row),
        "running": running(row),
    }


@page(pages, "/import/<uuid:import_id>/progress", get=Permission.CLUSTER_IMPORT)
def progress(import_id: UUID) -> ResponseReturnValue:
    """The progress bar alone, for those who poll."""
    row = import_row(import_id)
    parked = queries.import_parked(session(), row)
    return render_template("register/progress.html", row=row, parked=parked, running=running(row))


@page(pages, "/import/<uuid:import_id>/faults.<extension>", get=Permission.CLUSTER_IMPORT)
def faults(import_id: UUID, extension: str) -> ResponseReturnValue:
    """Every bad row as a table: line, column, what stands there, reason."""
    return faults_table(import_row(import_id), extension)


def faults_table(row: RegisterImport, extension: str) -> Response:
    """Every bad row of an import as a table."""
    names = _column_names(row)
    head = [_("Line"), _("Column"), _("What stands there"), _("Reason")]
    found = [
        [str(f["line"] or ""), names.get(f["field"], ""), f["value"], f["reason"][locale()]]
        for f in row.report.get("faults", [])
    ]
    return as_table([head, *found], _("faults"), extension)


@page(pages, "/template/<kind>.<extension>", get=Permission.CLUSTER_IMPORT)
def template(kind: str, extension: str) -> ResponseReturnValue:
    """An empty table with the right header and one example."""
    if kind not in OWN_KINDS:
        abort(404)
    return as_table(columns.template(ImportKind(kind), locale()), str(KIND_NAMES[ImportKind(kind)]), extension)


def import_row(import_id: UUID, cluster_id: UUID | None = None) -> RegisterImport:
    """An import of the register, or of a cluster's map, with its file and who started it."""
    actor = current_actor()
    statement = queries.recent_imports(scope(actor, RegisterImport), 1).where(
        RegisterImport.id == import_id, RegisterImport.cluster_id.is_not_distinct_from(cluster_id)
    )
    row: RegisterImport | None = session().scalar(statement)
    if row is None:
        abort(404)
    return row


def running(row: RegisterImport) -> bool:
    """Whether an import is still at work."""
    return row.state in (ImportState.WAITING, ImportState.CHECKING, ImportState.APPLYING)


def _column_names(row: RegisterImport) -> dict[str, str]:
    return {column.key: column.name(locale()) for column in columns.TABLES[ImportKind(row.kind)]}


def _texts(form: ClusterForm) -> dict[str, str]:
    return {name: form[name].data or "" for name in _FIELDS}


def _as_texts(cluster: Cluster) -> dict[str, Any]:
    spec = cluster.spec_org
    return {
        "version": cluster.version,
        "code": cluster.code,
        "name_ru": cluster.name_ru,
        "name_en": cluster.name_en,
        "sector_ru": cluster.sector_ru,
        "sector_en": cluster.sector_en,
        "regions": ", ".join(cluster.regions),
        "registered_on": formats.format_date(cluster.registered_on, "ru") if cluster.registered_on else "",
        "valid_until": formats.format_date(cluster.valid_until, "ru") if cluster.valid_until else "",
        "spec_inn": spec.inn if spec else "",
        "spec_kpp": (spec.kpp or "") if spec else "",
    }


def as_table(rows: list[list[str]], name: str, extension: str) -> Response:
    """The table as a download, ``csv`` or ``xlsx``."""
    if extension not in WRITERS:
        abort(404)
    write, content_type = WRITERS[extension]
    answer = Response(write(rows), content_type=content_type)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}.{extension}"
    return answer
