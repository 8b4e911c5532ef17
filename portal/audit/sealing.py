"""How a row of the trail is sealed: so that some of it can be shown and the rest stays closed.

``hash = SHA-256(previous + inner)``, both in hexadecimal, where ``inner`` is the SHA-256 of the canonical JSON of the
row, in which who acted and what changed stand as commitments: SHA-256 of the canonical JSON of ``[salt of the part,
value]``, the salt of a part being the SHA-256 of ``salt:part``. Whoever has the salt of one part and its value can
check that part; nothing follows from it about the other. Links between rows can be shown by their ``inner`` alone.
Rows without a salt are of the first format (until November 2026): ``hash = SHA-256(previous + canonical JSON of all)``.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC
from typing import Any

from portal.audit.models import AuditEvent
from portal.core.canonical import canonical_json, plain_digest


def new_salt() -> str:
    """128 random bits, in hexadecimal."""
    return secrets.token_hex(16)


def seal(row: AuditEvent, previous: str) -> str:
    """The hash of a row, from the hash of the row before and its own content."""
    if row.salt is None:
        return hashlib.sha256(previous.encode() + canonical_json(_first_format(row))).hexdigest()
    return hashlib.sha256((previous + inner(row)).encode()).hexdigest()


def inner(row: AuditEvent) -> str:
    """The SHA-256 of what a row says; only of rows with a salt."""
    return plain_digest(sealed(row))


def sealed(row: AuditEvent) -> dict[str, Any]:
    """What ``inner`` covers, with the commitments."""
    content = {
        **_plain(row),
        "actor": _commitment(row, "actor", [row.actor, row.actor_name]),
        "changes": _commitment(row, "changes", row.changes),
    }
    return content if row.rows is None and row.batch is None else {**content, "rows": [str(row.batch), row.rows]}


def shown(row: AuditEvent) -> dict[str, Any]:
    """The row with its changes open and the person who acted closed: what can be published of it."""
    return {**sealed(row), "changes": row.changes, "salt": _part_salt(row, "changes")}


def _commitment(row: AuditEvent, part: str, value: object) -> str:
    return plain_digest([_part_salt(row, part), value])


def _part_salt(row: AuditEvent, part: str) -> str:
    return hashlib.sha256(f"{row.salt}:{part}".encode()).hexdigest()


def _plain(row: AuditEvent) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "at": row.at.astimezone(UTC).isoformat(),
        "tag": row.tag,
        "object_type": row.object_type,
        "object_id": row.object_id,
    }


def _first_format(row: AuditEvent) -> dict[str, Any]:
    return {**_plain(row), "actor": row.actor, "actor_name": row.actor_name, "changes": row.changes}
