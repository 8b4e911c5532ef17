"""The tables of an application as XLSX files: taking them out, and seeing what an edited one would change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications import service
from portal.applications.drafts.saving import Change, mark_of
from portal.applications.drafts.sections import BY_NAME
from portal.applications.figures import workbook
from portal.applications.figures.workbook import Owner, Reading
from portal.applications.following.dossier import Dossier
from portal.applications.policy import Part
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.documents import kinds, scanning, tables
from portal.documents.sheets import Page, as_workbook
from portal.identity.policy import Permission, allowed, authorize
from portal.web.application_frame import Tasks, blueprint, editable, opened, own_parts, section_url, seen, wording
from portal.web.application_sections import shown
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.templating import localised

MAX_FILE: Final = 5 * 1024 * 1024
_SEPARATOR: Final = "|"


@page(blueprint, "/<uuid:application_id>/tables.xlsx", get=Permission.APPLICATION_VIEW)
def tables_file(application_id: UUID) -> ResponseReturnValue:
    """Every table of the project and of its participants, for those who write for the initiator."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.APPLICATION_EDIT, dossier.application)
    shown = seen(dossier)
    owners: list[Owner] = [None, *(part.id for part in dossier.accepted if part.id in shown)]
    return _file(dossier, owners, _("All tables"))


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/tables.xlsx",
    get=Permission.APPLICATION_VIEW,
)
def part_tables_file(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """The tables of one participant."""
    dossier = opened(application_id)
    part = dossier.participant(participant_id)
    if part.id not in seen(dossier):
        raise NotFound
    return _file(dossier, [part.id], localised(part.organisation, "name"))


def _file(dossier: Dossier, owners: Iterable[Owner], name: str) -> Response:
    pages = [_sheet(dossier, owner, section) for owner in owners for section in _tables(dossier, owner)]
    answer = Response(as_workbook(pages), content_type=kinds.XLSX)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}.xlsx"
    return answer


def _tables(dossier: Dossier, owner: Owner) -> list[str]:
    return [section.name for section in workbook.tables(dossier.rules, owner)]


def _sheet(dossier: Dossier, owner: Owner, section: str) -> Page:
    name = localised(dossier.application, "title") or _("Project without a name")
    if owner is not None:
        name = localised(dossier.participant(owner).organisation, "name")
    data = _typed(dossier, owner, section)
    key = owner or dossier.application.id
    return workbook.page(BY_NAME[section], key, name, data, dossier.rules, locale())


def _typed(dossier: Dossier, owner: Owner, section: str) -> dict[str, str]:
    row = dossier.sections.get((owner, section))
    return dict(row.data) if row else {}


@dataclass(frozen=True, slots=True)
class Line:
    """A cell of the preview. ``name`` and ``base`` are sent with the confirmation; ``theirs`` is a clash."""

    name: str
    table: str
    label: str
    old: str
    new: str
    value: str
    base: str
    place: str
    theirs: str | None = None


@page(
    blueprint,
    "/<uuid:application_id>/tables",
    endpoint="tables",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_EDIT,
)
def tables_page(application_id: UUID) -> ResponseReturnValue:
    """Download the tables; upload an edited file, read what it would change, and confirm."""
    dossier = opened(application_id)
    if request.method == "GET":
        return _page(dossier)
    _require_writer(dossier)
    if request.form.get("then") == "confirm":
        return _confirmed(dossier)
    try:
        reading = workbook.compare(
            _uploaded(),
            dossier.rules,
            dossier.application.id,
            lambda owner, section: _typed(dossier, owner, section),
            _writable(dossier),
        )
    except Problems as refused:
        return _page(dossier, problems=refused.problems), 422
    return _page(dossier, reading, [_line(dossier, change) for change in reading.changes])


def _require_writer(dossier: Dossier) -> None:
    """Refuse those who may write no table of this application; a conflict for all once it is with the fund."""
    if any(_writable(dossier).values()):
        return
    parts = [Part(dossier.application, part) for part in own_parts(dossier)]
    if not any(allowed(g.actor, Permission.APPLICATION_EDIT, part) for part in parts):
        authorize(g.actor, Permission.APPLICATION_EDIT, dossier.application)
    raise Conflict(service.NOT_EDITABLE)


def _uploaded() -> list[tables.Sheet]:
    file = request.files.get("file")
    if file is None or not file.filename:
        raise Problems.one("required", "file", N_("Choose a file."))
    data = file.stream.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Problems.one("too_large", "file", N_("The file is larger than 5 MB: tables are much smaller."))
    scanning.require_clean(data)
    return tables.sheets(data, file.filename[-80:])


