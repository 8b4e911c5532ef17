"""The editor of extra questions: add, change, move, remove, preview; every refusal keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import Role, User
from portal.tenders.models import RuleSetVersion, Tender, Track
from portal.tenders.rulebook import load_questions
from portal.tenders.ruleset import from_json
from tests.conftest import form
from tests.factories import identity
from tests.factories import tenders as factory
from tests.web.test_tenders import Inputs

IS = Track.IMPORT_SUBSTITUTION
SignIn = Callable[[User], FlaskClient]
FILLED = {"kind": "whole", "giver": "project", "required": "yes", "title-ru": "Сколько?", "title-en": "How many?"}


@pytest.fixture
def administrator(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    return sign_in(person)


@pytest.fixture
def rules(session: Session) -> RuleSetVersion:
    """Rules in preparation with the questions of the rulebook."""
    tender = factory.tender(session, tracks=(IS,), rules={"questions": load_questions(IS)})
    row = of(session, tender)
    session.commit()
    return row


def of(session: Session, tender: Tender) -> RuleSetVersion:
    return session.get_one(RuleSetVersion, factory.track_of(tender).rule_set_id)


def base(row: RuleSetVersion) -> str:
    return f"/staff/rules/{row.id}/questions"


def codes(session: Session, row: RuleSetVersion) -> list[str]:
    session.expire_all()
    return [item.code for item in from_json(row.content).questions]


def send(client: FlaskClient, row: RuleSetVersion, path: str, **values: Any) -> Any:
    return client.post(f"{base(row)}/{path}", data=form(version=row.version, **values))


def test_a_question_is_added_with_answers_that_get_their_codes(
    session: Session, administrator: FlaskClient, rules: RuleSetVersion
) -> None:
    answers = {
        "options-0-title-ru": "Да, всегда", "options-0-title-en": "Always",
        "options-1-code": "a", "options-1-title-ru": "Иногда", "options-1-title-en": "At times",
        "options-7-title-ru": "Никогда", "options-7-title-en": "Never",
    }  # fmt: skip
    condition = {"condition-subject": "Q-01", "condition-test": "one_of", "condition-values": "It does not; audit"}
    answer = send(
        administrator, rules, "new", **{**FILLED, **answers, **condition, "kind": "one", "least": "5", "required": "no"}
    )
    assert (answer.status_code, answer.location) == (303, f"{base(rules)}#Q-07")
    session.expire_all()
    question = from_json(rules.content).questions[-1]
    assert (question.code, question.required, question.least) == ("Q-07", False, None)
    assert [(item.code, item.title.en) for item in question.options] == [
        ("b", "Always"), ("a", "At times"), ("c", "Never"),
    ]  # fmt: skip
    assert question.condition is not None
    assert question.condition.values == ("no", "audit")


def test_the_form_gives_back_every_question_as_it_was(
    session: Session, administrator: FlaskClient, rules: RuleSetVersion
) -> None:
    before = from_json(rules.content).questions
    for code in codes(session, rules):
        sent = Inputs(administrator.get(f"{base(rules)}/{code}").get_data(as_text=True)).values
        assert administrator.post(f"{base(rules)}/{code}", data=sent).status_code == 303, code
    session.expire_all()
    assert from_json(rules.content).questions == before


def test_every_fault_is_told_at_once_and_what_was_typed_stays(
    session: Session, administrator: FlaskClient, rules: RuleSetVersion
) -> None:
    wrong = {
        **FILLED,
        "title-ru": "",
        "help-en": "Half a help",
        "least": "many",
        "most": "1,5",
        "condition-subject": "Q-03",
        "condition-test": "greater",
        "condition-values": "lots",
    }
    answer = send(administrator, rules, "new", **wrong)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    for name in ("title-ru", "help-ru", "least", "most", "condition-values"):
        assert f'id="{name}-error"' in page, name
        assert f'<a href="#{name}">' in page, name
    for text in ("Half a help", 'value="many"', 'value="1,5"', 'value="lots"'):
        assert text in page
    assert len(codes(session, rules)) == 10


def test_a_change_that_breaks_another_question_names_it(
    session: Session, administrator: FlaskClient, rules: RuleSetVersion
) -> None:
    answer = send(administrator, rules, "Q-01", **{**FILLED, "kind": "long"})
    assert answer.status_code == 422
    assert "Q-02: A condition can look at a choice" in answer.get_data(as_text=True)
    assert from_json(rules.content).questions[0].kind == "one"


def test_questions_change_places(session: Session, administrator: FlaskClient, rules: RuleSetVersion) -> None:
    before = codes(session, rules)
    for path, to, order in (
        ("Q-01/move", "up", before),
        ("Q-01/move", "down", [before[1], before[0], *before[2:]]),
        ("Q-01/move", "up", before),
        (f"{before[-1]}/move", "down", before),
    ):
        assert send(administrator, rules, path, to=to).status_code == 303
        assert codes(session, rules) == order


def test_a_question_is_removed_unless_another_depends_on_it(
    session: Session, administrator: FlaskClient, rules: RuleSetVersion
) -> None:
    answer = send(administrator, rules, "Q-01/remove")
    assert answer.status_code == 422
    assert "Q-01 cannot be removed: Q-02 depend on it." in answer.get_data(as_text=True)
    assert send(administrator, rules, "Q-02/remove").status_code == 303
    session.expire_all()
    assert send(administrator, rules, "Q-01/remove").status_code == 303
    assert codes(session, rules)[0] == "Q-03"
    assert send(administrator, rules, "Q-01/remove").status_code == 404


def test_the_usual_questions_are_taken_over_once(session: Session, administrator: FlaskClient) -> None:
    row = of(session, factory.tender(session, tracks=(IS,)))
    session.commit()
    assert "No questions yet" in administrator.get(base(row)).get_data(as_text=True)
    assert send(administrator, row, "usual").status_code == 303
    assert len(codes(session, row)) == 10
    send(administrator, row, "Q-06/remove")
    send(administrator, row, "usual")
    assert len(codes(session, row)) == 9


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_preview_asks_as_an_application_does(
    administrator: FlaskClient, rules: RuleSetVersion, language: str
) -> None:
    page = administrator.get(f"{base(rules)}/preview?lang={language}").get_data(as_text=True)
    for name in ("Q-01", "Q-02", "Q-04.rcc", "Q-14"):
        assert f'name="{name}"' in page
    assert 'data-of="Q-11" data-test="equals" data-values="yes"' in page


def test_frozen_and_stale_rules_are_not_changed(
    session: Session, administrator: FlaskClient, rules: RuleSetVersion
) -> None:
    answer = administrator.post(f"{base(rules)}/Q-06/remove", data=form(version=rules.version + 1))
    assert answer.status_code == 409
    frozen = of(session, factory.open_tender(session, tracks=(IS,), rules={"questions": load_questions(IS)}))
    session.commit()
    for path, values in (("Q-06/remove", {}), ("Q-06/move", {"to": "up"}), ("Q-06", FILLED), ("new", FILLED)):
        assert send(administrator, frozen, path, **values).status_code == 409
    assert len(codes(session, frozen)) == 10


def test_the_public_reads_the_questions_with_the_rules(session: Session, client: FlaskClient) -> None:
    tender = factory.open_tender(session, tracks=(IS,), rules={"questions": load_questions(IS)})
    session.commit()
    page = client.get(f"/tenders/{tender.code}/rules/{IS}?lang=en")
    assert "How many retraining places does the project create?" in page.get_data(as_text=True)
