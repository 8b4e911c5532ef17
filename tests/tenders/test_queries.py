"""Reading tenders: the status in SQL, scopes, and a fixed number of statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import now
from portal.core.errors import NotFound
from portal.identity.models import Role
from portal.identity.policy import ANONYMOUS, scope
from portal.tenders import queries
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.rules import TenderStatus, status
from tests.factories import identity
from tests.factories import tenders as factory

HOUR = timedelta(hours=1)


def one_of_each(session: Session) -> dict[TenderStatus, Tender]:
    at = now(session)
    return {
        TenderStatus.DRAFT: factory.tender(session),
        TenderStatus.ANNOUNCED: factory.open_tender(session, opens_at=at + HOUR),
        TenderStatus.OPEN: factory.open_tender(session),
        TenderStatus.CLOSED: factory.closed_tender(session),
        TenderStatus.DECIDED: factory.closed_tender(session, results_published_at=at),
        TenderStatus.CANCELLED: factory.open_tender(session, cancelled_at=at, cancel_reason="Reason"),
    }


def test_status_in_sql_and_in_python_agree(session: Session) -> None:
    rows = one_of_each(session)
    dated = factory.tender(session, opens_at=now(session), closes_at=now(session) + HOUR)
    expected = {row.id: word for word, row in rows.items()} | {dated.id: TenderStatus.DRAFT}
    found = session.execute(select(Tender, queries.STATUS)).all()
    assert {row.id: TenderStatus(word) for row, word in found} == expected
    assert {row.id: status(row, now(session)) for row, _ in found} == expected


def test_visitors_see_what_is_published_and_the_fund_also_drafts(session: Session) -> None:
    rows = one_of_each(session)
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    draft = rows[TenderStatus.DRAFT]
    assert draft not in session.scalars(scope(ANONYMOUS, Tender)).all()
    assert draft in session.scalars(scope(officer, Tender)).all()
    assert len(session.scalars(scope(ANONYMOUS, TenderTrack)).all()) == 10
    assert len(session.scalars(scope(officer, TenderTrack)).all()) == 12
    assert len(session.scalars(scope(ANONYMOUS, RuleSetVersion)).all()) == 10
    for read in (
        lambda: queries.by_code(session, ANONYMOUS, draft.code),
        lambda: queries.by_id(session, ANONYMOUS, draft.id),
        lambda: queries.track_with_rules(session, ANONYMOUS, draft.code, Track.EXPORT),
        lambda: queries.rule_set_place(session, ANONYMOUS, factory.track_of(draft).rule_set_id),
    ):
        with pytest.raises(NotFound):
            read()
    assert queries.rules_of(session, ANONYMOUS, draft.id) == {}
    assert sorted(queries.rules_of(session, officer, draft.id)) == ["export", "import_substitution"]


def test_lists_hold_what_they_say(session: Session) -> None:
    rows = one_of_each(session)
    current = {row.tender.id: row.status for row in queries.current(session, ANONYMOUS)}
    assert current == {rows[word].id: word for word in (TenderStatus.ANNOUNCED, TenderStatus.OPEN, TenderStatus.CLOSED)}
    home = {row.status for row in queries.on_home(session, ANONYMOUS)}
    assert home == {TenderStatus.ANNOUNCED, TenderStatus.OPEN, TenderStatus.CLOSED, TenderStatus.DECIDED}
    assert {source.tender_code for source in queries.sources(session)} == {row.code for row in rows.values()}


@pytest.mark.parametrize("rows", [1, 3])
def test_home_reads_tenders_in_two_statements(session: Session, count_queries: Callable[[], Any], rows: int) -> None:
    for _ in range(rows):
        factory.open_tender(session)
    session.expire_all()
    with count_queries() as statements:
        found = queries.on_home(session, ANONYMOUS)
        assert [track.rule_set.title_en for row in found for track in row.tracks]
        assert all(row.tender.programme.code for row in found)
    assert (len(found), len(statements)) == (rows, 2)
