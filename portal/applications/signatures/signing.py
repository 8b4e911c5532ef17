"""Signing: each participant signs the digest of exactly what binds it, after showing anew who is signing.

Whether a signature holds is always computed: it is live (no :class:`SignatureVoid`) and its digest is that of the
present scope. The void rows keep who changed what, and when; ``voiding`` writes them in the transaction that
changed it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, joinedload, object_session

from portal.applications.following import letters
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Application, Participant, Proof, Signature, SignatureVoid, VoidReason
from portal.applications.policy import Part
from portal.applications.service import require_editable
from portal.applications.signatures.scope import changed
from portal.applications.submissions.changes import Change
from portal.audit import service as audit
from portal.core.errors import NotFound, Problem, Problems, Stale
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize

FRESH: Final = timedelta(minutes=5)
"""How long a password or a code counts as "just now"."""
OLD_FORMAT: Final = "package"
"""The manifest of a confirmation from before signatures: the digest of the whole package."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How, and how long ago, the person showed to be the one who is signed in."""

    proof: Proof
    age: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A detached signature file over the manifest that has been verified, and what it proved."""

    content: bytes
    facts: dict[str, Any]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Confirmation:
    """Where a participant stands with its signature under the present package."""

    MISSING: Final = "missing"
    OUTDATED: Final = "outdated"
    GIVEN: Final = "given"


def signatures(dossier: Dossier) -> list[Signature]:
    """All signatures under the application, oldest first, with their ends and signers; read once."""
    if dossier.signatures is None:
        dossier.signatures = history(_session(dossier.application), dossier.application.id)
    return dossier.signatures


def history(session: Session, application_id: UUID) -> list[Signature]:
    """The same by key, anew."""
    statement = (
        select(Signature)
        .where(Signature.application_id == application_id)
        .options(
            joinedload(Signature.void),
            joinedload(Signature.signer, innerjoin=True),
            defer(Signature.scope),
        )
        .order_by(Signature.signed_at, Signature.id)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def latest(dossier: Dossier, part: Participant) -> Signature | None:
    """The participant's newest signature that was not replaced by its own later one or ended by leaving."""
    own = [row for row in signatures(dossier) if row.participant_id == part.id]
    if not own or (own[-1].void is not None and own[-1].void.reason == VoidReason.LEFT):
        return None
    return own[-1]


def confirmation(dossier: Dossier, part: Participant) -> str:
    """One of :class:`Confirmation`."""
    row = latest(dossier, part)
    if row is None:
        return Confirmation.MISSING
    return Confirmation.GIVEN if row.void is None and binds(dossier, part, row) else Confirmation.OUTDATED


def binds(dossier: Dossier, part: Participant, row: Signature) -> bool:
    """Whether the signature's digest is that of what the participant would sign now."""
    if row.manifest.get("format") == OLD_FORMAT:
        return row.digest == dossier.package.digest
    return row.digest == dossier.binding(part).digest


def since(dossier: Dossier, part: Participant, row: Signature) -> list[Change]:
    """The fields that changed since the signature; none for confirmations of old, which kept no content."""
    if row.void is not None and row.void.changes:
        return [Change(item["path"], item["before"], item["after"]) for item in row.void.changes]
    return changed(row.scope, dossier.binding(part).scope) if row.scope else []


def unconfirmed(dossier: Dossier) -> list[Problem]:
    """One problem for each participant whose signature is missing or outdated."""
    found = []
    for part in dossier.accepted:
        stands = confirmation(dossier, part)
        name = letters.name_of(part.organisation)
        if stands == Confirmation.MISSING:
            message = N_("%(organisation)s has not signed the application.", organisation=name)
            found.append(Problem("unconfirmed", f"confirmation.{part.id}", message))
        elif stands == Confirmation.OUTDATED:
            message = N_("What %(organisation)s has signed has changed since: it must sign again.", organisation=name)
            found.append(Problem("outdated", f"confirmation.{part.id}", message))
    return found


