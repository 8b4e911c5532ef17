"""The whole history of the demo in its order."""

from __future__ import annotations

import time

from portal.core.db import db
from portal.demo import (
    agreed,
    budget_orders,
    cluster_life,
    clusters,
    pool,
    programme,
    rehearsal,
    tender_2016,
    tender_2018,
    tender_blind,
    tender_joint,
    tender_open,
    tender_parts,
    tender_sealed,
    ties,
    treasury,
)
from portal.demo.filing import Register
from portal.demo.moments import moment, moscow
from portal.demo.people import People
from portal.demo.sign_ins import CENTRE, EDITOR, INITIATOR, PARTNER, VIEWER
from portal.identity.models import OrgRole


def load() -> None:
    """Register, people, programme, then one tender after another."""
    began = time.monotonic()
    people, register = _people()
    programme_id = programme.create(people)
    _say(began, "register, people and programme")
    sums = {programme.IMPORTS: programme.SPLIT_2016}
    programme.give(people, programme_id, moscow(2016, 8, 8), "ДЕМО-3", sums)
    tender_2016.load(people, register, programme_id)
    signed = agreed.begin(people)
    budget_orders.carry_over(people, programme_id)
    agreed.go_on(people, signed)
    treasury.load(people)
    _say(began, "tender of 2016, its agreements")
    programme.give(people, programme_id, moscow(2018, 1, 22), "ДЕМО-12", programme.years_of(2018))
    tender = tender_2018.load(people, register, programme_id)
    _say(began, "tender of 2018")
    cluster_life.load(people, register)
    _say(began, "life of the clusters")
    ties.load(people)
    _say(began, "ties of the experts")
    tender_parts.load(people, register, programme_id)
    _say(began, "tender with partial funding")
    tender_open.load(people, register, programme_id)
    cluster_life.post(people, register)
    pool.propose(people, tender)
    _say(began, "open tender")
    tender_joint.load(people, register, programme_id)
    _say(began, "tender with limits over both tracks")
    tender_sealed.load(people, register, programme_id)
    tender_blind.load(people, register, programme_id)
    _say(began, "sealed and blind tenders")
    agreed.alarms(people, programme_id)
    rehearsal.load(people, programme_id)
    budget_orders.propose(people, programme_id)
    _say(began, "rules in preparation")
    db.session.remove()


def _people() -> tuple[People, Register]:
    people = People()
    with moment(moscow(2016, 6, 24)) as session:
        people.admit_fund(session)
        register = Register.of(clusters.load(session))
        first, second = register.members["D1"][:2]
        people.join(session, INITIATOR, first, OrgRole.OWNER)
        people.join(session, EDITOR, first, OrgRole.EDITOR)
        people.join(session, VIEWER, first, OrgRole.VIEWER)
        people.join(session, PARTNER, second, OrgRole.SIGNATORY)
        people.join(session, CENTRE, register.centres["D1"], OrgRole.OWNER)
    return people, register


def _say(began: float, what: str) -> None:
    print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)  # noqa: T201 - progress of `make run`
