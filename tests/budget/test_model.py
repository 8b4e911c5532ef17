"""The ledger against a model of it: any run of movements on real PostgreSQL ends where plain arithmetic ends."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from portal.budget import queries, rules
from portal.budget.ledger import Overdrawn, post
from portal.budget.models import Account, Envelope, Posting, PostingKind
from portal.core.clock import now
from portal.core.errors import Conflict
from tests.factories import budget
from tests.factories import tenders as tenders_factory

YEARS = (2018, 2019, 2020)
money = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("100.00"), places=2)
by_year = st.dictionaries(st.sampled_from(YEARS), money, min_size=1)
serial = itertools.count(1)

KINDS = {
    PostingKind.APPROPRIATE: rules.appropriate,
    PostingKind.RESERVE: rules.reserve,
    PostingKind.RELEASE: rules.release,
    PostingKind.COMMIT: rules.commit,
    PostingKind.PAY: rules.pay,
    PostingKind.RETURN: rules.give_back,
}


class Ledger(RuleBasedStateMachine):
    """Random movements, reversals and replays on three envelopes."""

    session: Session
    postings: Bundle[Posting] = Bundle("postings")

    @initialize()
    def open_envelopes(self) -> None:
        self.programme = tenders_factory.programme(self.session, f"M{next(serial)}")
        self.envelopes: dict[int, Envelope] = {
            year: budget.envelope(self.session, self.programme.id, year=year) for year in YEARS
        }
        self.years = {row.id: year for year, row in self.envelopes.items()}
        self.model = {year: dict.fromkeys(Account, Decimal("0.00")) for year in YEARS}
        self.reversed: set[object] = set()

    def move(self, kind: PostingKind, lines: list[rules.Line], reverses: Posting | None = None) -> Posting | None:
        """Post, and expect what the model expects: either all lines, or none."""
        after = {year: dict(balances) for year, balances in self.model.items()}
        for line in lines:
            after[self.years[line.envelope_id]][line.account] += line.amount
        possible = not any(rules.floors(balances) for balances in after.values())
        try:
            posting = post(
                self.session,
                budget.ACTOR,
                key=f"model:{next(serial)}",
                kind=kind,
                lines=lines,
                reason="Model",
                document="№ 1",
                reverses=reverses.id if reverses else None,
            )
        except Overdrawn:
            assert not possible
            return None
        assert possible
        self.model = after
        return posting

    @rule(target=postings, kind=st.sampled_from(sorted(KINDS)), amounts=by_year)
    def movement(self, kind: PostingKind, amounts: dict[int, Decimal]) -> object:
        lines = KINDS[kind]({self.envelopes[year].id: amount for year, amount in amounts.items()})
        return self.move(kind, lines) or multiple()

    @rule(target=postings, year=st.sampled_from(YEARS), change=money, down=st.booleans())
    def adjustment(self, year: int, change: Decimal, down: bool) -> object:
        lines = rules.adjust({self.envelopes[year].id: -change if down else change})
        return self.move(PostingKind.ADJUST, lines) or multiple()

    @rule(posting=postings)
    def reversal(self, posting: Posting) -> None:
        lines = rules.reverse(
            rules.Line(line.envelope_id, Account(line.account), line.amount)
            for line in queries.posting_of(self.session, budget.ACTOR, posting.id).lines
        )
        if posting.id in self.reversed:
            with pytest.raises(Conflict):
                self.move(PostingKind.REVERSE, lines, posting)
        elif self.move(PostingKind.REVERSE, lines, posting):
            self.reversed.add(posting.id)

    @rule(posting=consumes(postings))
    def replay(self, posting: Posting) -> None:
        again = post(
            self.session,
            budget.ACTOR,
            key=posting.key,
            kind=PostingKind(posting.kind),
            lines=[
                rules.Line(line.envelope_id, Account(line.account), line.amount)
                for line in queries.posting_of(self.session, budget.ACTOR, posting.id).lines
            ],
            reason="Model",
            document="№ 1",
        )
        assert again.id == posting.id

    def teardown(self) -> None:
        if not hasattr(self, "programme"):
            return
        self.session.commit()
        figures = queries.by_programme(self.session, budget.ACTOR, self.programme.id)
        assert {row.year: row.balances for row in figures} == self.model
        replayed = queries.as_of(self.session, budget.ACTOR, self.programme.id, now(self.session), including=True)
        assert replayed == figures


@pytest.mark.slow
def test_ledger_is_its_model(session: Session) -> None:
    machine = type("Machine", (Ledger,), {"session": session})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
    count, fault = queries.verify(session)
    assert fault is None
    assert count > 300