def sign(
    session: Session,
    actor: Actor,
    *,
    participant_id: UUID,
    expected_digest: str,
    shown: Shown,
    signed_file: SignedFile | None = None,
) -> Signature:
    """Sign what binds a participant.

    ``expected_digest`` is that of the manifest the person has read; :class:`Stale` when it has changed since.
    Raises :class:`Problems` (field ``password``) when the person showed too long ago who it is.
    """
    found = session.get(Participant, participant_id)
    if found is None:
        raise NotFound
    dossier = load(session, found.application_id, lock=True)
    return sign_within(
        session,
        actor,
        dossier,
        participant_id=participant_id,
        expected_digest=expected_digest,
        shown=shown,
        signed_file=signed_file,
    )


def sign_within(
    session: Session,
    actor: Actor,
    dossier: Dossier,
    *,
    participant_id: UUID,
    expected_digest: str,
    shown: Shown,
    signed_file: SignedFile | None = None,
) -> Signature:
    """:func:`sign` in a dossier that was loaded with ``lock`` in this transaction: several signatures, one reading."""
    part = next(row for row in dossier.application.participants if row.id == participant_id)
    authorize(actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    require_editable(dossier)
    require_fresh(shown)
    now_binding = dossier.binding(part)
    if now_binding.digest != expected_digest:
        raise Stale(N_("The application has changed while you were reading it. Read it again."), 0)
    live = latest(dossier, part)
    if live is not None and live.void is None:
        end(session, live, dossier, VoidReason.REPLACED, actor)
    assert actor.user_id is not None
    row = Signature(
        application_id=dossier.application.id,
        participant_id=part.id,
        organisation_id=part.organisation_id,
        digest=expected_digest,
        scope=now_binding.scope,
        manifest=now_binding.manifest,
        proof=shown.proof,
        signed_at=dossier.intake.now,
        signed_by=actor.user_id,
        file=signed_file.content if signed_file else None,
        file_sha256=signed_file.sha256 if signed_file else None,
        cms=signed_file.facts if signed_file else None,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "applications:participant:sign",
        "application",
        dossier.application.id,
        {
            "participant": part.id,
            "organisation": part.organisation_id,
            "signature": row.id,
            "digest": expected_digest,
            "proof": shown.proof,
            "file": signed_file.sha256 if signed_file else None,
        },
    )
    dossier.signatures = None
    return row


def require_fresh(shown: Shown) -> None:
    """Refuse a signature of somebody who may have left the desk. Raises :class:`Problems` on ``password``."""
    if shown.age > FRESH:
        raise Problems.one("not_fresh", "password", N_("Enter your password again: signing asks for it anew."))


def end(
    session: Session,
    row: Signature,
    dossier: Dossier,
    reason: VoidReason,
    author: audit.Author,
    changes: Collection[Change] = (),
) -> SignatureVoid:
    """Write the end of a live signature."""
    user = author.audit_id.removeprefix("user:")
    void = SignatureVoid(
        signature_id=row.id,
        reason=reason,
        voided_at=dossier.intake.now,
        voided_by=UUID(user) if author.audit_id != user else None,
        author=author.audit_name,
        changes=[item.to_json() for item in changes],
    )
    session.add(void)
    session.flush()
    dossier.signatures = None
    paths = [item.path for item in changes]
    audit.record(
        session,
        author,
        "applications:signature:void",
        "application",
        row.application_id,
        {"signature": row.id, "organisation": row.organisation_id, "reason": reason, "fields": paths},
    )
    return void


def of_submission(dossier: Dossier) -> list[dict[str, Any]]:
    """The live signatures as a submission keeps them: who, when, over which manifest, proved how."""
    found = []
    for part in dossier.accepted:
        row = latest(dossier, part)
        if row is None or row.void is not None:
            continue
        found.append(
            {
                "participant": str(part.id),
                "organisation": {
                    "inn": part.organisation.inn,
                    "name_ru": part.organisation.name_ru,
                    "name_en": part.organisation.name_en,
                },
                "signed_at": row.signed_at.isoformat(),
                "signer": row.signer.full_name or row.signer.email,
                "proof": row.proof,
                "digest": row.digest,
                "manifest": row.manifest,
                "file_sha256": row.file_sha256,
                "cms": row.cms,
            }
        )
    return found


def _session(application: Application) -> Session:
    found = object_session(application)
    assert found is not None
    return found
