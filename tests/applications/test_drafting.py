"""Starting and filling in: each exit of the verbs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.models import ParticipantRole, Section, State
from portal.clusters.models import MembershipState
from portal.core.clock import at, now
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import OrgRole
from tests.factories import applications, identity, tenders


def start(joint: applications.Joint, **changes: object) -> object:
    values = {
        "track_id": applications.track_id(joint.session, joint.tender),
        "organisation_id": joint.organisations[0].id,
        "cluster_id": joint.cluster.id,
    }
    return service.start(joint.session, joint.actor(), **{**values, **changes})  # type: ignore[arg-type]


def codes(refused: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.code, problem.field) for problem in refused.value.problems]


def save(joint: applications.Joint, section: str, values: dict[str, str], **changes: object) -> Section:
    given = {"participant_id": None, "expected_version": 0, "actor": joint.actor(), **changes}
    return service.save_section(
        joint.session,
        given.pop("actor"),
        application_id=joint.id,
        section=section,
        values=values,
        **given,  # type: ignore[arg-type]
    )


def test_start_makes_a_draft_with_its_initiator(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    application = joint.application
    assert application.state == State.DRAFT
    assert application.number is None
    assert [(part.role, part.state, part.organisation_id) for part in application.participants] == [
        (ParticipantRole.INITIATOR, "accepted", joint.organisations[0].id)
    ]


def test_start_after_closing_is_refused(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    with at(session, now(session) + timedelta(days=30)), pytest.raises(Problems) as refused:
        start(joint)
    assert codes(refused) == [("not_open", "track")]


def test_start_outside_of_the_cluster_and_before_opening_lists_both(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    later = tenders.tender(
        session,
        published_at=now(session) - timedelta(days=1),
        opens_at=now(session) + timedelta(days=5),
        closes_at=now(session) + timedelta(days=35),
    )
    other = applications.cluster(session)
    with pytest.raises(Problems) as refused:
        start(joint, track_id=applications.track_id(session, later), cluster_id=other.id)
    assert codes(refused) == [("not_open", "track"), ("not_a_member", "organisation")]


def test_start_with_a_membership_that_is_only_requested(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    other = applications.cluster(session)
    applications.join(session, other, joint.organisations[0], MembershipState.REQUESTED)
    with pytest.raises(Problems) as refused:
        start(joint, cluster_id=other.id)
    assert codes(refused) == [("not_a_member", "organisation")]


def test_start_of_an_unpublished_tender_is_not_found(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    hidden = tenders.tender(session)
    with pytest.raises(NotFound):
        start(joint, track_id=applications.track_id(session, hidden))


def test_start_for_another_organisation_is_not_found(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    with pytest.raises(NotFound):
        start(joint, organisation_id=identity.organisation(session).id)
    with pytest.raises(NotFound):
        start(joint, organisation_id=uuid4())


def test_viewer_does_not_start(session: Session) -> None:
    joint = applications.draft(session, partners=0)
    viewer = identity.actor(session, identity.member(session, joint.organisations[0], OrgRole.VIEWER))
    with pytest.raises(Refused):
        service.start(
            session,
            viewer,
            track_id=applications.track_id(session, joint.tender),
            organisation_id=joint.organisations[0].id,
            cluster_id=joint.cluster.id,
        )


def test_a_draft_keeps_anything_as_it_was_typed(session: Session) -> None:
    joint = applications.draft(session)
    typed = {"npv": "много", "jobs_new": "-5", "taxes_total": "9" * 300, "irr": "1e9", "sales_total": "a\x00b"}
    row = save(joint, "economics", typed)
    assert row.data == {**typed, "sales_total": "a\ufffdb"}
    assert sorted((p.field, p.code) for p in joint.dossier.package.problems) == [
        ("project.irr", "not_a_number"),
        ("project.jobs_new", "too_small"),
        ("project.npv", "not_a_number"),
        ("project.sales_total", "not_a_number"),
        ("project.taxes_total", "not_a_number"),
    ]
    assert joint.dossier.package.content["project"]["npv"] is None


def test_unknown_keys_are_not_kept(session: Session) -> None:
    joint = applications.draft(session)
    assert save(joint, "product", {"name_ru": "Проект", "evil": "x", "npv": "1"}).data == {"name_ru": "Проект"}


def test_too_long_texts_are_refused_all_at_once(session: Session) -> None:
    joint = applications.draft(session)
    with pytest.raises(Problems) as refused:
        save(joint, "product", {"name_ru": "я" * 301, "summary": "x" * 10_000_000, "name_en": "fits"})
    assert codes(refused) == [("too_long", "project.name_ru"), ("too_long", "project.summary")]


def test_a_stale_version_is_a_conflict(session: Session) -> None:
    joint = applications.draft(session)
    save(joint, "product", {"name_ru": "Первое"})
    with pytest.raises(Stale) as stale:
        save(joint, "product", {"name_ru": "Второе"}, expected_version=0)
    assert stale.value.current == 1
    save(joint, "product", {"name_ru": "Второе"}, expected_version=1)
    assert joint.dossier.sections[None, "product"].data == {"name_ru": "Второе"}


def test_titles_and_requested_total_are_repeated_for_the_lists(session: Session) -> None:
    joint = applications.draft(session)
    save(joint, "product", {"name_ru": " Проект ", "name_en": "Project"})
    first, second = joint.parts
    save(joint, "subsidy", {"2018": "100", "2019": "много"}, participant_id=first.id)
    save(joint, "subsidy", {"2018": "50"}, participant_id=second.id, actor=joint.actor(1))
    application = joint.application
    assert (application.title_ru, application.title_en) == ("Проект", "Project")
    assert str(application.requested_total) == "150.00"


def test_sums_beyond_the_column_are_no_total(session: Session) -> None:
    joint = applications.draft(session)
    huge = "9999999999999999"
    save(joint, "subsidy", {"2018": huge, "2019": huge}, participant_id=joint.parts[0].id)
    assert joint.application.requested_total is None


def test_saving_is_audited_with_the_names_of_changed_fields(session: Session) -> None:
    joint = applications.draft(session)
    session.commit()
    save(joint, "product", {"name_ru": "Проект", "summary": "secret"})
    event = session.info["portal.audit.pending"][-1]
    assert (event["tag"], event["changes"]["fields"]) == ("applications:section:save", ["name_ru", "summary"])
    assert "secret" not in str(event)


@pytest.mark.parametrize("section", ["nothing", "costs"])
def test_a_section_that_is_not_the_projects_is_not_found(session: Session, section: str) -> None:
    joint = applications.draft(session)
    with pytest.raises(NotFound):
        save(joint, section, {})


def test_each_participant_writes_only_its_own_part(session: Session) -> None:
    joint = applications.draft(session)
    first, second = joint.parts
    with pytest.raises(Refused):
        save(joint, "product", {"name_ru": "x"}, actor=joint.actor(1))
    with pytest.raises(Refused):
        save(joint, "costs", {"CC-01.2018": "1"}, participant_id=first.id, actor=joint.actor(1))
    with pytest.raises(Refused):
        save(joint, "costs", {"CC-01.2018": "1"}, participant_id=second.id)
    assert save(joint, "costs", {"CC-01.2018": "1"}, participant_id=second.id, actor=joint.actor(1)).version == 1


def test_editor_writes_viewer_does_not(session: Session) -> None:
    joint = applications.draft(session)
    editor = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    viewer = identity.member(session, joint.organisations[0], OrgRole.VIEWER)
    assert save(joint, "product", {"name_ru": "x"}, actor=identity.actor(session, editor)).version == 1
    with pytest.raises(Refused):
        save(joint, "market", {}, actor=identity.actor(session, viewer))


def test_strangers_learn_nothing(session: Session) -> None:
    joint = applications.draft(session)
    stranger = applications.draft(session)
    with pytest.raises(NotFound):
        save(joint, "product", {}, actor=stranger.actor())
    with pytest.raises(NotFound):
        save(joint, "costs", {}, participant_id=stranger.parts[0].id)


def test_a_submitted_application_is_closed_to_typing(session: Session) -> None:
    joint, _ = applications.submitted(session)
    with pytest.raises(Conflict):
        save(joint, "product", {"name_ru": "x"}, expected_version=1)


def test_the_funds_verbs_follow_the_table(session: Session) -> None:
    joint, _ = applications.submitted(session)
    officer = replace(joint.actor(), memberships={})
    assert service.admit(session, officer, joint.id).state == State.EXPERTISE
    with pytest.raises(Conflict):
        service.refuse(session, officer, joint.id, reasons=["R02"])
    assert service.reserve(session, officer, joint.id).state == State.RESERVE
    assert service.award(session, officer, joint.id).state == State.AWARDED
    with pytest.raises(Conflict):
        service.decline(session, officer, joint.id)
    with pytest.raises(NotFound):
        service.admit(session, officer, uuid4())


def test_an_optional_table_is_part_of_the_package_only_when_it_is_filled_in(session: Session) -> None:
    joint = applications.filled(session, documents=False)
    before = joint.dossier.package
    assert "cashflow" not in before.content
    for section, place, values in (
        ("cashflow", None, {"sales.2020": "5"}),
        ("productivity", 0, {"headcount.2018": "10,5"}),
    ):
        service.save_section(
            session,
            joint.actor(),
            application_id=joint.id,
            participant_id=None if place is None else joint.parts[place].id,
            section=section,
            values=values,
            expected_version=0,
        )
    after = joint.dossier.package
    assert after.digest != before.digest
    assert after.content["cashflow"] == {"sales": {"2020": "5.00"}}
    assert after.content["participants"][0]["productivity"] == {"headcount": {"2018": "10.5"}}
    assert "productivity" not in after.content["participants"][1]
    assert after.problems == ()
