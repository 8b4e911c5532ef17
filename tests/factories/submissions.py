"""Submitted applications in bulk, written as rows: for scoring runs, lists and races."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session, object_session

from portal.applications.models import Application, Participant, State, Submission
from portal.clusters.models import Cluster
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.db import uuid7
from portal.tenders.models import TRACK_CODES, Tender, TenderTrack, Track
from tests.factories import identity
from tests.factories.packages import package


def submitted(
    session: Session,
    tender: Tender,
    packages: Sequence[dict[str, Any]],
    *,
    track: Track = Track.IMPORT_SUBSTITUTION,
    state: State = State.SUBMITTED,
    apart: bool = False,
) -> list[UUID]:
    """One application per package, each with its frozen submission; returns the applications' ids in order.

    All by one new initiator, or each by one of its own where they are to be ``apart``.
    """
    tender_track = track_of(tender, track)
    cluster = session.scalar(select(Cluster).limit(1)) or _cluster(session)
    initiators = [identity.organisation(session) for _ in packages] if apart else [identity.organisation(session)]
    people = [identity.member(session, initiator) for initiator in initiators]
    start = now(session) - timedelta(hours=1)
    applications, submissions, participants = [], [], []
    for number, content, initiator, person in zip(
        itertools.count(tender_track.last_number + 1),
        packages,
        itertools.cycle(initiators),
        itertools.cycle(people),
        strict=False,
    ):
        application_id, submission_id = uuid7(), uuid7()
        received = start + timedelta(milliseconds=number)
        name = f"{tender.code}-{TRACK_CODES[track]}-{number:05d}"
        requested = sum(
            (int(float(amount)) for part in content["participants"] for amount in part["subsidy"].values()), 0
        )
        applications.append(
            {
                "id": application_id,
                "tender_id": tender.id,
                "tender_track_id": tender_track.id,
                "track": track,
                "cluster_id": cluster.id,
                "initiator_id": initiator.id,
                "state": state,
                "number": name,
                "title_ru": content["project"]["name_ru"],
                "title_en": content["project"]["name_en"],
                "requested_total": requested,
                "received_at": received,
                "created_by": person.id,
                "submission_id": submission_id,
                "version": 1,
            }
        )
        submissions.append(
            {
                "id": submission_id,
                "application_id": application_id,
                "tender_track_id": tender_track.id,
                "round": 1,
                "number": name,
                "received_at": received,
                "submitted_by": person.id,
                "snapshot": content,
                "sha256": digest(content),
            }
        )
        participants.append(
            {
                "id": uuid7(),
                "application_id": application_id,
                "organisation_id": initiator.id,
                "role": "initiator",
                "state": "accepted",
                "invited_by": person.id,
            }
        )
    later = [{**row, "state": State.DRAFT, "submission_id": None} for row in applications]
    session.execute(insert(Application), later)
    session.execute(insert(Submission), submissions)
    session.execute(insert(Participant), participants)
    session.connection().execute(
        update(Application.__table__)
        .where(Application.__table__.c.id == bindparam("key"))
        .values(state=state, submission_id=bindparam("submission")),
        [{"key": row["id"], "submission": row["submission_id"]} for row in applications],
    )
    tender_track.last_number += len(packages)
    session.flush()
    return [row["id"] for row in applications]


def track_of(tender: Tender, track: Track = Track.IMPORT_SUBSTITUTION) -> TenderTrack:
    """The tender's row of a track, read anew."""
    session = object_session(tender)
    assert session is not None
    return session.scalars(
        select(TenderTrack).where(TenderTrack.tender_id == tender.id, TenderTrack.track == track)
    ).one()


def varied(count: int, track: str = "import_substitution") -> list[dict[str, Any]]:
    """Packages that differ in what the criteria look at."""
    made = []
    for number in range(count):
        content = package(track, project={"hpj_new": 10 + number % 90, "irr": str(12 + number % 13)})
        content["project"]["name_en"] = f"Demo project {number}"
        made.append(content)
    return made


def _cluster(session: Session) -> Cluster:
    row = Cluster(code="DEMO", name_ru="Демо-кластер", name_en="Demo cluster", regions=["36"])
    session.add(row)
    session.flush()
    return row
