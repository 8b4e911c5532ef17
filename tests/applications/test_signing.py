"""Signing: who may, when, what it binds, and exactly which signatures an edit voids."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.drafts.sections import EACH, PROJECT
from portal.applications.drafts.values import Kind
from portal.applications.models import Proof, Signature, SignatureVoid, VoidReason
from portal.applications.papers import attachments
from portal.applications.partners import participation
from portal.applications.signatures import signing
from portal.applications.signatures.scope import changed, manifest_bytes, scope_of
from portal.applications.signatures.signing import Confirmation, Shown, confirmation
from portal.applications.signatures.voiding import judge
from portal.applications.submissions import submission
from portal.applications.submissions.changes import compare, label
from portal.applications.submissions.package import assemble
from portal.audit.models import AuditEvent
from portal.core.canonical import digest
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.language import render
from portal.identity import service as identity_service
from portal.identity.models import OrgRole
from portal.notifications.models import Letter
from tests.factories import applications, identity

FULL = bool(os.environ.get("FULL"))
"""Every cell of every table; else the first column of each row."""
GIVEN, OUTDATED = Confirmation.GIVEN, Confirmation.OUTDATED


def states(joint: applications.Joint) -> list[str]:
    dossier = joint.dossier
    return [confirmation(dossier, part) for part in dossier.accepted]


def sign(joint: applications.Joint, place: int = 0, **other: Any) -> Signature:
    dossier = joint.dossier
    part = dossier.accepted[place]
    options = {
        "participant_id": part.id,
        "expected_digest": dossier.binding(part).digest,
        "shown": Shown(Proof.WORD),
        **other,
    }
    return signing.sign(joint.session, options.pop("actor", joint.actor(place)), **options)


# The verb and its exits.


def test_a_signature_is_over_the_manifest_and_is_kept(session: Session) -> None:
    joint = applications.filled(session)
    row = sign(joint, 1)
    part = joint.parts[1]
    assert (row.participant_id, row.organisation_id, row.proof) == (part.id, part.organisation_id, "password")
    assert row.digest == digest(row.manifest)
    assert digest(json.loads(manifest_bytes(row.manifest))) == row.digest
    assert [item["sha256"] for item in row.manifest["parts"]] == [
        digest(row.scope[item["part"]]) for item in row.manifest["parts"]
    ]
    named = {item["sha256"] for item in row.manifest["documents"]}
    assert named == {item.file.sha256 for item in joint.dossier.attachments if item.participant_id in (None, part.id)}
    assert states(joint) == [Confirmation.MISSING, GIVEN]
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "applications:participant:sign")).one()
    assert event.changes["digest"] == row.digest


def test_signing_what_has_changed_since_is_stale(session: Session) -> None:
    joint = applications.filled(session)
    read = joint.dossier.binding(joint.parts[0]).digest
    applications.attach(joint, "DOC-08")
    with pytest.raises(Stale):
        sign(joint, expected_digest=read)


@pytest.mark.parametrize(("seconds", "may"), [(0, True), (300, True), (301, False)])
def test_signing_asks_anew_who_it_is(session: Session, seconds: int, may: bool) -> None:
    joint = applications.filled(session)
    shown = Shown(Proof.TOTP, timedelta(seconds=seconds))
    if may:
        assert sign(joint, shown=shown).proof == "totp"
        return
    with pytest.raises(Problems) as refused:
        sign(joint, shown=shown)
    assert [(item.code, item.field) for item in refused.value.problems] == [("not_fresh", "password")]


@pytest.mark.parametrize(("role", "may"), [(OrgRole.SIGNATORY, True), (OrgRole.EDITOR, False), (OrgRole.VIEWER, False)])
def test_owner_or_signatory_signs(session: Session, role: OrgRole, may: bool) -> None:
    joint = applications.filled(session)
    actor = identity.actor(session, identity.member(session, joint.organisations[0], role))
    if may:
        assert sign(joint, actor=actor).signed_by == actor.user_id
        return
    with pytest.raises(Refused):
        sign(joint, actor=actor)


def test_nobody_signs_for_another_organisation(session: Session) -> None:
    joint, stranger = applications.filled(session), applications.draft(session)
    with pytest.raises(Refused):
        sign(joint, actor=joint.actor(1))
    with pytest.raises(NotFound):
        sign(joint, actor=stranger.actor())
    with pytest.raises(NotFound):
        sign(joint, participant_id=joint.application.id)


def test_what_is_with_the_fund_is_not_signed(session: Session) -> None:
    joint, _ = applications.submitted(session)
    with pytest.raises(Conflict):
        sign(joint)


def test_signing_anew_replaces(session: Session) -> None:
    joint = applications.filled(session)
    first, second = sign(joint), sign(joint)
    ends = session.scalars(select(SignatureVoid)).all()
    assert [(end.signature_id, end.reason) for end in ends] == [(first.id, VoidReason.REPLACED)]
    assert signing.latest(joint.dossier, joint.parts[0]) == second
    assert states(joint)[0] == GIVEN


@pytest.mark.parametrize(
    "statement", ["update signature set digest = digest", "delete from signature", "truncate signature cascade"]
)
def test_the_database_keeps_signatures(session: Session, statement: str) -> None:
    sign(applications.filled(session))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text(statement))


# What an edit voids: exactly the signatures that bind what was edited.


def _typed(kind: Kind, present: str) -> str:
    """Another readable value of the kind."""
    values = {
        Kind.YES_NO: ("yes", "no"),
        Kind.DATE: ("2018-09-02", "2018-09-03"),
        Kind.OKPD2: ("28.14.13.131", "28.14.13.132"),
        Kind.TN_VED: ("8481808190", "8481807390"),
        Kind.REGION: ("36", "59"),
        Kind.COUNTRIES: ("KZ, MN", "KZ"),
        Kind.PERCENT: ("11", "12"),
        Kind.SIGNED_PERCENT: ("11", "12"),
    }
    first, second = values.get(kind, ("3", "4"))
    return second if present == first else first


OWN_ONLY = {"declarations", "productivity", "part_questions"}
"""Sections of a participant from which no figure goes into what all share."""


@pytest.mark.parametrize("track", ["import_substitution", "export"])
def test_every_field_of_every_section_voids_exactly_whom_it_concerns(session: Session, track: Any) -> None:
    """Project-wide answers concern everybody; costs and subsidies move the sums of all; of the rest only its own."""
    joint = applications.filled(session, track=track, partners=2)
    dossier = joint.dossier
    rules, parts = dossier.rules, dossier.accepted
    everyone = {str(part.id) for part in parts}

    def scopes(typed: Any) -> dict[str, dict[str, Any]]:
        package = assemble(
            dossier.application, typed, dossier.attachments, dossier.members, rules, dossier.today
        ).content
        return {key: scope_of(package, rules, "0" * 64, key, everyone) for key in everyone}

    before = scopes(dossier.typed)
    owners = [(None, section) for section in PROJECT] + [(part.id, section) for part in parts for section in EACH]
    seen = 0
    for owner, section in owners:
        present = dict(dossier.typed.get((owner, section.name), {}))
        keys = list(section.keys(rules))
        for key, kind in keys if FULL or section.grid is None else keys[:: len(section.grid(rules).columns)]:
            other = {**present, key: _typed(kind, present.get(key, ""))}
            after = scopes({**dossier.typed, (owner, section.name): other})
            touched = {one for one in everyone if digest(before[one]) != digest(after[one])}
            told = {one for one in everyone if changed(before[one], after[one])}
            expected = {str(owner)} if section.name in OWN_ONLY else everyone
            assert touched == told == expected, (section.name, key)
            signer = str(owner) if owner else min(everyone)
            assert section.prefix(owner) + key in {item.path for item in changed(before[signer], after[signer])}
            seen += 1
    assert seen > (200 if FULL else 90)


def _move_cost(joint: applications.Joint) -> None:
    """A kopeck from one line of the partner's costs to another year of the same line: no shared sum changes."""
    part = joint.parts[1]
    data = dict(joint.dossier.sections[part.id, "costs"].data)
    first, second = next((a, b) for a in data for b in _years_of(joint, a) if a != b)
    amount = data[first]
    data[first] = data.get(second, "")
    data[second] = amount
    _save(joint, 1, "costs", data)


