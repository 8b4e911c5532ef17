"""The letter of fit: asked for, signed or refused, what it covers, and what voids it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.drafts.completeness import problems as missing
from portal.applications.eligibility import check
from portal.applications.figures.facts import facts
from portal.applications.models import FitLetter, LetterState, Proof, Signature, SignatureVoid
from portal.applications.partners import fit
from portal.applications.signatures.signing import Confirmation, Shown, confirmation
from portal.core.canonical import digest
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import OrgRole
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from tests.factories import applications, identity


def asked(session: Session, **options: Any) -> tuple[applications.Joint, FitLetter, Actor]:
    """A draft without DOC-09 whose initiator has asked; the owner of the specialised organisation."""
    joint = applications.draft(session, **options)
    centre = identity.organisation(session)
    owner = identity.member(session, centre)
    joint.cluster.spec_org_id = centre.id
    session.flush()
    applications.fill(joint)
    row = fit.ask(session, joint.actor(), application_id=joint.id)
    return joint, row, identity.actor(session, owner)


def sign(joint: applications.Joint, row: FitLetter, actor: Actor, **other: Any) -> Signature:
    _, held = fit.opened(joint.session, actor, row.id)
    options = {
        "letter_id": row.id,
        "expected_digest": fit.binding(joint.dossier, held.organisation, "").digest,
        "roadmap_action": "3.2 Demo action",
        "shown": Shown(Proof.WORD),
        **other,
    }
    return fit.sign(joint.session, actor, **options)


def lacking(joint: applications.Joint) -> set[str]:
    dossier = joint.dossier
    return {problem.field for problem in missing(dossier.package.content, dossier.rules)}


def rule(joint: applications.Joint) -> Any:
    dossier = joint.dossier
    content = dossier.package.content
    outcomes = check(content, facts(content, dossier.rules), dossier.rules, dossier.today)
    return next(item for item in outcomes if item.code == "EL-04")


def test_a_signed_letter_covers_the_document_and_the_rule(session: Session) -> None:
    joint, row, centre = asked(session)
    assert "documents.DOC-09" in lacking(joint)
    assert rule(joint).holds is None
    signature = sign(joint, row, centre)
    assert signature.digest == digest(signature.manifest)
    assert "documents.DOC-09" not in lacking(joint)
    assert rule(joint).holds is True
    letter = joint.dossier.package.content["letter_of_fit"]
    assert (letter["digest"], letter["roadmap_action"]) == (signature.digest, "3.2 Demo action")
    session.refresh(row)
    assert (row.state, row.signature_id) == (LetterState.SIGNED, signature.id)
    kinds = session.scalars(select(Letter.kind).where(Letter.kind.startswith("fit_letter"))).all()
    assert sorted(kinds) == ["fit_letter_answered", "fit_letter_asked"]


def test_a_participants_signature_does_not_depend_on_the_letter(session: Session) -> None:
    joint, row, centre = asked(session)
    applications.confirm_all(joint)
    sign(joint, row, centre)
    assert {confirmation(joint.dossier, part) for part in joint.parts} == {Confirmation.GIVEN}


@pytest.mark.parametrize(("field", "voids"), [("name_ru", True), ("okpd2", True), ("npv", False), ("stages", False)])
def test_it_is_bound_to_name_product_and_participants(session: Session, field: str, voids: bool) -> None:
    joint, row, centre = asked(session)
    sign(joint, row, centre)
    session.commit()
    name = {"name_ru": "product", "okpd2": "product", "npv": "economics", "stages": "plan"}[field]
    section = joint.dossier.sections[None, name]
    other = {"okpd2": "28.14.13.132", "npv": "5"}.get(field, "Другое")
    service.save_section(
        session,
        joint.actor(),
        application_id=joint.id,
        participant_id=None,
        section=name,
        values={**section.data, field: other},
        expected_version=section.version,
    )
    session.commit()
    assert ("documents.DOC-09" in lacking(joint)) is voids
    found = session.scalars(select(SignatureVoid)).all()
    assert [item["path"] for void in found for item in void.changes] == ([f"project.{field}"] if voids else [])
    if voids:
        fit.ask(session, joint.actor(), application_id=joint.id)


def test_a_refusal_says_why_and_leaves_the_upload(session: Session) -> None:
    joint, row, centre = asked(session)
    for reason in ("  ", "x" * 1001):
        with pytest.raises(Problems):
            fit.refuse(session, centre, letter_id=row.id, reason=reason)
    fit.refuse(session, centre, letter_id=row.id, reason="Not in the demo programme")
    with pytest.raises(Conflict):
        sign(joint, row, centre)
    assert "documents.DOC-09" in lacking(joint)
    letter = session.scalars(select(Letter).where(Letter.kind == "fit_letter_answered")).one()
    assert "Not in the demo programme" in letter.text
    applications.attach(joint, "DOC-09")
    assert rule(joint).holds is True
    fit.ask(session, joint.actor(), application_id=joint.id)


def test_who_asks_and_who_signs(session: Session) -> None:
    joint, row, centre = asked(session)
    with pytest.raises(Conflict):
        fit.ask(session, joint.actor(), application_id=joint.id)
    with pytest.raises(Refused):
        fit.ask(session, joint.actor(1), application_id=joint.id)
    for actor in (joint.actor(), identity.actor(session, identity.user(session))):
        with pytest.raises(NotFound):
            fit.opened(session, actor, row.id)
    editor = identity.member(session, session.get_one(FitLetter, row.id).organisation, OrgRole.EDITOR)
    with pytest.raises(Refused):
        fit.opened(session, identity.actor(session, editor), row.id)
    with pytest.raises(Stale):
        sign(joint, row, centre, expected_digest="0" * 64)
    with pytest.raises(Problems):
        sign(joint, row, centre, shown=Shown(Proof.WORD, timedelta(hours=1)))
    assert list(session.scalars(fit.due(centre.memberships))) == [row]
    sign(joint, row, centre)
    assert list(session.scalars(fit.due(centre.memberships))) == []


def test_without_a_specialised_organisation_nobody_is_asked(session: Session) -> None:
    joint = applications.draft(session)
    with pytest.raises(Conflict):
        fit.ask(session, joint.actor(), application_id=joint.id)


def test_the_database_keeps_one_request_open(session: Session) -> None:
    _, row, _ = asked(session)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add(
            FitLetter(
                application_id=row.application_id,
                organisation_id=row.organisation_id,
                state=LetterState.ASKED,
                asked_at=row.asked_at,
                asked_by=row.asked_by,
            )
        )
        session.flush()
