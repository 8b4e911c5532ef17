"""``flask portal verify``: what it says, and that it fails where something is wrong."""

from __future__ import annotations

from uuid import uuid4

from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.budget.models import Posting
from tests.factories import budget
from tests.factories import tenders as tenders_factory


def test_verify_reports_and_fails_at_the_first_fault(app: Flask, session: Session) -> None:
    budget.envelope(session, tenders_factory.programme(session, f"P{uuid4().hex[:6]}").id, amount=100)
    session.commit()
    run = app.test_cli_runner().invoke
    good = run(args=["portal", "verify"])
    said = (
        "audit trail: 2 rows hold\npublished heads: 0 are in the trail\nrows: 0 are as they were sealed\n"
        "ledger: 1 postings hold\npayments of the treasury: 0 hold\nresults bundles: 0 are as they were made\n"
    )
    assert (good.exit_code, good.output) == (0, said)
    number = session.scalars(select(Posting.number)).one()
    session.execute(text("set constraints all immediate"))
    session.execute(text("alter table posting_line disable trigger user"))
    session.execute(text("update posting_line set amount = amount * 2"))
    session.execute(text("alter table posting_line enable trigger user"))
    session.commit()
    bad = run(args=["portal", "verify"])
    assert bad.exit_code == 1
    assert f"ledger: posting {number}: is not what the audit trail says of it" in bad.output
