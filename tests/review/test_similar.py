"""Finding similar projects as they arrive, and deciding about them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.models import Application, State
from portal.applications.submissions import submission
from portal.audit.models import AuditEvent
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Membership, OrgRole, Role
from portal.review import similar, similar_queries
from portal.review.models import ProjectTrace, SimilarPair
from portal.tenders.models import Tender, Track
from tests.applications.test_races import at_once
from tests.factories import applications, identity, submissions, tenders
from tests.review.test_similarity import ENZYMES, project, strangers


def waiting(session: Session) -> int:
    return len(session.scalars(similar_queries.open_pairs()).all())


def filed(
    session: Session, tender: Tender, *contents: dict[str, Any], track: Track = Track.IMPORT_SUBSTITUTION
) -> list[UUID]:
    """Submitted, and compared in the order of their arrival."""
    keys = submissions.submitted(session, tender, [deepcopy(content) for content in contents], track=track)
    for key in keys:
        compare(session, key)
    return keys


def compare(session: Session, key: UUID) -> int:
    return similar.find(session, session.get_one(Application, key, populate_existing=True).submission_id)  # type: ignore[arg-type]


def pairs(session: Session) -> list[SimilarPair]:
    return list(session.scalars(select(SimilarPair).execution_options(populate_existing=True)))


def test_a_project_of_others_in_the_same_tender_is_found(session: Session) -> None:
    tender = tenders.open_tender(session)
    keys = filed(session, tender, project(), project(ENZYMES, "P08"), strangers(project()))
    [pair] = pairs(session)
    assert {pair.first_id, pair.second_id} == {keys[0], keys[2]}
    assert pair.score > 0
    assert "text" in [item["reason"] for item in pair.reasons]
    assert pair.verdict is None
    assert similar_queries.compared(session, keys[2]) == 1


def test_the_same_text_in_another_tender_is_found_only_for_the_same_organisations(session: Session) -> None:
    first, second = tenders.closed_tender(session), tenders.open_tender(session)
    earlier = filed(session, first, project())[0]
    filed(session, second, strangers(project()))
    assert pairs(session) == []
    later = filed(session, second, project("Модуль обвязки скважин, вторая очередь"))[0]
    found = {frozenset((pair.first_id, pair.second_id)) for pair in pairs(session)}
    assert frozenset((earlier, later)) in found


def test_the_same_organisations_on_the_other_track_are_found(session: Session) -> None:
    tender = tenders.open_tender(session)
    one = filed(session, tender, project())[0]
    other = filed(session, tender, {**project(), "track": "export"}, track=Track.EXPORT)[0]
    [pair] = pairs(session)
    assert {pair.first_id, pair.second_id} == {one, other}
    reasons = {item["reason"] for item in pair.reasons}
    assert {"initiator", "beneficiaries", "okpd2", "tn_ved", "text"} <= reasons


def test_comparing_twice_changes_nothing(session: Session) -> None:
    tender = tenders.open_tender(session)
    keys = filed(session, tender, project(), strangers(project()))
    before = [(pair.id, pair.score, pair.version) for pair in pairs(session)]
    for key in keys:
        compare(session, key)
    assert [(pair.id, pair.score, pair.version) for pair in pairs(session)] == before


def test_what_was_taken_back_is_neither_compared_nor_shown(session: Session) -> None:
    tender = tenders.open_tender(session)
    keys = filed(session, tender, project(), strangers(project()))
    assert (
        waiting(session),
        len(similar_queries.pairs_of(session, keys[0])),
    ) == (1, 1)
    session.execute(update(Application).where(Application.id == keys[0]).values(state=State.WITHDRAWN))
    assert (waiting(session), similar_queries.pairs_of(session, keys[1])) == (
        0,
        [],
    )
    assert compare(session, keys[0]) == 0
    third = filed(session, tender, strangers(project()))[0]
    assert frozenset((keys[0], third)) not in {frozenset((pair.first_id, pair.second_id)) for pair in pairs(session)}
    with pytest.raises(NotFound):
        similar.find(session, uuid4())


def officer(session: Session) -> Any:
    return identity.actor(session, identity.user(session, Role.OFFICER))


def one_pair(session: Session) -> SimilarPair:
    filed(session, tenders.open_tender(session), project(), strangers(project()))
    return pairs(session)[0]


def test_an_officer_decides_and_may_decide_anew(session: Session) -> None:
    pair, actor = one_pair(session), officer(session)
    row = similar.decide(session, actor, pair_id=pair.id, verdict="no_concern", note="", expected_version=1)
    assert (row.verdict, row.decided_by) == ("no_concern", actor.user_id)
    row = similar.decide(
        session, actor, pair_id=pair.id, verdict="double_funding", note=" Одна линия. ", expected_version=row.version
    )
    assert (row.verdict, row.note) == ("double_funding", "Одна линия.")
    session.commit()
    events = session.scalars(select(AuditEvent).where(AuditEvent.tag == "review:similar:decide")).all()
    assert {UUID(str(event.object_id)) for event in events} == {pair.first_id, pair.second_id}
    assert len(events) == 4
    assert waiting(session) == 0


@pytest.mark.parametrize(
    ("verdict", "note", "field", "code"),
    [
        ("", "", "verdict", "required"),
        ("guilty", "x", "verdict", "required"),
        ("same_project", "  ", "note", "required"),
        ("double_funding", "", "note", "required"),
        ("no_concern", "x" * 2001, "note", "too_long"),
    ],
)
def test_a_decision_needs_a_choice_and_a_note(session: Session, verdict: str, note: str, field: str, code: str) -> None:
    pair, actor = one_pair(session), officer(session)
    with pytest.raises(Problems) as refused:
        similar.decide(session, actor, pair_id=pair.id, verdict=verdict, note=note, expected_version=1)
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [(field, code)]


def test_who_may_not_decide(session: Session) -> None:
    pair, actor = one_pair(session), officer(session)
    given = {"pair_id": pair.id, "verdict": "no_concern", "note": ""}
    with pytest.raises(Stale):
        similar.decide(session, actor, **given, expected_version=7)
    with pytest.raises(NotFound):
        similar.decide(session, actor, pair_id=uuid4(), verdict="no_concern", note="", expected_version=1)
    for role, refusal in ((Role.AUDITOR, Refused), (Role.REVIEWER, NotFound)):
        person = identity.actor(session, identity.user(session, role))
        with pytest.raises(refusal):
            similar.decide(session, person, **given, expected_version=1)
    tied = identity.user(session, Role.OFFICER)
    row = similar.load_pair(session, pair.id)
    session.add(Membership(user_id=tied.id, organisation_id=row.second.initiator_id, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused):
        similar.decide(session, identity.actor(session, tied), **given, expected_version=1)


def test_the_database_refuses_a_verdict_without_its_reason(session: Session) -> None:
    pair = one_pair(session)
    for change in (
        "verdict = 'no_concern'",
        "verdict = 'guilty', decided_at = now(), decided_by = (select id from user_account limit 1), note = 'x'",
        "verdict = 'same_project', decided_at = now(), decided_by = (select id from user_account limit 1)",
        "score = 1.5",
        "first_id = second_id",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(f"update similar_pair set {change} where id = :key"), {"key": pair.id})


def test_a_new_version_reopens_the_decision(session: Session) -> None:
    joint, _ = applications.submitted(session)
    key = joint.id
    compare(session, key)
    twin = deepcopy(joint.dossier.package.content)
    other = filed(session, joint.tender, strangers(twin))[0]
    [pair] = pairs(session)
    actor = officer(session)
    similar.decide(session, actor, pair_id=pair.id, verdict="same_project", note="Да.", expected_version=1)
    compare(session, other)
    assert pairs(session)[0].verdict == "same_project"
    submission.withdraw(session, joint.actor(), application_id=key)
    submission.submit(session, joint.actor(), application_id=key, acknowledged=True)
    compare(session, key)
    [pair] = pairs(session)
    assert (pair.verdict, pair.note) == (None, "")
    assert session.get_one(Application, key).submission_id in (pair.first_submission_id, pair.second_submission_id)


def test_a_new_version_that_is_not_alike_takes_the_pair_back(session: Session) -> None:
    tender = tenders.open_tender(session)
    keys = filed(session, tender, project(), strangers(project()))
    session.execute(
        update(ProjectTrace)
        .where(ProjectTrace.application_id == keys[0])
        .values(codes=[], bands=[], lines=[], files=[], inns=[])
    )
    compare(session, keys[1])
    assert pairs(session) == []


def test_each_submission_is_compared_in_the_background(session: Session) -> None:
    _joint, row = applications.submitted(session)
    kinds = session.execute(text("select kind, payload->>'submission_id' from task")).all()
    assert ("find_similar", str(row.id)) in [tuple(kind) for kind in kinds]


def test_only_so_many_are_compared(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest are: those that share the most tokens of the text."""
    monkeypatch.setattr(similar, "MOST_CANDIDATES", 2)
    tender = tenders.open_tender(session)
    others = [strangers(project(ENZYMES, "P08", okpd2="28.92.61.110")) for _ in range(4)]
    keys = filed(session, tender, *others, strangers(project()))
    last = filed(session, tender, project())[0]
    assert similar_queries.compared(session, last) == 2
    assert any({pair.first_id, pair.second_id} == {keys[-1], last} for pair in pairs(session))


