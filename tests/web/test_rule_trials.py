"""Pages of dry runs: starting one, watching it, reading who would have moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Role, User
from portal.scoring import dry_runs
from portal.scoring.models import DryRun
from portal.tenders.models import RuleSetVersion, TenderTrack
from tests.conftest import form
from tests.factories import identity, tenders
from tests.factories.submissions import track_of
from tests.web.test_scoring import scored

SignIn = Callable[[User], FlaskClient]


def drafted(session: Session) -> TenderTrack:
    """A tender in preparation whose rules give another weight to two criteria."""
    track = track_of(tenders.tender(session))
    rules = session.get_one(RuleSetVersion, track.rule_set_id)
    criteria = [dict(each) for each in rules.content["criteria"]]
    criteria[0]["weight"], criteria[3]["weight"] = criteria[3]["weight"], criteria[0]["weight"]
    rules.content = {**rules.content, "criteria": criteria}
    session.flush()
    return track


@pytest.mark.parametrize("count", [1, 3])
def test_an_officer_tries_rules_and_reads_who_moves(
    session: Session, sign_in: SignIn, count_queries: Any, count: int
) -> None:
    _, run = scored(session, count)
    track = drafted(session)
    client = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    path = f"/staff/rules/{track.rule_set_id}/trials"
    answer = client.post(path, data=form(run_id=str(run.id)))
    assert answer.status_code == 303
    page = client.get(answer.location)
    assert "Dry run" in page.text
    assert "<html" not in client.get(answer.location, headers={"HX-Request": "true"}).text
    trial = session.scalars(select(DryRun)).one()
    while not dry_runs.step_dry_run(session, trial.id).finished:
        pass
    session.commit()
    with count_queries() as statements:
        page = client.get(answer.location)
    assert (page.status_code, len(statements)) == (200, 7)
    assert page.text.count("<circle") == (2 * count if count > 1 else 0)
    assert "CR-01" in page.text
    assert "as they are now" in client.get(path).text


def test_a_run_that_does_not_exist_is_told(session: Session, sign_in: SignIn) -> None:
    scored(session, 1)
    track = drafted(session)
    client = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    path = f"/staff/rules/{track.rule_set_id}/trials"
    for typed in ("", "no-run", str(track.id)):
        answer = client.post(path, data=form(run_id=typed), follow_redirects=True)
        assert "Choose a run over the same track that has ended." in answer.text
    assert session.scalars(select(DryRun)).all() == []
