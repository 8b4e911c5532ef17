"""Tenders with extra questions, and answers to them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from portal.applications import service
from portal.tenders.models import Tender, Track
from portal.tenders.rulebook import load_questions
from tests.factories import applications, tenders

ANSWERS = {"Q-01": "audit", "Q-02": "Поток сборки", "Q-03": "12", "Q-04.own": "yes", "Q-05": "11.08", "Q-06": "no"}
OWN = {"Q-11": "yes", "Q-12": "01.02.2018", "Q-13": "12,5", "Q-14": "0"}


def asking_tender(session: Session, track: Track = Track.IMPORT_SUBSTITUTION) -> Tender:
    """An open tender on one track that asks the extra questions of the rulebook."""
    return tenders.open_tender(session, tracks=(track,), rules={"questions": load_questions(track)})


def save(joint: applications.Joint, values: Mapping[str, str], place: int | None = None) -> None:
    """Save the answers of the project, or of the participant at ``place``."""
    part = None if place is None else joint.parts[place]
    name = "questions" if part is None else "own_questions"
    held = joint.dossier.sections.get((part.id if part else None, name))
    service.save_section(
        joint.session,
        joint.actor(place or 0),
        application_id=joint.id,
        participant_id=part.id if part else None,
        section=name,
        values=values,
        expected_version=held.version if held else 0,
    )


def answered(session: Session) -> applications.Joint:
    """A draft of two participants with every extra question answered."""
    joint = applications.filled(session, tender=asking_tender(session))
    save(joint, ANSWERS)
    for place in range(len(joint.parts)):
        save(joint, OWN, place)
    return joint
