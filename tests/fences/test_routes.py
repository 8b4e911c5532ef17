"""Every route as every role: who gets in, who is refused, and that nobody sees what is not theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal.web.problem_json import JSON
from portal.web.security import LIBRARY_ROUTES
from tests.fences.stage import (
    AGENDA_CANARY,
    BOARD_CANARY,
    DRAFT_CANARY,
    MESSAGE_CANARY,
    NOTE_CANARY,
    OWN_SCENARIO_CANARY,
    QUESTION_CANARY,
    READERS,
    REVIEW_CANARY,
    ROADMAP_CANARY,
    SCENARIO_CANARY,
    TEASER_CANARY,
    VOLUME_CANARY,
    Stage,
    form,
    staged,
    url_of,
)

pytestmark = pytest.mark.slow

TABLE: Final = Path(__file__).with_name("routes.txt")
"""One line for each route, application and method: ``endpoint [draft|sent] METHOD: those who are let in``.

Let in means any answer but "sign in first", "you may not" and "there is no such thing". ``WRITE_ROUTES=1`` writes
the table anew, for the author to read before committing it.
"""
REFUSED: Final = frozenset({401, 403, 404})
SHARES: Final = 4
OWN: Final = frozenset({"viewer", "editor", "owner", "partner"})
"""Those who may read the initiator's draft."""
KEEPERS: Final = frozenset({"centre", "administrator", "auditor"})
"""Those who may read the draft of the roadmap of the initiator's cluster."""
CIRCLE: Final = OWN | KEEPERS | {"officer", "chair", "commission"}
"""Those who may read the figures of the cluster's single members."""
CORRESPONDENTS: Final = OWN | {"officer", "administrator", "auditor"}
"""Those who may read the messages about its submitted project."""
COMMISSION: Final = frozenset({"officer", "chair", "commission", "administrator", "auditor"})
"""Those who may read the agenda of a meeting in which the member of the commission has a seat."""
ASKER_KNOWN: Final = frozenset({"newcomer", "officer", "chair", "administrator", "auditor"})
"""The asker of the question, and those of the fund who read questions before they are answered."""


@pytest.fixture(scope="module")
def stage(demo_app: Flask) -> Iterator[Stage]:
    with staged(demo_app) as made:
        yield made


@pytest.mark.parametrize("share", range(SHARES))
def test_every_route_lets_in_exactly_those_of_the_table(stage: Stage, share: int) -> None:
    """In shares, so that the workers of a session divide them."""
    observed: dict[str, str] = {}
    faults: list[str] = []
    for rule, which in _asked(stage.app)[share::SHARES]:
        values = stage.draft if which == "draft" else stage.sent
        url = url_of(stage.app, rule, values)
        for method in _methods(rule):
            line = _line(rule, which, method)
            observed[line] = _ask_all(stage, method, url, line, faults, form(rule.endpoint, values))
    expected = _expected()
    if os.environ.get("WRITE_ROUTES"):
        written = sorted({**expected, **observed}.items())
        TABLE.write_text("".join(f"{line}: {let_in}\n" for line, let_in in written))
    assert faults == []
    assert observed == {line: expected.get(line) for line in observed}


@pytest.mark.skipif("ROUTES" in os.environ, reason="only a topic is asked")
def test_the_table_has_no_other_lines(demo_app: Flask) -> None:
    lines = {_line(rule, which, method) for rule, which in _asked(demo_app) for method in _methods(rule)}
    if os.environ.get("WRITE_ROUTES"):
        kept = {line: let_in for line, let_in in _expected().items() if line in lines}
        TABLE.write_text("".join(f"{line}: {let_in}\n" for line, let_in in sorted(kept.items())))
    assert sorted(_expected().keys() - lines) == []


def _asked(app: Flask) -> list[tuple[Rule, str]]:
    """Rules with the application that they are asked for; ``ROUTES=budget.`` narrows them to a topic's."""
    topic = os.environ.get("ROUTES", "")
    return [(rule, which) for rule in _rules(app) if rule.endpoint.startswith(topic) for which in _which(rule)]


def _methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) & {"GET", "PATCH", "POST"})


def _line(rule: Rule, which: str, method: str) -> str:
    return " ".join(part for part in (rule.endpoint, which, method) if part)


def _ask_all(stage: Stage, method: str, url: str, line: str, faults: list[str], fields: dict[str, str]) -> str:
    let_in = []
    for name in READERS:
        with stage.undone():
            # Refusals come as JSON: two of three answers are refusals, and drawing them is a third of the time.
            answer = stage.clients[name].open(
                url, method=method, data=fields if method == "POST" else None, headers={"Accept": JSON}
            )
            body = answer.get_data()
        if answer.status_code >= 500:
            faults.append(f"{line} as {name}: {answer.status_code}")
        faults += [f"{line} as {name} shows {what}" for what in _leaks(name, body)]
        if not _refused(answer):
            let_in.append(name)
    return "all" if len(let_in) == len(READERS) else ", ".join(let_in) or "nobody"


def _leaks(name: str, body: bytes) -> list[str]:
    """What an answer shows to somebody whom it is not meant for."""
    text = body.decode(errors="replace")
    kept = (
        (DRAFT_CANARY, OWN, "the draft of another organisation"),
        (REVIEW_CANARY, {"reviewer"}, "a review that is not handed in"),
        (NOTE_CANARY, {"reviewer"}, "the private notes of a reviewer"),
        (SCENARIO_CANARY, {"officer", "chair", "commission", "auditor"}, "a scenario of the commission"),
        (OWN_SCENARIO_CANARY, {"officer"}, "a scenario that is not shared"),
        (MESSAGE_CANARY, CORRESPONDENTS, "a message that is not for them"),
        (QUESTION_CANARY, ASKER_KNOWN, "a question before it is answered"),
        (AGENDA_CANARY, COMMISSION, "the agenda of the commission"),
        (ROADMAP_CANARY, KEEPERS, "a roadmap that is not published"),
        (BOARD_CANARY, CIRCLE, "a post that is meant for another cluster"),
        (TEASER_CANARY, CIRCLE | {"stranger"}, "more than the teaser of a post"),
    )
    found = [what for canary, readers, what in kept if canary in text and name not in readers]
    if VOLUME_CANARY.search(text) and name not in CIRCLE:
        found.append("what a member of another cluster supplies")
    return found


def _refused(answer: TestResponse) -> bool:
    if answer.status_code in REFUSED:
        return True
    return answer.status_code == 302 and "/account/login" in answer.location


def _rules(app: Flask) -> list[Rule]:
    """All routes but those of the sign-in library, whose permissions a table of its own declares."""
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in LIBRARY_ROUTES]
    return sorted(found, key=lambda rule: (rule.endpoint, rule.rule))


def _which(rule: Rule) -> tuple[str, ...]:
    """Routes about an application are asked for the initiator's draft and for its submitted project."""
    return ("draft", "sent") if "application_id" in rule.arguments else ("",)


def _expected() -> dict[str, str]:
    lines = (line.partition(": ") for line in TABLE.read_text().splitlines() if line)
    return {line: let_in for line, _, let_in in lines}