# The same project twice


def twin_of(joint: applications.Joint) -> applications.Joint:
    """Another draft of the same organisations with the same content, ready to be sent."""
    other = applications.start_another(joint)
    twin = applications.Joint(
        joint.session, joint.tender, joint.cluster, joint.organisations[:1], joint.owners[:1], other.id
    )
    applications.fill(twin)
    applications.attach_all(twin)
    applications.confirm_all(twin)
    return twin


def alone(session: Session) -> applications.Joint:
    tender = tenders.open_tender(session, rules={"min_participants": 1})
    return applications.ready(session, partners=0, tender=tender)


def test_the_same_project_is_submitted_once(session: Session) -> None:
    joint = alone(session)
    row = submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    twin = twin_of(joint)
    with pytest.raises(Conflict) as refused:
        submission.submit(session, twin.actor(), application_id=twin.id, acknowledged=True)
    assert refused.value.reason.params["number"] == row.number
    submission.withdraw(session, joint.actor(), application_id=joint.id)
    submission.submit(session, twin.actor(), application_id=twin.id, acknowledged=True)
    with pytest.raises(Conflict):
        submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)


def test_a_project_that_says_something_else_is_another(session: Session) -> None:
    joint = alone(session)
    submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    twin = twin_of(joint)
    section = twin.dossier.sections[None, "product"]
    service.save_section(
        session,
        twin.actor(),
        application_id=twin.id,
        participant_id=None,
        section="product",
        values={**section.data, "name_en": "Another project"},
        expected_version=section.version,
    )
    applications.confirm_all(twin)
    submission.submit(session, twin.actor(), application_id=twin.id, acknowledged=True)


