"""Next year's tender in preparation: its rules give other weights, and were tried on the applications of 2018."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select

from portal.core.clock import MOSCOW
from portal.demo.moments import moment, work
from portal.demo.people import People
from portal.demo.programme import NOTICE_EN, NOTICE_RU
from portal.scoring import checks, dry_runs
from portal.scoring.models import Manifest, ScoreRun
from portal.tenders import service as tenders
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.ruleset import from_json, to_json
from portal.tenders.values import TenderValues

WEIGHTS: Final = {"CR-01": Decimal(10), "CR-03": Decimal(25), "CR-06": Decimal(20)}
"""Less for private money, more for the fall of imports and for jobs; together what they were."""


def load(people: People, programme_id: UUID) -> None:
    """The draft of the tender, a dry run of its rules, and a run of 2018 computed again."""
    instant = datetime.now(MOSCOW)
    year = instant.year + 1
    with moment(instant) as session:
        actor = people.actor(session, "admin")
        values = TenderValues(
            code=str(year),
            year=year,
            title_ru=f"Отбор совместных проектов {year} года",
            title_en=f"Joint projects tender {year}",
            notice_ru=NOTICE_RU,
            notice_en=NOTICE_EN,
            opens=datetime.fromisoformat(f"{year}-02-15T09:00"),
            closes=datetime.fromisoformat(f"{year}-03-17T18:00"),
        )
        row = tenders.create_tender(
            session, actor, programme_id=programme_id, values=values, tracks={Track.IMPORT_SUBSTITUTION: None}
        )
        held = session.scalars(select(TenderTrack).where(TenderTrack.tender_id == row.id)).one()
        version = session.get_one(RuleSetVersion, held.rule_set_id)
        rules = from_json(version.content)
        criteria = tuple(replace(item, weight=WEIGHTS.get(item.code, item.weight)) for item in rules.criteria)
        content = to_json(replace(rules, version=f"{year}.1", criteria=criteria))
        tenders.edit_rules(session, actor, held.rule_set_id, content=content, expected_version=version.version)
        run_id = session.scalars(
            select(ScoreRun.id)
            .join(Manifest, Manifest.run_id == ScoreRun.id)
            .join(TenderTrack, TenderTrack.id == ScoreRun.tender_track_id)
            .join(Tender, Tender.id == TenderTrack.tender_id)
            .where(Tender.code == "2018", TenderTrack.track == Track.IMPORT_SUBSTITUTION)
            .order_by(ScoreRun.id.desc())
        ).first()
        assert run_id is not None
        dry_runs.start_dry_run(session, people.actor(session, "officer"), rule_set_id=held.rule_set_id, run_id=run_id)
        checks.start_check(session, people.actor(session, "auditor"), run_id)
    work(instant)
