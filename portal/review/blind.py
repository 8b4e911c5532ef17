"""Where the rules hide who applies: the redaction of a case for its reviewers."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Membership, User
from portal.review.queries import Case
from portal.review.redaction import Redaction
from portal.tenders.models import RuleSetVersion, TenderTrack
from portal.tenders.ruleset import Blindness


def redaction_of(session: Session, case: Case, locale: str) -> Redaction | None:
    """The redaction of a case in the reader's language; None where reviewers may know who applies. One query."""
    if not case.rules.hides_applicants:
        return None
    rows = session.execute(
        select(User.full_name, User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id.in_(case.organisations))
    )
    cluster = case.application.cluster
    return Redaction(
        case.package,
        locale,
        clusters=[cluster.name_ru, cluster.name_en],
        people=[word for row in rows for word in row if word],
    )


def hidden_tracks(session: Session, track_ids: Collection[UUID]) -> frozenset[UUID]:
    """Which of these tracks of tenders hide who applies; one query."""
    statement = (
        select(TenderTrack.id)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(
            TenderTrack.id.in_(list(track_ids)),
            RuleSetVersion.content["blindness"].astext == Blindness.APPLICANTS_HIDDEN.value,
        )
    )
    return frozenset(session.scalars(statement))
