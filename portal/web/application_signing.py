"""Signing: who has signed what, the page to read and sign, and the manifest to verify it at home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.drafts.sections import BY_NAME
from portal.applications.following import letters
from portal.applications.following.dossier import Dossier
from portal.applications.models import Participant, Signature
from portal.applications.partners import fit
from portal.applications.policy import Part
from portal.applications.rules import EDITABLE
from portal.applications.signatures import signing
from portal.applications.signatures.scope import Binding, manifest_bytes
from portal.applications.signatures.signing import Confirmation, SignedFile
from portal.applications.signatures.voiding import names_of
from portal.applications.submissions.changes import Change, label
from portal.applications.submissions.submission import standing
from portal.core.canonical import canonical_json
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems, Stale
from portal.documents.signatures import cms
from portal.identity.policy import Permission, allowed, authorize
from portal.web import fresh
from portal.web.application_frame import Tasks, blueprint, hidden, hrefs, opened, section_url
from portal.web.forms import ActionForm
from portal.web.frozen import Frozen, laid_out
from portal.web.frozen import Part as PartRead
from portal.web.language import say
from portal.web.page import page


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one participant stands: its newest signature, and what has changed since."""

    part: Participant
    state: str
    signature: Signature | None
    changes: list[str]
    author: str
    may_sign: bool


@page(blueprint, "/<uuid:application_id>/confirm", get=Permission.APPLICATION_VIEW)
def confirm(application_id: UUID) -> ResponseReturnValue:
    """Who has signed what binds it, what voided a signature, and the history."""
    dossier = opened(application_id)
    stands = standing(dossier)
    return render_template(
        "applications/confirm.html",
        dossier=dossier,
        application=dossier.application,
        standing=stands,
        sides=[_standing(dossier, part) for part in dossier.accepted],
        history=list(reversed(signing.signatures(dossier))),
        organisations={part.organisation_id: part.organisation for part in dossier.application.participants},
        editing=dossier.application.state in EDITABLE,
        letter=dossier.package.content.get("letter_of_fit"),
        letters=fit.letters_of(session(), application_id),
        may_ask=dossier.application.state in EDITABLE
        and dossier.application.cluster.spec_org_id is not None
        and allowed(g.actor, Permission.APPLICATION_INVITE, dossier.application),
        action_form=ActionForm(formdata=None),
        tasks=Tasks(dossier, stands).mine(),
    )


@page(blueprint, "/<uuid:application_id>/letter", post=Permission.APPLICATION_INVITE)
def ask_letter(application_id: UUID) -> ResponseReturnValue:
    """Ask the specialised organisation for its letter of fit."""
    dossier = opened(application_id)
    fit.ask(session(), g.actor, application_id=application_id)
    flash(_("The specialised organisation has been asked for the letter."), "success")
    return redirect(section_url(dossier, "confirmation", None), 303)


def _standing(dossier: Dossier, part: Participant) -> Standing:
    row = signing.latest(dossier, part)
    state = signing.confirmation(dossier, part)
    changes = signing.since(dossier, part, row) if row is not None and state == Confirmation.OUTDATED else []
    return Standing(
        part,
        state,
        row,
        worded(dossier, changes),
        row.void.author if row is not None and row.void is not None else "",
        may_sign(dossier, part),
    )


def may_sign(dossier: Dossier, part: Participant) -> bool:
    """Whether the reader may sign for the participant now."""
    return dossier.application.state in EDITABLE and allowed(
        g.actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part)
    )