def _years_of(joint: applications.Joint, key: str) -> list[str]:
    return [f"{key.split('.')[0]}.{year}" for year in joint.dossier.rules.cost_years]


def _save(joint: applications.Joint, place: int | None, section: str, data: dict[str, str]) -> None:
    part = None if place is None else joint.parts[place]
    key = part.id if part else None
    row = joint.dossier.sections.get((key, section))
    service.save_section(
        joint.session,
        joint.actor(place or 0),
        application_id=joint.id,
        participant_id=key,
        section=section,
        values=data,
        expected_version=row.version if row else 0,
    )


def _project(joint: applications.Joint) -> None:
    _save(joint, None, "product", {**joint.dossier.sections[None, "product"].data, "summary": "Another summary"})


def _cost(joint: applications.Joint) -> None:
    data = dict(joint.dossier.sections[joint.parts[1].id, "costs"].data)
    _save(joint, 1, "costs", {**data, next(iter(data)): "1"})


def _subsidy(joint: applications.Joint) -> None:
    data = dict(joint.dossier.sections[joint.parts[1].id, "subsidy"].data)
    _save(joint, 1, "subsidy", {**data, next(iter(data)): "1"})


def _declaration(joint: applications.Joint) -> None:
    data = dict(joint.dossier.sections[joint.parts[1].id, "declarations"].data)
    _save(joint, 1, "declarations", {**data, "EL-18": "no" if data.get("EL-18") == "yes" else "yes"})


