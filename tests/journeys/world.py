"""What is there before a journey begins: a tender with its money, a cluster, the fund's people, one partner."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from flask import Flask
from flask_security.utils import hash_password
from sqlalchemy import select, text

from portal.budget import service as budget
from portal.core.db import db, session, transaction
from portal.identity.models import Organisation, OrgRole, Role, User
from portal.tenders.models import Track
from tests.factories import clusters, identity, tenders
from tests.journeys.people import PASSWORD

CODE = "2018"
YEARS = (2018, 2019, 2020)
MILLION = Decimal(1_000_000)


@dataclass
class World:
    """Keys and addresses; nothing that belongs to a database session."""

    app: Flask
    tender_id: UUID
    track_id: UUID
    programme_id: UUID
    cluster_id: UUID
    partner_id: UUID
    family: str
    """What the addresses of this world have in common: the letters of all tests arrive in one folder."""

    def address(self, name: str) -> str:
        return f"{name}.{self.family}@demo.example"

    def uniquifier(self, name: str) -> str:
        """What the sessions of somebody of this world are bound to."""
        with self.app.app_context():
            found = session().scalars(select(User.fs_uniquifier).where(User.email == self.address(name))).one()
            session().rollback()
        return found

    def close_intake(self, days: int = 0) -> None:
        """Let intake end now, or in ``days``: no verb shortens or reopens it, so the row is changed by hand."""
        with self.app.app_context(), transaction() as current:
            statement = text(
                "update tender set closes_at = clock_timestamp() + make_interval(days => :days) where id = :key"
            )
            current.execute(statement, {"key": self.tender_id, "days": days})

    def scalar(self, statement: str, **values: object) -> object:
        """One value straight from the database."""
        found: object = session().scalar(text(statement), values)
        return found


def build(app: Flask, language_of: Callable[[str], str]) -> World:
    """The world of one journey; everybody's letters are in their language."""
    family = secrets.token_hex(3)
    with app.app_context(), transaction() as current:
        password = hash_password(PASSWORD)

        def person(name: str, *roles: Role, of: Organisation | None = None) -> User:
            row = identity.user(
                current,
                *roles,
                email=f"{name}.{family}@demo.example",
                locale=language_of(name),
                name=f"Demo {name.title()}",
            )
            row.password = password
            if of is not None:
                current.add(identity.Membership(user_id=row.id, organisation_id=of.id, role=OrgRole.OWNER))
            current.flush()
            return row

        admin = person("administrator", Role.ADMINISTRATOR)
        for name, role in (
            ("officer", Role.OFFICER),
            ("expertone", Role.REVIEWER),
            ("experttwo", Role.REVIEWER),
            ("chair", Role.CHAIR),
            ("commission", Role.COMMISSION),
            ("auditor", Role.AUDITOR),
        ):
            person(name, role)
        centre = identity.organisation(
            current, name="", name_ru="ООО «Демо-Центр кластера»", name_en="Demo Cluster Centre LLC"
        )
        person("centre", of=centre)
        partner = identity.organisation(
            current, sme="small", name_ru="ООО «Демо-Партнёр»", name_en="Demo Partner LLC", offshore_share=Decimal(0)
        )
        person("partner", of=partner)
        cluster = clusters.cluster(
            current, spec_org=centre, name_ru="Демо-кластер арматуры", name_en="Demo valve cluster"
        )
        clusters.membership(current, cluster, partner)
        tender = tenders.open_tender(current, code=CODE)
        actor = identity.actor(current, admin)
        for year in YEARS:
            envelope = budget.open_envelope(
                current, actor, programme_id=tender.programme_id, track=Track.IMPORT_SUBSTITUTION, year=year
            )
            budget.appropriate(
                current,
                actor,
                envelope.id,
                key=f"journey:{year}",
                amount=600 * MILLION,
                order="DEMO-1",
                reason="Demo appropriation",
            )
        world = World(app, tender.id, tenders.track_of(tender).id, tender.programme_id, cluster.id, partner.id, family)
    with app.app_context():
        db.session.remove()
    return world
