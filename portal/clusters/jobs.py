"""Background work of this room: the import of a table, checked in steps and written in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.clusters import columns
from portal.clusters.columns import Fault, Sheet
from portal.clusters.fields import Values
from portal.clusters.functional_map import (
    NOT_A_MEMBER,
    TWO_MEMBERS,
    Parties,
    apply_figures,
    apply_supplies,
)
from portal.clusters.models import Cluster, ImportKind, ImportState, RegisterImport
from portal.clusters.register import apply_clusters, apply_members
from portal.clusters.service import NOT_REGISTERED, spec_organisations
from portal.core.clock import now
from portal.core.errors import Problems
from portal.core.jobs import Claim, Progress, handler
from portal.core.language import N_
from portal.documents import scanning, tables
from portal.documents import service as documents
from portal.documents.models import Scan, StoredFile
from portal.identity.policy import system_actor

STEP: Final = 500
_ACTOR: Final = system_actor("register_import")
_ENDED: Final = Progress(1, 1)
_NO_CLUSTER: Final = N_("There is no cluster with this code. Import the clusters first.")


@handler("register_import")
def register_import(session: Session, payload: dict[str, Any], claim: Claim) -> Progress:
    """One step: open the table, check :data:`STEP` rows, or write all of them.

    Where a scanner is set up, the file is scanned before anything is read from it. A bad row stops the import when
    every row has been checked, so that the report names all of them.
    """
    row = session.get(RegisterImport, UUID(payload["import_id"]), with_for_update=True)
    if row is None or row.state in (ImportState.DONE, ImportState.FAILED):
        return _ENDED
    file = session.get_one(StoredFile, row.file_id)
    if row.state == ImportState.WAITING and scanning.scan(session, file.id) == Scan.REFUSED:
        return _fail(session, row, [columns.fault(0, "", scanning.REFUSED)])
    try:
        sheet = _sheet(ImportKind(row.kind), file)
    except Problems as problems:
        return _fail(session, row, [columns.fault(0, "", p.message) for p in problems.problems])
    match ImportState(row.state):
        case ImportState.WAITING:
            return _open(session, row, sheet)
        case ImportState.CHECKING:
            return _check(session, row, sheet)
        case _:
            return _apply(session, row, sheet)


_opened: dict[tuple[str, str], Sheet] = {}


def _sheet(kind: ImportKind, file: StoredFile) -> Sheet:
    """The table of a file, kept from step to step: a stored file never changes."""
    place = (kind.value, file.key)
    if place not in _opened:
        _opened.clear()
        _opened[place] = columns.read(kind, tables.rows(documents.content(file), file.name))
    return _opened[place]


def _open(session: Session, row: RegisterImport, sheet: Sheet) -> Progress:
    row.report = {"rows": len(sheet.rows), "faults": []}
    if sheet.faults:
        return _fail(session, row, sheet.faults)
    row.state = ImportState.CHECKING
    # The last unit is the writing: one transaction, which is there as a whole or not at all.
    row.progress_done, row.progress_total = 0, len(sheet.rows) + 1
    return Progress(row.progress_done, row.progress_total)


def _check(session: Session, row: RegisterImport, sheet: Sheet) -> Progress:
    start = row.progress_done
    checked = [(line, *columns.check_row(sheet, line, texts)) for line, texts in sheet.rows[start : start + STEP]]
    found = [fault for _, _, faults in checked for fault in faults]
    found += _unknown(session, row, sheet.kind, [(line, values) for line, values, _ in checked])
    row.report = {**row.report, "faults": [*row.report["faults"], *sorted(found, key=_line)]}
    row.progress_done = start + len(checked)
    if row.progress_done == len(sheet.rows):
        if row.report["faults"]:
            return _fail(session, row, row.report["faults"])
        row.state = ImportState.APPLYING
    return Progress(row.progress_done, row.progress_total)


def _unknown(
    session: Session, row: RegisterImport, kind: ImportKind, rows: Sequence[tuple[int, Values]]
) -> list[Fault]:
    """What only the database can tell: clusters, members and specialised organisations that do not exist."""
    if row.cluster_id is not None:
        return _strangers(Parties(session, row.cluster_id), kind, rows)
    if kind == ImportKind.MEMBERS:
        codes = {values["cluster"] for _, values in rows if "cluster" in values}
        known = set(session.scalars(select(Cluster.code).where(Cluster.code.in_(codes))))
        return [
            columns.fault(line, "cluster", _NO_CLUSTER, values["cluster"])
            for line, values in rows
            if "cluster" in values and values["cluster"] not in known
        ]
    pairs = {(v["spec_inn"], v.get("spec_kpp")) for _, v in rows if v.get("spec_inn")}
    found = spec_organisations(session, pairs) if pairs else {}
    return [
        columns.fault(line, "spec_inn", NOT_REGISTERED, values["spec_inn"])
        for line, values in rows
        if values.get("spec_inn") and (values["spec_inn"], values.get("spec_kpp")) not in found
    ]


def _strangers(parties: Parties, kind: ImportKind, rows: Sequence[tuple[int, Values]]) -> list[Fault]:
    names = ("supplier_", "buyer_") if kind == ImportKind.SUPPLIES else ("",)
    found = []
    for line, values in rows:
        for name in names:
            inn, kpp = values.get(f"{name}inn"), values.get(f"{name}kpp")
            if inn is not None and parties.find(inn, kpp) is None:
                message = TWO_MEMBERS if parties.ambiguous(inn, kpp) else NOT_A_MEMBER
                found.append(columns.fault(line, f"{name}inn", message, inn))
    return found


_WRITERS: Final = {
    ImportKind.CLUSTERS: apply_clusters,
    ImportKind.MEMBERS: apply_members,
    ImportKind.SUPPLIES: apply_supplies,
    ImportKind.FIGURES: apply_figures,
}


def _apply(session: Session, row: RegisterImport, sheet: Sheet) -> Progress:
    rows = [(line, columns.READERS[sheet.kind](texts)[0]) for line, texts in sheet.rows]
    # What others changed since the check is looked at again: here nothing can change any more unseen.
    faults = _unknown(session, row, sheet.kind, rows)
    if faults:
        return _fail(session, row, faults)
    outcome = _WRITERS[sheet.kind](session, _ACTOR, row, rows)
    row.report = {
        **row.report,
        "created": outcome.created,
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
    }
    row.state = ImportState.DONE
    row.progress_done = row.progress_total
    row.ended_at = now(session)
    return Progress(row.progress_done, row.progress_total)


def _fail(session: Session, row: RegisterImport, faults: Sequence[Mapping[str, Any]]) -> Progress:
    row.report = {"rows": 0, **row.report, "faults": list(faults)}
    row.state = ImportState.FAILED
    row.ended_at = now(session)
    return _ENDED


def _line(fault: Fault) -> int:
    return int(fault["line"])
