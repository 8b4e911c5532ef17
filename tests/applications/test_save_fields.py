"""Saving field by field: each exit of the verb."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.drafts.saving import Change, Saved, mark_of
from portal.core.errors import Conflict, NotFound, Refused
from portal.identity.models import OrgRole
from tests.factories import applications, identity

EMPTY = mark_of("")


def save(joint: applications.Joint, section: str, changes: dict[str, Change], **given: Any) -> Saved:
    return service.save_fields(
        joint.session,
        given.get("actor") or joint.actor(),
        application_id=joint.id,
        participant_id=given.get("participant_id"),
        section=section,
        changes=changes,
    )


def colleague(joint: applications.Joint) -> Any:
    return identity.actor(joint.session, identity.member(joint.session, joint.organisations[0], OrgRole.EDITOR))


def test_only_changed_fields_are_written(session: Session) -> None:
    joint = applications.draft(session)
    first = save(joint, "product", {"name_ru": Change("Проект", EMPTY), "summary": Change("Кратко", EMPTY)})
    assert set(first.written) == {"name_ru", "summary"}
    other = save(joint, "product", {"name_en": Change("Project", EMPTY)}, actor=colleague(joint))
    assert (other.written, other.clashes) == (("name_en",), ())
    assert joint.dossier.sections[None, "product"].data == {
        "name_ru": "Проект", "summary": "Кратко", "name_en": "Project"
    }  # fmt: skip
    assert (joint.application.title_ru, joint.application.title_en) == ("Проект", "Project")


def test_another_text_clashes_for_its_field_alone(session: Session) -> None:
    joint = applications.draft(session)
    other = colleague(joint)
    save(joint, "product", {"name_ru": Change("Первое", EMPTY)}, actor=other)
    saved = save(joint, "product", {"name_ru": Change("Второе", EMPTY), "name_en": Change("Second", EMPTY)})
    assert saved.written == ("name_en",)
    [clash] = saved.clashes
    assert (clash.key, clash.yours, clash.theirs, clash.by) == ("name_ru", "Второе", "Первое", other.user_id)
    assert clash.at == joint.dossier.sections[None, "product"].stamps["name_ru"]["at"] or clash.at is not None
    assert joint.dossier.sections[None, "product"].data == {"name_ru": "Первое", "name_en": "Second"}


def test_a_clash_names_who_wrote_the_field_not_who_saved_last(session: Session) -> None:
    joint = applications.draft(session)
    one, two = colleague(joint), colleague(joint)
    save(joint, "product", {"name_ru": Change("Первое", EMPTY)}, actor=one)
    save(joint, "product", {"summary": Change("Кратко", EMPTY)}, actor=two)
    [clash] = save(joint, "product", {"name_ru": Change("Второе", EMPTY)}).clashes
    assert clash.by == one.user_id


def test_emptying_what_somebody_changed_clashes_too(session: Session) -> None:
    joint = applications.draft(session)
    save(joint, "product", {"name_ru": Change("Первое", EMPTY)})
    save(joint, "product", {"name_ru": Change("Второе", mark_of("Первое"))}, actor=colleague(joint))
    saved = save(joint, "product", {"name_ru": Change("", mark_of("Первое"))})
    assert [clash.theirs for clash in saved.clashes] == ["Второе"]


def test_the_same_text_is_no_clash_and_no_save(session: Session) -> None:
    joint = applications.draft(session)
    save(joint, "product", {"summary": Change("Один\r\nдва", EMPTY)}, actor=colleague(joint))
    saved = save(joint, "product", {"summary": Change("Один\nдва", EMPTY)})
    assert (saved.written, saved.clashes) == ((), ())
    assert saved.row is not None
    assert saved.row.version == 1


def test_sending_again_after_a_lost_answer_is_no_clash(session: Session) -> None:
    joint = applications.draft(session)
    save(joint, "product", {"summary": Change("Нач", EMPTY)})
    saved = save(joint, "product", {"summary": Change("Начало", EMPTY, sent=("На", "Нач"))})
    assert (saved.written, saved.clashes) == (("summary",), ())
    clashing = save(joint, "product", {"summary": Change("Нет", EMPTY, sent=("На",))}, actor=colleague(joint))
    assert [clash.theirs for clash in clashing.clashes] == ["Начало"]


def test_a_text_that_is_too_long_stops_only_itself(session: Session) -> None:
    joint = applications.draft(session)
    saved = save(joint, "product", {"name_ru": Change("я" * 301, EMPTY), "name_en": Change("fits", EMPTY)})
    assert [(problem.code, problem.field) for problem in saved.problems] == [("too_long", "project.name_ru")]
    assert joint.dossier.sections[None, "product"].data == {"name_en": "fits"}


def test_space_is_nothing_and_unknown_keys_are_left_out(session: Session) -> None:
    joint = applications.draft(session)
    saved = save(joint, "product", {"name_ru": Change("  \n", EMPTY), "evil": Change("x", EMPTY)})
    assert (saved.written, saved.row) == ((), None)


def test_cells_of_a_table_are_fields_too(session: Session) -> None:
    joint = applications.draft(session)
    part = joint.parts[0].id
    save(joint, "subsidy", {"2018": Change("100", EMPTY)}, participant_id=part)
    save(joint, "subsidy", {"2019": Change("50", EMPTY)}, participant_id=part, actor=colleague(joint))
    assert str(joint.application.requested_total) == "150.00"


def test_the_audit_names_the_fields_and_not_their_texts(session: Session) -> None:
    joint = applications.draft(session)
    session.commit()
    save(joint, "product", {"name_ru": Change("Проект", EMPTY), "summary": Change("secret", EMPTY)})
    [event] = session.info["portal.audit.pending"]
    assert (event["tag"], event["changes"]["fields"]) == ("applications:section:save", ["name_ru", "summary"])
    assert "secret" not in str(event)


def test_what_is_refused(session: Session) -> None:
    joint = applications.draft(session)
    first, second = joint.parts
    change = {"name_ru": Change("x", EMPTY)}
    viewer = identity.actor(session, identity.member(session, joint.organisations[0], OrgRole.VIEWER))
    for actor in (viewer, joint.actor(1)):
        with pytest.raises(Refused):
            save(joint, "product", change, actor=actor)
    with pytest.raises(NotFound):
        save(joint, "product", change, actor=applications.draft(session).actor())
    for section, part in (("nothing", None), ("costs", None), ("product", first.id)):
        with pytest.raises(NotFound):
            save(joint, section, change, participant_id=part)
    with pytest.raises(Refused):
        save(joint, "costs", {"CC-01.2018": Change("1", EMPTY)}, participant_id=second.id)


def test_a_submitted_application_is_closed(session: Session) -> None:
    joint, _ = applications.submitted(session)
    with pytest.raises(Conflict):
        save(joint, "product", {"name_ru": Change("x", mark_of("anything"))})
