"""Sealing a submission in its own transaction, and giving it back to those who sealed it (decision 20).

What was typed, signed and attached leaves its rows for one encrypted vault. The rows stay, empty, so that everything
finds its place again.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, undefer

from portal.applications.following.dossier import Dossier
from portal.applications.models import (
    Application,
    Attachment,
    Export,
    Presence,
    Section,
    Signature,
    SignatureVoid,
    State,
    Submission,
    VoidReason,
)
from portal.applications.sealing.models import Seal, SealEnd
from portal.applications.signatures import signing
from portal.core import sealing
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import Conflict, Problem, Problems
from portal.core.language import N_
from portal.documents import objects, uploads
from portal.documents.models import StoredFile, Upload
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders import seal_queries
from portal.tenders.seal_keys import FIELD, passphrase_problems

SHORTEST: Final = 12
WRONG: Final = N_("This is not the password with which the application was sealed.")
SEALED: Final = N_("The application is sealed until the opening. It can be read with its password, or withdrawn.")
_NOBODY: Final = "0" * 64


class Damaged(Exception):
    """What comes out of the vault is not what was signed."""


def password_problems(dossier: Dossier, password: str, again: str) -> list[Problem]:
    """What is wrong with the password that the applicants choose for their sealed application."""
    return passphrase_problems(password, again, SHORTEST) if dossier.application.sealed else []


def collect(session: Session, dossier: Dossier, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is to be sealed, as plain JSON; what an earlier seal has taken for good is not there any more."""
    application = dossier.application
    signatures = session.scalars(
        select(Signature)
        .where(Signature.application_id == application.id)
        .options(undefer(Signature.file))
        .execution_options(populate_existing=True)
        .order_by(Signature.id)
    ).all()
    voids = session.scalars(
        select(SignatureVoid).where(SignatureVoid.signature_id.in_([row.id for row in signatures]))
    ).all()
    files = session.scalars(
        select(StoredFile)
        .where(StoredFile.id.in_([item.file_id for item in dossier.attachments]))
        .options(undefer(StoredFile.content_key))
        .execution_options(populate_existing=True)
        .order_by(StoredFile.id)
    ).all()
    total = application.requested_total
    return {
        "snapshot": dict(snapshot),
        "application": {
            "title_ru": application.title_ru,
            "title_en": application.title_en,
            "requested_total": None if total is None else str(total),
        },
        "sections": [{"id": str(row.id), "data": row.data, "stamps": row.stamps} for row in dossier.sections.values()],
        "signatures": [
            {
                "id": str(row.id),
                "scope": row.scope,
                "manifest": row.manifest,
                "file": _text(row.file),
                "file_sha256": row.file_sha256,
                "cms": row.cms,
            }
            for row in signatures
            if row.manifest
        ],
        "voids": [{"id": str(row.id), "changes": row.changes} for row in voids],
        "files": [
            {
                "id": str(row.id),
                "name": row.name,
                "content_type": row.content_type,
                "size": row.size,
                "sha256": row.sha256,
                "key": _text(row.content_key),
            }
            for row in files
            if row.content_key is not None
        ],
    }


def seal(session: Session, dossier: Dossier, submission: Submission, secret: dict[str, Any], password: str) -> Seal:
    """Put the secret into the vault and empty its rows. The application is in the state ``sealed`` already.

    Raises :class:`Conflict` where the tender has no two keys.
    """
    application = dossier.application
    keys = seal_queries.public_keys(session, application.tender_id)
    if len(keys) < seal_queries.NEEDED:
        raise Conflict(N_("The keepers of this sealed tender have no keys yet. Please tell the fund."))
    context = context_of(submission, application)
    key = sealing.new_key()
    own = sealing.lock(password, key, {**context, "for": "applicants"})
    vault = sealing.encrypt(key, sealing.pack(secret), context)
    row = Seal(
        submission_id=submission.id,
        application_id=application.id,
        tender_id=application.tender_id,
        track=application.track,
        number=submission.number,
        sealed_at=submission.received_at,
        wraps={pair: _text(wrapped) for pair, wrapped in sealing.wrap(key, keys, context).items()},
        own_salt=own.salt,
        own_key=own.content,
        vault=vault,
        vault_sha256=hashlib.sha256(vault).hexdigest(),
        size=len(vault),
    )
    session.add(row)
    session.flush()
    _empty(session, application, [item["id"] for item in secret["files"]])
    return row


def _empty(session: Session, application: Application, files: list[str]) -> None:
    mine = select(Signature.id).where(Signature.application_id == application.id)
    statements = (
        update(Section).where(Section.application_id == application.id).values(data={}, stamps={}),
        update(SignatureVoid).where(SignatureVoid.signature_id.in_(mine)).values(changes=[]),
        update(Signature)
        .where(Signature.application_id == application.id)
        .values(scope={}, manifest={}, file=None, file_sha256=None, cms=None),
        update(StoredFile)
        .where(StoredFile.id.in_(files))
        .values(name="sealed", content_type="application/octet-stream", size=0, sha256=_NOBODY, content_key=None),
        delete(Presence).where(Presence.application_id == application.id),
    )
    for statement in statements:
        session.execute(statement, execution_options={"synchronize_session": False})
    # Locked first, so that a part that is just arriving is seen, and its object goes too.
    begun = select(Upload.id).where(Upload.object_id == application.id).with_for_update()
    uploads.discard(session, session.scalars(begun).all())
    made = session.scalars(
        delete(Export).where(Export.application_id == application.id).returning(Export.made_key)
    ).all()
    objects.delete_later(session, [key for key in made if key])
    _forget(session)