def test_the_database_holds_it_too(session: Session) -> None:
    joint = alone(session)
    submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    other = applications.start_another(joint)
    said = session.get_one(Application, joint.id).content_sha256
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(update(Application).where(Application.id == other.id).values(content_sha256=said))


def test_two_that_arrive_at_once_find_each_other(fresh_app: Flask) -> None:
    """Neither sees the other's uncommitted trace: one waits for the other."""
    with fresh_app.app_context(), transaction() as current:
        contents = [project(), strangers(project())]
        keys = submissions.submitted(current, tenders.open_tender(current), contents)
        found = [current.get_one(Application, key).submission_id for key in keys]

    def search(place: int) -> str:
        with transaction() as current:
            similar.find(current, found[place])  # type: ignore[arg-type]
        return "done"

    assert at_once(fresh_app, 2, search) == {"done": 2}
    with fresh_app.app_context(), transaction() as current:
        assert len(pairs(current)) == 1


def test_the_same_project_sent_twice_at_once_is_submitted_once(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as current:
        joint = alone(current)
        keys, actor = [joint.id, twin_of(joint).id], joint.actor()

    def send(place: int) -> str:
        with transaction() as current:
            submission.submit(current, actor, application_id=keys[place], acknowledged=True)
        return "submitted"

    assert at_once(fresh_app, 2, send) == {"submitted": 1, "Conflict": 1}
