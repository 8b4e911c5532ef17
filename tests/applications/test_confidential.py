"""Figures that a participant keeps to itself: who sees them, and that no page tells them to others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.applications.following import dossier as dossiers
from portal.applications.partners.confidential import hidden_parts, seen_parts
from portal.identity.models import User
from portal.tenders.ruleset import Sight, from_json, to_json
from tests.factories import applications, packages

SignIn = Callable[[User], FlaskClient]
CANARY = "98765431"
"""Roubles in a cost line of the second participant, and in no sum of the project by themselves."""


@pytest.fixture
def secretive(session: Session, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sight], applications.Joint]:
    """Three participants under a rule set with the given sight; the second has a cost line of its own."""

    def made(sight: Sight) -> applications.Joint:
        joint = applications.filled(session, partners=2)
        part = joint.parts[1]
        session.execute(
            text(
                "update section set data = data || jsonb_build_object('CC-02.2018', cast(:sum as text))"
                " where participant_id = :part and name = 'costs'"
            ),
            {"sum": CANARY, "part": part.id},
        )
        rules = joint.dossier.rules
        changed = from_json({**to_json(rules), "confidential_parts": sight.value})
        monkeypatch.setattr(dossiers, "rules_in", lambda version: changed)
        session.commit()
        return joint

    return made


def test_a_rule_set_without_it_is_written_as_before() -> None:
    rules = packages.rules("import_substitution")
    assert "confidential_parts" not in to_json(rules)
    kept = from_json({**to_json(rules), "confidential_parts": "own"})
    assert kept.confidential_parts is Sight.OWN
    assert from_json(to_json(kept)) == kept


@pytest.mark.parametrize(
    ("sight", "seen_by_initiator", "seen_by_second", "seen_by_third"),
    [
        (Sight.ALL_PARTICIPANTS, {0, 1, 2}, {0, 1, 2}, {0, 1, 2}),
        (Sight.INITIATOR, {0, 1, 2}, {1}, {2}),
        (Sight.OWN, {0}, {1}, {2}),
    ],
)
def test_who_sees_whose_figures(
    session: Session,
    secretive: Callable[[Sight], applications.Joint],
    sight: Sight,
    seen_by_initiator: set[int],
    seen_by_second: set[int],
    seen_by_third: set[int],
) -> None:
    joint = secretive(sight)
    parts, rules = joint.parts, joint.dossier.rules
    for place, expected in enumerate((seen_by_initiator, seen_by_second, seen_by_third)):
        seen = seen_parts(parts, rules, (parts[place].organisation_id,))
        assert seen == {parts[index].id for index in expected}
        hidden = hidden_parts(joint.actor(place), joint.application, rules)
        assert hidden == {part.id for part in parts} - seen


def test_what_a_partner_signs_lists_no_hidden_totals(
    session: Session, secretive: Callable[[Sight], applications.Joint]
) -> None:
    joint = secretive(Sight.INITIATOR)
    first, second, third = joint.parts
    dossier = joint.dossier
    seen = dossier.binding(first).scope[f"partner:{second.id}"]
    assert {"costs_total", "financing_total"} <= set(seen)
    assert set(dossier.binding(third).scope[f"partner:{second.id}"]) == {"subsidy"}


def told(answer: Any) -> bool:
    """Whether the canary is in the answer, however it is grouped."""
    return CANARY in re.sub(r"[\s\u00a0\u202f,.'’]|&nbsp;|&#160;", "", answer.get_data().decode("utf-8", "replace"))


def test_no_page_tells_hidden_figures(
    app: Flask, session: Session, sign_in: SignIn, secretive: Callable[[Sight], applications.Joint]
) -> None:
    """Every GET page of an application, as its third participant; the second's own people see theirs."""
    joint = secretive(Sight.INITIATOR)
    part, attachment = joint.parts[1], joint.dossier.attached(joint.parts[1].id, "DOC-12")[0]
    values: dict[str, Any] = {
        "application_id": joint.id,
        "participant_id": part.id,
        "attachment_id": attachment.id,
        "name": "costs",
    }
    asked, refused, seen = 0, set(), set()
    own, other, lead = (sign_in(joint.owners[place]) for place in (1, 2, 0))
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("applications.") or "GET" not in (rule.methods or ()):
            continue
        known = {name: values.get(name, UUID(int=7)) for name in rule.arguments}
        with app.test_request_context():
            url = app.url_for(rule.endpoint, **known)
        answer = other.get(url)
        assert answer.status_code < 500, url
        assert not told(answer), f"{rule.endpoint} tells another's figures"
        asked += 1
        if answer.status_code == 403:
            refused.add(rule.endpoint.removeprefix("applications."))
        if told(own.get(url)):
            seen.add(rule.endpoint.removeprefix("applications."))
    assert asked > 25
    assert {"part_section", "part_documents", "part_tables_file", "download", "finance", "paper"} <= refused
    assert {"part_section", "sign"} <= seen
    assert told(lead.get(f"/applications/{joint.id}/participants/{part.id}/sections/costs"))