def context_of(submission: Submission, application: Application) -> dict[str, str]:
    """What the keys and the content of a sealed submission are bound to."""
    return {
        "tender": str(application.tender_id),
        "application": str(application.id),
        "submission": str(submission.id),
        "number": submission.number,
        "sha256": submission.sha256,
    }


def present(session: Session, application: Application) -> Seal:
    """The seal of the present submission, its row locked. Raises :class:`Conflict` where nothing is sealed."""
    row = session.scalar(
        select(Seal)
        .where(Seal.submission_id == application.submission_id, Seal.ended.is_(None))
        .options(undefer(Seal.vault))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None or application.state != State.SEALED:
        raise Conflict(N_("This application is not sealed."))
    return row


def own_secret(session: Session, application: Application, password: str) -> dict[str, Any]:
    """What the applicants sealed, by their password. Raises :class:`Problems` for another one."""
    row = present(session, application)
    context = context_of(session.get_one(Submission, row.submission_id), application)
    assert row.own_key is not None
    assert row.vault is not None
    try:
        key = sealing.unlock(password, sealing.Locked(row.own_salt, row.own_key), {**context, "for": "applicants"})
    except sealing.CannotOpen:
        raise Problems.one("wrong", FIELD, WRONG) from None
    try:
        return sealing.unpack(sealing.decrypt(key, row.vault, context))
    except sealing.CannotOpen:
        raise Conflict(
            N_("The sealed content is damaged. Withdraw the application and submit it anew, and tell the fund.")
        ) from None


def read_own(session: Session, actor: Actor, dossier: Dossier, password: str) -> Mapping[str, Any]:
    """The frozen package of a sealed application, for those who take part and know its password."""
    authorize(actor, Permission.APPLICATION_VIEW, dossier.application)
    snapshot: Mapping[str, Any] = own_secret(session, dossier.application, password)["snapshot"]
    return snapshot


def take_back(
    session: Session, actor: Actor, dossier: Dossier, password: str, *, forget: bool
) -> Mapping[str, Any] | None:
    """Make a sealed application a draft again: as it was by its password, or, to ``forget`` it, an empty one.

    The keys of the keepers go in either case. The caller authorises, changes the state, and names the application
    again (:func:`name_again`) by what is returned.
    """
    application = dossier.application
    row = present(session, application)
    secret = None
    if forget:
        _start_anew(session, actor, dossier)
    else:
        secret = own_secret(session, application, password)
        try:
            put_back(session, application, secret)
        except Damaged:
            raise Conflict(N_("The sealed content is damaged. Please tell the fund.")) from None
    end(session, row, SealEnd.WITHDRAWN)
    return secret


def put_back(session: Session, application: Application, secret: Mapping[str, Any]) -> None:
    """Write what came out of the vault into its rows. The state is changed afterwards: triggers hold it.

    Raises :class:`Damaged` when a signature's manifest has another digest than the one that was signed.
    """
    signed = dict(
        session.execute(select(Signature.id, Signature.digest).where(Signature.application_id == application.id)).all()
    )
    digests = {str(key): value for key, value in signed.items()}
    for item in secret["signatures"]:
        if digest(item["manifest"]) != digests.get(item["id"]):
            raise Damaged
        content = {name: item[name] for name in ("scope", "manifest", "file_sha256", "cms")}
        _write(session, Signature, item["id"], **content, file=_bytes(item["file"]))
    for item in secret["voids"]:
        _write(session, SignatureVoid, item["id"], changes=item["changes"])
    for item in secret["sections"]:
        _write(session, Section, item["id"], data=item["data"], stamps=item["stamps"])
    for item in secret["files"]:
        facts = {name: item[name] for name in ("name", "content_type", "size", "sha256")}
        _write(session, StoredFile, item["id"], **facts, content_key=_bytes(item["key"]))
    _forget(session)


def name_again(application: Application, secret: Mapping[str, Any]) -> None:
    """The columns of the application itself, together with its next state."""
    written = secret["application"]
    total = written["requested_total"]
    application.title_ru, application.title_en = written["title_ru"], written["title_en"]
    application.requested_total = None if total is None else Decimal(total)


def end(session: Session, row: Seal, ended: SealEnd) -> None:
    """The seal has done its work: keys and vault go."""
    ended_at = now(session)
    row.wraps, row.own_key, row.vault = {}, None, None
    row.fault = row.fault_at = None
    row.ended, row.ended_at = ended, ended_at


def _start_anew(session: Session, actor: Actor, dossier: Dossier) -> None:
    """Without the password what was typed is lost: signatures end, files go."""
    for signature in signing.history(session, dossier.application.id):
        if signature.void is None:
            signing.end(session, signature, dossier, VoidReason.CHANGED, actor)
    files = [item.file for item in dossier.attachments]
    objects.delete_later(session, [file.key for file in files])
    session.execute(
        update(Attachment)
        .where(Attachment.application_id == dossier.application.id, Attachment.removed_at.is_(None))
        .values(removed_at=dossier.intake.now, removed_by=actor.user_id)
    )


def _write(session: Session, model: Any, key: str, **values: Any) -> None:
    statement = update(model).where(model.id == key).values(**values)
    session.execute(statement, execution_options={"synchronize_session": False})


def _forget(session: Session) -> None:
    """What the session remembers of the rows that were emptied or filled past it."""
    for row in list(session.identity_map.values()):
        if isinstance(row, (Section, Signature, SignatureVoid, StoredFile)):
            session.expire(row)


def _text(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