def _same_again(joint: applications.Joint) -> None:
    _save(joint, None, "product", dict(joint.dossier.sections[None, "product"].data))


def _project_document(joint: applications.Joint) -> None:
    applications.attach(joint, "DOC-08")


def _own_document(joint: applications.Joint) -> None:
    applications.attach(joint, "DOC-12", joint.parts[1], 1)


def _document_removed(joint: applications.Joint) -> None:
    part = joint.parts[1]
    attachments.remove(joint.session, joint.actor(1), attachment_id=joint.dossier.attached(part.id, "DOC-12")[0].id)


def _document_dated(joint: applications.Joint) -> None:
    item = joint.dossier.attached(joint.parts[1].id, "DOC-12")[0]
    day = (joint.dossier.today - timedelta(days=9)).isoformat()
    attachments.date_attachment(joint.session, joint.actor(1), attachment_id=item.id, issued_on=day)


def _profile(**values: str) -> Callable[[applications.Joint], None]:
    def edit(joint: applications.Joint) -> None:
        row = joint.organisations[1]
        names = ("inn", "kpp", "ogrn", "okved2", "region", "name_ru", "name_en", "sme", "headcount", "income")
        present = {name: str(getattr(row, name) if getattr(row, name) is not None else "") for name in names}
        present["offshore_share"] = str(row.offshore_share if row.offshore_share is not None else "")
        identity_service.edit_organisation(
            joint.session,
            joint.actor(1),
            organisation_id=row.id,
            values={**present, **values},
            expected_version=row.version,
        )

    return edit


def _newcomer(joint: applications.Joint) -> None:
    organisation = identity.organisation(joint.session)
    owner = identity.member(joint.session, organisation)
    applications.join(joint.session, joint.cluster, organisation)
    part = participation.invite(joint.session, joint.actor(), application_id=joint.id, organisation_id=organisation.id)
    judge(joint.session)
    assert states(joint) == [GIVEN, GIVEN, GIVEN]  # an invitation binds nobody yet
    participation.respond(joint.session, identity.actor(joint.session, owner), participant_id=part.id, accept=True)


def _leaver(joint: applications.Joint) -> None:
    participation.leave(joint.session, joint.actor(2), participant_id=joint.parts[2].id)


EDITS: list[tuple[str, Callable[[applications.Joint], None], list[str], str]] = [
    ("a project field", _project, [OUTDATED] * 3, "Project and product, Summary of the project"),
    ("a cost that moves the sums", _cost, [OUTDATED] * 3, "Costs of the whole project"),
    ("a cost that moves no shared sum", _move_cost, [GIVEN, OUTDATED, GIVEN], "Costs, "),
    ("a subsidy", _subsidy, [OUTDATED] * 3, "Requested subsidy"),
    ("a declaration", _declaration, [GIVEN, OUTDATED, GIVEN], "Declarations, "),
    ("the same text again", _same_again, [GIVEN] * 3, ""),
    ("a document of the project", _project_document, [OUTDATED] * 3, "Document DOC-08"),
    ("a document of a participant", _own_document, [GIVEN, OUTDATED, GIVEN], "Document DOC-12"),
    ("a document taken away", _document_removed, [GIVEN, OUTDATED, GIVEN], "Document DOC-12"),
    ("a date of issue", _document_dated, [GIVEN, OUTDATED, GIVEN], "Document DOC-12"),
    ("the name of an organisation", _profile(name_ru="АО «Демо Другое»"), [OUTDATED] * 3, "Name in Russian"),
    ("its English name", _profile(name_en="Demo Other JSC"), [GIVEN, OUTDATED, GIVEN], "Name in English"),
    ("its size", _profile(sme="medium"), [GIVEN, OUTDATED, GIVEN], "Size of the enterprise"),
    ("its activity", _profile(okved2="25.11"), [GIVEN, OUTDATED, GIVEN], "OKVED 2"),
    ("its offshore share", _profile(offshore_share="7"), [GIVEN, OUTDATED, GIVEN], "Share of offshore companies"),
    ("its headcount, which is not signed", _profile(headcount="77"), [GIVEN] * 3, ""),
    ("a new participant", _newcomer, [OUTDATED] * 3 + [Confirmation.MISSING], "Participants of the project"),
    ("a participant leaves", _leaver, [OUTDATED] * 2, "Participants of the project"),
]