def worded(dossier: Dossier, changes: list[Change]) -> list[str]:
    """The changed fields in the reader's language, each once."""
    names = names_of(dossier)
    return list(dict.fromkeys(say(label(item.path, dossier.rules, names)) for item in changes))


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/sign",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_CONFIRM,
)
def sign(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Read what binds the organisation, and sign it."""
    dossier = opened(application_id)
    part = dossier.participant(participant_id)
    authorize(g.actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    if request.method == "GET":
        return _sign(dossier, part)
    try:
        signing.sign(
            session(),
            g.actor,
            participant_id=part.id,
            expected_digest=request.form.get("digest", ""),
            shown=fresh.show(),
            signed_file=_signed_file(dossier.binding(part), dossier.intake.now),
        )
    except Stale as stale:
        return _sign(opened(application_id), part, (Problem("stale", "", stale.reason),)), 409
    except Problems as refused:
        return _sign(opened(application_id), part, refused.problems), 422
    flash(_("Your organisation has signed this version."), "success")
    return redirect(section_url(dossier, "confirmation", None), 303)


def _signed_file(binding: Binding, now: datetime) -> SignedFile | None:
    """The signature file that was chosen, checked. Raises :class:`Problems` on ``signature_file``."""
    chosen = request.files.get("signature_file")
    if chosen is None or not chosen.filename:
        return None
    content = chosen.stream.read(cms.MAX_SIZE + 1)
    try:
        proven = cms.check(manifest_bytes(binding.manifest), content, now, cms.configured_roots())
    except cms.BadSignature as bad:
        raise Problems.one(bad.code, "signature_file", bad.message) from None
    return SignedFile(content, proven.to_json())


def _sign(dossier: Dossier, part: Participant, problems: tuple[Problem, ...] = ()) -> str:
    stands = standing(dossier)
    binding = dossier.binding(part)
    read = laid_out(dossier.package.content, dossier.rules, dossier.package.digest)
    place = [row.id for row in dossier.accepted].index(part.id)
    return render_template(
        "applications/sign.html",
        dossier=dossier,
        application=dossier.application,
        part=part,
        side=_standing(dossier, part),
        own=read.parts[place],
        read=read,
        partners=_partners(dossier, read, place),
        binding=binding,
        address=_addresses(dossier),
        standing=stands,
        problems=problems,
        hrefs={**hrefs(dossier, stands.problems), "password": "#password", "signature_file": "#signature_file"},
        asked=None if fresh.fresh() else fresh.kind(),
        action_form=ActionForm(formdata=None),
    )


def _partners(dossier: Dossier, read: Frozen, own: int) -> list[PartRead]:
    """The other participants; of those that keep their figures to themselves only what all share."""
    secret = hidden(dossier)
    found = []
    for place, (part, item) in enumerate(zip(dossier.accepted, read.parts, strict=True)):
        if place == own:
            continue
        if part.id in secret:
            shared = [block for block in item.blocks if block.title == say(BY_NAME["subsidy"].title)]
            item = replace(item, blocks=shared, documents=[])
        found.append(item)
    return found


def _addresses(dossier: Dossier) -> Callable[[str], str]:
    """The address of an attached document by its file's key."""
    by_file = {str(item.file_id): item.id for item in dossier.attachments}

    def address(file_id: str) -> str:
        return url_for("applications.download", application_id=dossier.application.id, attachment_id=by_file[file_id])

    return address


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/manifest.json",
    get=Permission.APPLICATION_VIEW,
)
def manifest(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """The exact bytes that the participant's signature is over now."""
    binding = _binding(application_id, participant_id)
    return file_response(manifest_bytes(binding.manifest), f"manifest-{str(participant_id)[-8:]}.json")


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/signed-content.json",
    get=Permission.APPLICATION_VIEW,
)
def signed_content(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """The parts whose SHA-256 the manifest lists, by name."""
    binding = _binding(application_id, participant_id)
    return file_response(canonical_json(binding.scope), f"content-{str(participant_id)[-8:]}.json")


@page(
    blueprint,
    "/<uuid:application_id>/signatures/<uuid:signature_id>/manifest.json",
    get=Permission.APPLICATION_VIEW,
)
def signed_manifest(application_id: UUID, signature_id: UUID) -> ResponseReturnValue:
    """The manifest of a signature that was given."""
    row = _given(application_id, signature_id)
    return file_response(manifest_bytes(row.manifest), f"manifest-{str(row.id)[-8:]}.json")


@page(
    blueprint,
    "/<uuid:application_id>/signatures/<uuid:signature_id>/signature.p7s",
    get=Permission.APPLICATION_VIEW,
)
def signature_file(application_id: UUID, signature_id: UUID) -> ResponseReturnValue:
    """The signature file as it was given."""
    row = _given(application_id, signature_id)
    if row.file is None:
        raise NotFound
    return file_response(row.file, f"signature-{str(row.id)[-8:]}.p7s", "application/pkcs7-signature")


def _given(application_id: UUID, signature_id: UUID) -> Signature:
    dossier = opened(application_id)
    found = next((row for row in signing.signatures(dossier) if row.id == signature_id), None)
    if found is None:
        raise NotFound
    return found


def _binding(application_id: UUID, participant_id: UUID) -> Binding:
    """For those who act for the participant: its scope tells its figures."""
    dossier = opened(application_id)
    part = dossier.participant(participant_id)
    if not g.actor.acts_for(part.organisation_id):
        raise NotFound
    return dossier.binding(part)


def file_response(content: bytes, name: str, kind: str = "application/json") -> Response:
    """A small file of ours as a download that no browser shows."""
    response = Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def signed_rows(snapshot: dict[str, Any], zone: str, language: str) -> list[dict[str, str]]:
    """The signatures of a frozen version, for receipts: who signed for whom, when, over which digest."""
    other = "en" if language == "ru" else "ru"
    return [
        {
            "name": str(item["organisation"][f"name_{language}"] or item["organisation"][f"name_{other}"] or ""),
            "signer": item["signer"],
            "signed_at": letters.instant(datetime.fromisoformat(item["signed_at"]), zone)[language],
            "digest": item["digest"],
        }
        for item in snapshot.get("signatures") or ()
    ]
