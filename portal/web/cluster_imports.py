"""Importing a cluster's functional map and its members' figures: the same way as the register's tables."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, SelectChoice  # type: ignore[attr-defined]  # the published types are older
from wtforms.validators import InputRequired

from portal.clusters import columns, functional_map, queries
from portal.clusters.models import ImportKind
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.documents import kinds
from portal.identity.policy import Permission, authorize
from portal.web.cluster_frame import frame, opened
from portal.web.forms import PortalForm
from portal.web.language import locale
from portal.web.page import page
from portal.web.register import KIND_NAMES, as_table, faults_table, import_row, report_of, running

pages = Blueprint("cluster_imports", __name__, url_prefix="/clusters/<uuid:cluster_id>/import")

OWN_KINDS: Final = (ImportKind.SUPPLIES, ImportKind.FIGURES)


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


@page(pages, "/", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def upload(cluster_id: UUID) -> ResponseReturnValue:
    """Upload a table; the import itself runs in the background."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form, status = ImportForm(), 200
    if form.validate_on_submit():
        try:
            row = functional_map.start_import(
                session(),
                actor,
                cluster_id=cluster_id,
                kind=ImportKind(form.kind.data),
                name=form.file.data.filename or "",
                stream=form.file.data.stream,
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            return redirect(url_for(".report", cluster_id=cluster_id, import_id=row.id), 303)
    elif form.is_submitted():
        status = 422
    tables = [(kind, KIND_NAMES[kind], columns.TABLES[kind]) for kind in OWN_KINDS]
    variables = frame(actor, cluster, "map")
    return render_template("cluster_map/import.html", form=form, tables=tables, **variables), status


@page(pages, "/<uuid:import_id>", get=Permission.CLUSTER_KEEP)
def report(cluster_id: UUID, import_id: UUID) -> ResponseReturnValue:
    """How far an import has come, and what came of it."""
    actor, cluster = opened(cluster_id)
    variables = report_of(import_row(import_id, cluster_id))
    return render_template("cluster_map/report.html", **variables, **frame(actor, cluster, "map"))


@page(pages, "/<uuid:import_id>/progress", get=Permission.CLUSTER_KEEP)
def progress(cluster_id: UUID, import_id: UUID) -> ResponseReturnValue:
    """The progress bar alone, for those who poll."""
    row = import_row(import_id, cluster_id)
    return render_template(
        "cluster_map/progress.html",
        row=row,
        cluster_id=cluster_id,
        parked=queries.import_parked(session(), row),
        running=running(row),
    )


@page(pages, "/<uuid:import_id>/faults.<extension>", get=Permission.CLUSTER_KEEP)
def faults(cluster_id: UUID, import_id: UUID, extension: str) -> ResponseReturnValue:
    """Every bad row as a table: line, column, what stands there, reason."""
    return faults_table(import_row(import_id, cluster_id), extension)


@page(pages, "/template/<kind>.<extension>", get=Permission.CLUSTER_KEEP)
def template(cluster_id: UUID, kind: str, extension: str) -> ResponseReturnValue:
    """An empty table with the right header and one example."""
    if kind not in OWN_KINDS:
        raise NotFound
    return as_table(columns.template(ImportKind(kind), locale()), str(KIND_NAMES[ImportKind(kind)]), extension)