def test_an_edit_voids_exactly_the_affected_signatures_and_says_why(session: Session) -> None:
    joint = applications.filled(session, partners=2)
    applications.confirm_all(joint)
    session.commit()
    for name, edit, expected, told in EDITS:
        with undone(session):
            edit(joint)
            session.commit()
            _check(joint, name, expected, told)
        assert states(joint) == [GIVEN] * 3, name


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """What is committed inside is taken back."""
    session.commit()
    connection = session.get_bind()
    assert isinstance(connection, Connection)
    point = connection.begin_nested()
    try:
        yield
    finally:
        session.rollback()
        session.expire_all()
        point.rollback()


def _check(joint: applications.Joint, name: str, expected: list[str], told: str) -> None:
    session = joint.session
    dossier = joint.dossier
    assert states(joint) == expected, name
    voids = session.scalars(select(SignatureVoid).where(SignatureVoid.reason == VoidReason.CHANGED)).all()
    owners = {session.get_one(Signature, void.signature_id).participant_id for void in voids}
    assert owners == {part.id for part, state in zip(dossier.accepted, expected, strict=True) if state == OUTDATED}
    names = {str(part.id): {"ru": "?", "en": "?"} for part in dossier.application.participants}
    people = {owner.id for owner in joint.owners}
    for void in voids:
        assert void.author
        assert void.voided_by in people or name == "a new participant"
        said = [render(label(item["path"], dossier.rules, names), "en") for item in void.changes]
        assert any(told in sentence for sentence in said), (name, said)
    letters = session.scalars(select(Letter).where(Letter.kind == "signature_void")).all()
    assert len(letters) == len(voids), name
    assert all(told.split(",")[0] in item.text or "more" in item.text for item in letters if item.locale == "en"), name


def test_what_was_voided_stays_void_when_the_text_comes_back(session: Session) -> None:
    joint = applications.ready(session)
    session.commit()
    before = dict(joint.dossier.sections[None, "product"].data)
    _project(joint)
    session.commit()
    _save(joint, None, "product", before)
    session.commit()
    assert states(joint) == [OUTDATED] * 2
    assert len(session.scalars(select(SignatureVoid)).all()) == 2


def test_an_edit_that_is_taken_back_voids_nothing(session: Session) -> None:
    joint = applications.ready(session)
    session.commit()
    _project(joint)
    session.rollback()
    session.commit()
    assert states(joint) == [GIVEN] * 2
    assert session.scalars(select(SignatureVoid)).all() == []


def test_a_frozen_application_keeps_its_signatures(session: Session) -> None:
    joint, row = applications.submitted(session)
    session.commit()
    _profile(name_ru="АО «Демо Другое»")(joint)
    session.commit()
    assert session.scalars(select(SignatureVoid)).all() == []
    assert len(row.snapshot["signatures"]) == 2
    submission.withdraw(session, joint.actor(), application_id=joint.id)
    assert states(joint) == [OUTDATED] * 2  # by its digest, before anything else is edited


def test_changes_between_two_packages_are_named(session: Session) -> None:
    joint = applications.filled(session)
    before = joint.dossier.package.content
    _project(joint)
    applications.attach(joint, "DOC-08")
    found = compare(before, joint.dossier.package.content)
    assert [item.path for item in found] == ["project.summary", "documents.DOC-08"]
    assert found[0].after == "Another summary"
    assert compare(before, before) == []