def _writable(dossier: Dossier) -> dict[Owner, bool]:
    owners: list[Owner] = [None, *(part.id for part in dossier.accepted)]
    return {owner: editable(dossier, owner) for owner in owners}


def _line(dossier: Dossier, change: workbook.Change) -> Line:
    return _drawn(dossier, change.owner, change.section, change.key, change.old, change.new, change.place)


def _drawn(
    dossier: Dossier, owner: Owner, section: str, key: str, old: str, new: str, place: str, theirs: str | None = None
) -> Line:
    definition = BY_NAME[section]
    assert definition.grid is not None
    grid = definition.grid(dossier.rules)
    cells = {grid.key(row.code, column): (row, column) for row in grid.rows for column in grid.columns}
    if key not in cells:
        raise NotFound
    row, column = cells[key]
    whose = localised(dossier.participant(owner).organisation, "name") if owner else ""
    return Line(
        name=_SEPARATOR.join((section, str(owner or ""), key)),
        table=": ".join(text for text in (whose, say(definition.title)) if text),
        label=f"{wording(row.title)}, {column}",
        old=shown(grid.kind_of(row), old),
        new=shown(grid.kind_of(row), new),
        value=new,
        base=mark_of(old),
        place=place,
        theirs=theirs,
    )


def _confirmed(dossier: Dossier) -> ResponseReturnValue:
    """Write what was previewed, field by field; where somebody was faster nothing is written and both are shown."""
    by_table: dict[tuple[Owner, str], dict[str, Change]] = {}
    for name, value in request.form.items():
        if name.startswith("cell:"):
            owner, section, key = _place(name.removeprefix("cell:"))
            base = request.form.get(f"base:{name.removeprefix('cell:')}", "")
            by_table.setdefault((owner, section), {})[key] = Change(value, base)
    clashes: list[Line] = []
    written = 0
    for (owner, section), changes in by_table.items():
        saved = service.save_fields(
            session(),
            g.actor,
            application_id=dossier.application.id,
            participant_id=owner,
            section=section,
            changes=changes,
        )
        written += len(saved.written)
        clashed = {clash.key: clash.theirs for clash in saved.clashes}
        if clashed:
            now = _typed(saved.dossier, owner, section)
            for key in clashed:
                line = _drawn(dossier, owner, section, key, now.get(key, ""), changes[key].value, "", clashed[key])
                clashes.append(line)
        if saved.problems:
            return _page(dossier, problems=saved.problems), 422
    if clashes:
        return _page(dossier, Reading(tables=len(by_table)), _unwritten(dossier, by_table, clashes)), 409
    flash(_("The tables are saved. Cells changed: %(count)s.", count=written), "success")
    return redirect(f"{section_url(dossier, 'overview', None)}/tables", 303)


def _unwritten(
    dossier: Dossier, by_table: dict[tuple[Owner, str], dict[str, Change]], clashes: list[Line]
) -> list[Line]:
    """Every line of the confirmation once more, those first where somebody was faster."""
    told = {line.name for line in clashes}
    again = [
        _drawn(dossier, owner, section, key, _typed(dossier, owner, section).get(key, ""), change.value, "")
        for (owner, section), changes in by_table.items()
        for key, change in changes.items()
    ]
    return [*clashes, *(line for line in again if line.name not in told)]


def _place(name: str) -> tuple[Owner, str, str]:
    """Raises :class:`NotFound` for what is no cell of a table."""
    section, _sign, rest = name.partition(_SEPARATOR)
    owner, _sign, key = rest.partition(_SEPARATOR)
    definition = BY_NAME.get(section)
    if definition is None or definition.grid is None or definition.each is not bool(owner):
        raise NotFound
    try:
        return (UUID(owner) if owner else None), section, key
    except ValueError:
        raise NotFound from None


def _page(
    dossier: Dossier,
    reading: Reading | None = None,
    lines: list[Line] | None = None,
    problems: Iterable[Problem] = (),
) -> str:
    writable = _writable(dossier)
    return render_template(
        "applications/tables.html",
        dossier=dossier,
        application=dossier.application,
        own=[(part, writable[part.id]) for part in own_parts(dossier)],
        whole=writable[None],
        may_write=any(writable.values()),
        reading=reading,
        lines=lines or [],
        problems=list(problems),
        action_form=ActionForm(formdata=None),
        tasks=Tasks(dossier).mine(),
    )
