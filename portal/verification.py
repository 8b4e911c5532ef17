"""Everything that can be checked of what is written: trail, published heads, seals of rows, ledger, results bundles."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.agreements import treasury
from portal.audit import heads, row_seals
from portal.audit import service as audit
from portal.audit.models import AuditEvent
from portal.awards.proof.models import ResultsBundle
from portal.budget import queries as budget
from portal.documents import service as documents

Checked = tuple[int, str | None]
"""How many were looked at, and the first fault with its place."""


def verify(session: Session) -> Iterator[tuple[str, int, str | None]]:
    """What was checked, how many there were, and the first fault; the next check is made when it is asked for."""
    for what, check in CHECKS:
        yield what, *check(session)


def _trail(session: Session) -> Checked:
    count, fault = audit.verify(session)
    return count, None if fault is None else f"audit trail: row {fault.seq}: {fault.what}"


def _heads(session: Session) -> Checked:
    count, fault = heads.verify(session)
    return count, None if fault is None else f"audit trail: {fault}"


def _rows(session: Session) -> Checked:
    count, fault = row_seals.verify(session)
    return count, None if fault is None else f"rows: {fault}"


def _ledger(session: Session) -> Checked:
    count, fault = budget.verify(session)
    return count, None if fault is None else f"ledger: {fault}"


def _treasury(session: Session) -> Checked:
    count, fault = treasury.verify(session)
    return count, None if fault is None else f"payments of the treasury: {fault}"


def _bundles(session: Session) -> Checked:
    """Each archive is the file that was made, ends in the trail where it says, and names the version before it."""
    statement = select(ResultsBundle).options(joinedload(ResultsBundle.file, innerjoin=True)).order_by(ResultsBundle.id)
    count = 0
    former: dict[UUID, str] = {}
    for row in session.scalars(statement):
        count += 1
        try:
            content = documents.content(row.file)
        except FileNotFoundError:
            return count, f"results bundle {row.file.name}: its file is missing"
        if hashlib.sha256(content).hexdigest() != row.file.sha256:
            return count, f"results bundle {row.file.name}: its file is not the one that was made"
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            head = json.loads(archive.read("audit.json"))["head"]
            told = json.loads(archive.read("tender.json")).get("former")
        if told is not None and told != former.get(row.tender_id):
            return count, f"results bundle {row.file.name}: the version before it is not the one that it names"
        former[row.tender_id] = row.file.sha256
        if session.scalar(select(AuditEvent.hash).where(AuditEvent.seq == head["seq"])) != head["hash"]:
            return count, f"results bundle {row.file.name}: row {head['seq']} of the trail is not the one it ends in"
    return count, None


CHECKS: Final[tuple[tuple[str, Callable[[Session], Checked]], ...]] = (
    ("audit trail: %s rows hold", _trail),
    ("published heads: %s are in the trail", _heads),
    ("rows: %s are as they were sealed", _rows),
    ("ledger: %s postings hold", _ledger),
    ("payments of the treasury: %s hold", _treasury),
    ("results bundles: %s are as they were made", _bundles),
)
