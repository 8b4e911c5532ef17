"""The specialised organisation's letter of fit: asked for by the initiator, signed or refused in the portal.

It says that the project fits the functional map and the development programme of the cluster (EL-04, DOC-09), and is
bound to the project's name, product and participants. An uploaded letter stays the other way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from portal.applications.drafts.values import tidy
from portal.applications.following import letters
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Application, FitLetter, LetterState, Signature
from portal.applications.service import require_editable
from portal.applications.signatures.scope import Binding, letter_scope, manifest
from portal.applications.signatures.signing import Shown, require_fresh
from portal.audit import service as audit
from portal.core.errors import Conflict, NotFound, Problems, Stale
from portal.core.language import N_, Message
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize

MAX_TEXT: Final = 1000
_PAGE: Final = "/spec-org/letters/%s"


def ask(session: Session, actor: Actor, *, application_id: UUID) -> FitLetter:
    """Ask the cluster's specialised organisation for its letter; its people get a notice.

    Raises :class:`Conflict` when one is asked for already, or the cluster has no specialised organisation.
    """
    dossier = load(session, application_id, lock=True)
    application = dossier.application
    authorize(actor, Permission.APPLICATION_INVITE, application)
    require_editable(dossier)
    if application.cluster.spec_org_id is None:
        raise Conflict(
            N_("The register names no specialised organisation of the cluster: attach the letter as a file.")
        )
    if any(row.state == LetterState.ASKED for row in letters_of(session, application_id)):
        raise Conflict(N_("The letter has been asked for already; the answer will come as a notice."))
    assert actor.user_id is not None
    row = FitLetter(
        application_id=application_id,
        organisation_id=application.cluster.spec_org_id,
        state=LetterState.ASKED,
        asked_at=dossier.intake.now,
        asked_by=actor.user_id,
    )
    session.add(row)
    session.flush()
    _record(session, actor, "ask", row)
    _tell(
        session,
        dossier,
        row,
        to=row.organisation_id,
        kind=letters.FIT_ASKED,
        subject=N_("A letter of fit is asked for: %(title)s", title=letters.title_of(application)),
        paragraph=N_(
            "%(initiator)s asks your organisation to confirm that its joint project fits the functional map and the"
            " development programme of the cluster %(cluster)s. Read what it is about, and sign the letter or refuse.",
            initiator=letters.name_of(application.initiator),
            cluster=letters.name_of(application.cluster),
        ),
        link=(N_("Read and answer"), _PAGE % row.id),
    )
    return row


def binding(dossier: Dossier, organisation: Organisation, roadmap_action: str) -> Binding:
    """What the specialised organisation would sign now."""
    statement = {
        "fits_functional_map": True,
        "fits_development_programme": True,
        "roadmap_action": tidy(roadmap_action).strip(),
        "organisation": {"inn": organisation.inn, "name_ru": organisation.name_ru, "name_en": organisation.name_en},
    }
    scope = {**letter_scope(dossier.package.content), "statement": statement}
    signs = {"inn": organisation.inn, "name_ru": organisation.name_ru}
    return Binding(scope, manifest(scope, dossier.application.id, signs))


def sign(
    session: Session, actor: Actor, *, letter_id: UUID, expected_digest: str, roadmap_action: str, shown: Shown
) -> Signature:
    """Sign the letter. ``expected_digest`` is that of the letter's scope without the action cited.

    Raises :class:`Stale` when the project has changed since it was read, :class:`Problems` on ``roadmap_action`` and
    ``password``, :class:`Conflict` when the request has been answered.
    """
    dossier, row = _asked(session, actor, letter_id)
    require_fresh(shown)
    _short(roadmap_action, "roadmap_action")
    if binding(dossier, row.organisation, "").digest != expected_digest:
        raise Stale(N_("The application has changed while you were reading it. Read it again."), 0)
    now_binding = binding(dossier, row.organisation, roadmap_action)
    assert actor.user_id is not None
    signature = Signature(
        application_id=row.application_id,
        participant_id=None,
        organisation_id=row.organisation_id,
        digest=now_binding.digest,
        scope=now_binding.scope,
        manifest=now_binding.manifest,
        proof=shown.proof,
        signed_at=dossier.intake.now,
        signed_by=actor.user_id,
    )
    session.add(signature)
    session.flush()
    row.signature_id = signature.id
    _answer(session, actor, dossier, row, LetterState.SIGNED)
    return signature


def refuse(session: Session, actor: Actor, *, letter_id: UUID, reason: str) -> FitLetter:
    """Refuse the letter with a reason, which the initiator reads. Raises :class:`Problems` on ``reason``."""
    dossier, row = _asked(session, actor, letter_id)
    reason = tidy(reason).strip()
    if not reason:
        raise Problems.one("required", "reason", N_("Enter the reason: the initiator will read it."))
    _short(reason, "reason")
    row.reason = reason
    _answer(session, actor, dossier, row, LetterState.REFUSED)
    return row


def letters_of(session: Session, application_id: UUID) -> list[FitLetter]:
    """The requests of an application, newest first."""
    statement = select(FitLetter).where(FitLetter.application_id == application_id).order_by(FitLetter.id.desc())
    return list(session.scalars(statement))


def due(organisations: Iterable[UUID]) -> Select[FitLetter]:
    """The open requests to any of the organisations, with application, initiator and cluster; oldest first."""
    return (
        select(FitLetter)
        .where(FitLetter.organisation_id.in_(list(organisations)), FitLetter.state == LetterState.ASKED)
        .options(
            joinedload(FitLetter.application, innerjoin=True).joinedload(Application.initiator, innerjoin=True),
            joinedload(FitLetter.application, innerjoin=True).joinedload(Application.cluster, innerjoin=True),
        )
        .order_by(FitLetter.id)
    )


def opened(session: Session, actor: Actor, letter_id: UUID, *, lock: bool = False) -> tuple[Dossier, FitLetter]:
    """A request with its application, for those who may sign it; :class:`NotFound` for others."""
    row = session.scalar(
        select(FitLetter)
        .where(FitLetter.id == letter_id)
        .options(joinedload(FitLetter.organisation, innerjoin=True))
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    authorize(actor, Permission.FIT_LETTER_SIGN, row)
    return load(session, row.application_id, lock=lock), row


def _asked(session: Session, actor: Actor, letter_id: UUID) -> tuple[Dossier, FitLetter]:
    dossier, row = opened(session, actor, letter_id, lock=True)
    require_editable(dossier)
    session.refresh(row, with_for_update=True)
    if row.state != LetterState.ASKED:
        raise Conflict(N_("This request has been answered already."))
    return dossier, row


def _short(text: str, field: str) -> None:
    if len(text) > MAX_TEXT:
        raise Problems.one("too_long", field, N_("No more than %(limit)s characters.", limit=MAX_TEXT))


def _answer(session: Session, actor: Actor, dossier: Dossier, row: FitLetter, state: LetterState) -> None:
    row.state, row.answered_at, row.answered_by = state, dossier.intake.now, actor.user_id
    session.flush()
    session.expire(dossier.application, ["letter"])
    _record(session, actor, "sign" if state is LetterState.SIGNED else "refuse", row)
    title = letters.title_of(dossier.application)
    name = letters.name_of(row.organisation)
    if state is LetterState.SIGNED:
        subject = N_("The letter of fit is signed: %(title)s", title=title)
        said = N_("%(organisation)s confirms that the project fits the cluster's map and programme.", organisation=name)
    else:
        subject = N_("The letter of fit is refused: %(title)s", title=title)
        said = N_("%(organisation)s gives this reason: %(reason)s", organisation=name, reason=row.reason or "")
    _tell(
        session,
        dossier,
        row,
        to=dossier.application.initiator_id,
        kind=letters.FIT_ANSWERED,
        subject=subject,
        paragraph=said,
        link=(N_("Open the signatures"), letters.path(dossier.application.id, "confirm")),
    )


def _tell(
    session: Session,
    dossier: Dossier,
    row: FitLetter,
    *,
    to: UUID,
    kind: str,
    subject: Message,
    paragraph: Message,
    link: tuple[Message, str],
) -> None:
    letters.write_to(
        session,
        [to],
        application_id=dossier.application.id,
        key=f"{kind}:{row.id}",
        kind=kind,
        subject=subject,
        paragraphs=[paragraph],
        link=link,
    )


def _record(session: Session, actor: Actor, verb: str, row: FitLetter) -> None:
    facts: dict[str, Any] = {"letter": row.id, "organisation": row.organisation_id, "state": row.state}
    audit.record(session, actor, f"applications:fit_letter:{verb}", "application", row.application_id, facts)
