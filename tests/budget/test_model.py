"""The ledger against a model of it: any run of movements on real PostgreSQL ends where plain arithmetic ends.

``FULL=1 python -m pytest -q tests/budget/test_model.py`` runs 500 stories, otherwise twenty-five.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
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
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.budget import orders, queries, rules, service
from portal.budget.ledger import Overdrawn, post
from portal.budget.models import Account, Envelope, Posting, PostingKind
from portal.core.clock import now
from portal.core.errors import Conflict, Problems
from portal.identity.models import Role
from portal.identity.policy import Actor
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory

YEARS = (2018, 2019, 2020)
GIVEN = Decimal("300.00")
EXAMPLES = 500 if os.environ.get("FULL") else 12
money = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("100.00"), places=2)
by_year = st.dictionaries(st.sampled_from(YEARS), money, min_size=1)
year = st.sampled_from(YEARS)
serial = itertools.count(1)

HELD = {
    "reserve": (service.reserve, {}, Account.AVAILABLE, Account.RESERVED),
    "commit": (service.commit, {}, Account.RESERVED, Account.COMMITTED),
    "pay": (service.pay, {}, Account.COMMITTED, Account.PAID),
    "give_back": (service.give_back, {}, Account.PAID, Account.RETURNED),
    "release": (service.release, {}, Account.RESERVED, Account.AVAILABLE),
    "shrink": (service.release, {"source": Account.COMMITTED}, Account.COMMITTED, Account.AVAILABLE),
}

Balances = dict[int, dict[Account, Decimal]]


class Ledger(RuleBasedStateMachine):
    """Random movements of three awards and of orders over three envelopes, reversals and replays."""

    session: Session
    officers: tuple[Actor, Actor]
    postings: Bundle[Posting] = Bundle("postings")

    @initialize()
    def open_envelopes(self) -> None:
        self.programme = tenders_factory.programme(self.session, f"M{next(serial)}")
        self.envelopes: dict[int, Envelope] = {
            year: budget.envelope(self.session, self.programme.id, year=year, amount=GIVEN) for year in YEARS
        }
        self.years = {row.id: year for year, row in self.envelopes.items()}
        given = {**dict.fromkeys(Account, Decimal(0)), Account.APPROPRIATION: -GIVEN, Account.AVAILABLE: GIVEN}
        self.model: Balances = {year: dict(given) for year in YEARS}
        self.subjects = [("decision_line", uuid4()) for _ in range(3)]
        self.held: dict[tuple[int, int, Account], Decimal] = defaultdict(Decimal)
        self.reversed: set[UUID] = set()
        self.history: list[tuple[datetime, Balances]] = []
        for award, verbs in enumerate((["reserve"], ["reserve", "commit"], ["reserve", "commit", "pay"])):
            for verb in verbs:
                self.move(verb, award, dict.fromkeys(YEARS, Decimal(50)))

    def expect(self, lines: list[rules.Line]) -> Balances | None:
        """What the balances are after the lines, or None when a floor would break."""
        after = {year: dict(balances) for year, balances in self.model.items()}
        for line in lines:
            after[self.years[line.envelope_id]][line.account] += line.amount
        return None if any(rules.floors(balances) for balances in after.values()) else after

    def note(self, posting: Posting, after: Balances) -> Posting:
        self.model = after
        self.history.append((posting.at, after))
        return posting

    def order(self, kind: PostingKind, lines: list[rules.Line], reverses: Posting | None = None) -> Posting | None:
        """Post, and expect what the model expects: either all lines, or none."""
        after = self.expect(lines)
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
            assert after is None
            return None
        assert after is not None
        return self.note(posting, after)

    def signed(
        self, kind: PostingKind, source: UUID, target: UUID | None, amount: Decimal, lines: list[rules.Line]
    ) -> None:
        """An order of two people, refused when it is drafted where a floor would break."""
        after = self.expect(lines)
        drafter, signer = self.officers
        try:
            drafted = orders.draft(
                self.session,
                drafter,
                kind=kind,
                source_id=source,
                target_id=target,
                amount=amount,
                order="№ 1",
                reason="Model",
            )
        except Problems:
            assert after is None
            return
        assert after is not None
        row = orders.sign(self.session, signer, drafted.id)
        self.note(self.session.get_one(Posting, row.posting_id), after)

    @rule(target=postings, amounts=by_year)
    def appropriation(self, amounts: dict[int, Decimal]) -> object:
        lines = rules.appropriate({self.envelopes[year].id: amount for year, amount in amounts.items()})
        return self.order(PostingKind.APPROPRIATE, lines) or multiple()

    @rule(target=postings, year=year, change=money, down=st.booleans())
    def adjustment(self, year: int, change: Decimal, down: bool) -> object:
        lines = rules.adjust({self.envelopes[year].id: -change if down else change})
        return self.order(PostingKind.ADJUST, lines) or multiple()

    @rule(giver=year, taker=year, amount=money, over=st.booleans())
    def moves_between_envelopes(self, giver: int, taker: int, amount: Decimal, over: bool) -> None:
        if giver == taker:
            return
        ends = (self.envelopes[giver].id, self.envelopes[taker].id)
        if over and taker == giver + 1:
            self.signed(PostingKind.CARRY_OVER, *ends, amount, rules.carry_over(*ends, amount))
        else:
            self.signed(PostingKind.REALLOCATE, *ends, amount, rules.reallocate(*ends, amount))

    @rule(year=year, amount=money)
    def returned_money_is_restored(self, year: int, amount: Decimal) -> None:
        key = self.envelopes[year].id
        self.signed(PostingKind.RESTORE, key, None, amount, rules.restore({key: amount}))

    @rule(verb=st.sampled_from(sorted(HELD)), award=st.integers(0, 2), amounts=by_year, all_of_it=st.booleans())
    def movement(self, verb: str, award: int, amounts: dict[int, Decimal], all_of_it: bool) -> None:
        if all_of_it:
            source = HELD[verb][2]
            amounts = {y: self.held.get((award, y, source)) or amount for y, amount in amounts.items()}
        self.move(verb, award, amounts)

    def move(self, verb: str, award: int, amounts: dict[int, Decimal]) -> None:
        """A movement of an award, which goes through when the award holds enough and no floor breaks."""
        move, options, source, target = HELD[verb]
        enough = source is Account.AVAILABLE or all(self.held[award, y, source] >= a for y, a in amounts.items())
        lines = [
            rules.Line(self.envelopes[y].id, account, sign * amount)
            for y, amount in amounts.items()
            for account, sign in ((source, -1), (target, 1))
        ]
        after = self.expect(lines) if enough else None
        try:
            posting = move(
                self.session,
                budget.ACTOR,
                key=f"model:{next(serial)}",
                programme_id=self.programme.id,
                track=self.envelopes[2018].track,
                amounts=amounts,
                reason="Model",
                document="№ 1",
                subject=self.subjects[award],
                **options,
            )
        except (Overdrawn, Problems):
            assert after is None
            return
        assert after is not None
        self.note(posting, after)
        for y, amount in amounts.items():
            for account, sign in ((source, -1), (target, 1)):
                if account is not Account.AVAILABLE:
                    self.held[award, y, account] += sign * amount

    @rule(posting=postings)
    def reversal(self, posting: Posting) -> None:
        lines = rules.reverse(service.lines_of(self.session, posting.id))
        if posting.id in self.reversed:
            with pytest.raises(Conflict):
                self.order(PostingKind.REVERSE, lines, posting)
        elif self.order(PostingKind.REVERSE, lines, posting):
            self.reversed.add(posting.id)

    @rule(posting=consumes(postings))
    def replay(self, posting: Posting) -> None:
        again = post(
            self.session,
            budget.ACTOR,
            key=posting.key,
            kind=PostingKind(posting.kind),
            lines=service.lines_of(self.session, posting.id),
            reason="Model",
            document="№ 1",
        )
        assert again.id == posting.id

    def teardown(self) -> None:
        if not hasattr(self, "programme"):
            return
        self.session.commit()
        self.session.execute(text("set constraints all immediate"))
        self.session.execute(text("set constraints all deferred"))
        figures = queries.by_programme(self.session, budget.ACTOR, self.programme.id)
        assert {row.year: row.balances for row in figures} == self.model
        assert all(sum(row.balances.values()) == 0 and not rules.floors(row.balances) for row in figures)
        assert self.as_of(now(self.session)) == self.model
        for instant, balances in self.history:
            assert self.as_of(instant) == balances

    def as_of(self, instant: datetime) -> Balances:
        found = queries.as_of(self.session, budget.ACTOR, self.programme.id, instant, including=True)
        return {row.year: dict(row.balances) for row in found}


@pytest.mark.slow
def test_ledger_is_its_model(session: Session) -> None:
    officers = tuple(identity.actor(session, identity.user(session, Role.ADMINISTRATOR)) for _ in range(2))
    machine = type("Machine", (Ledger,), {"session": session, "officers": officers})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=16,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=[Phase.generate],  # a story that fails is short enough to read; making it shorter takes minutes
        ),
    )
    count, fault = queries.verify(session)
    assert fault is None
    assert count > EXAMPLES * 12
