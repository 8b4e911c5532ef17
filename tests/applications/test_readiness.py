"""Who is waited for is told: the signers once nothing else is missing, the initiator once all have signed."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications.models import Proof
from portal.applications.partners import participation
from portal.applications.signatures import readiness, signing
from portal.applications.signatures.signing import Shown
from portal.applications.submissions import submission
from portal.core.jobs import Task
from portal.identity.models import OrgRole
from portal.notifications.models import Letter, Notice
from tests.factories import applications as projects
from tests.factories import identity
from tests.factories.applications import Joint


def told(session: Session, kind: str) -> list[object]:
    return list(session.scalars(select(Notice.user_id).where(Notice.kind == kind).order_by(Notice.id)))


def sign(joint: Joint, place: int) -> None:
    dossier = joint.dossier
    part = dossier.accepted[place]
    signing.sign(
        joint.session,
        joint.actor(place),
        participant_id=part.id,
        expected_digest=dossier.binding(part).digest,
        shown=Shown(Proof.WORD),
    )


def waiting(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Task).where(Task.kind == readiness.KIND)) or 0


def test_signers_are_told_when_only_signatures_are_missing_and_once(session: Session) -> None:
    joint = projects.filled(session)
    signatory = identity.member(session, joint.organisations[1], OrgRole.SIGNATORY)
    identity.member(session, joint.organisations[1], OrgRole.EDITOR)
    assert readiness.look(session, joint.id) == 3
    assert set(told(session, readiness.TO_SIGN)) == {*(owner.id for owner in joint.owners), signatory.id}
    assert readiness.look(session, joint.id) == 0
    letter = session.scalars(select(Letter).where(Letter.user_id == signatory.id)).one()
    assert "/confirm" in letter.text
    assert "Besides yours, these signatures are missing" in letter.text
    assert told(session, readiness.TO_SUBMIT) == []


def test_while_anything_else_is_missing_nobody_is_told(session: Session) -> None:
    joint = projects.filled(session, documents=False)
    assert readiness.look(session, joint.id) == 0
    invited = identity.organisation(session)
    projects.join(session, joint.cluster, invited)
    whole = projects.filled(session)
    projects.join(session, whole.cluster, invited)
    participation.invite(session, whole.actor(), application_id=whole.id, organisation_id=invited.id)
    assert readiness.look(session, whole.id) == 0
    assert told(session, readiness.TO_SIGN) == []


def test_who_has_signed_is_not_told_and_the_last_signature_tells_the_initiator(session: Session) -> None:
    joint = projects.filled(session)
    sign(joint, 0)
    readiness.look(session, joint.id)
    assert told(session, readiness.TO_SIGN) == [joint.owners[1].id]
    sign(joint, 1)
    assert readiness.look(session, joint.id) == 1
    assert readiness.look(session, joint.id) == 0
    assert told(session, readiness.TO_SUBMIT) == [joint.owners[0].id]


def test_what_was_voided_and_is_reached_again_is_told_again(session: Session) -> None:
    joint = projects.filled(session)
    readiness.look(session, joint.id)
    sign(joint, 0)
    sign(joint, 1)
    readiness.look(session, joint.id)
    projects.attach(joint, "DOC-08")
    session.commit()  # voids what the document is bound to
    before = len(told(session, readiness.TO_SIGN))
    assert readiness.look(session, joint.id) > 0
    again = len(told(session, readiness.TO_SIGN)) - before
    assert again == sum(1 for part in joint.dossier.accepted if signing.latest(joint.dossier, part).void)  # type: ignore[union-attr]
    for place, part in enumerate(joint.dossier.accepted):
        if signing.confirmation(joint.dossier, part) != signing.Confirmation.GIVEN:
            sign(joint, place)
    assert readiness.look(session, joint.id) == 1
    assert told(session, readiness.TO_SUBMIT) == [joint.owners[0].id] * 2


def test_what_is_with_the_fund_tells_nobody(session: Session) -> None:
    joint = projects.ready(session)
    submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    assert readiness.look(session, joint.id) == 0


def test_a_save_writes_one_task_that_waits_and_a_signature_one_that_does_not(session: Session) -> None:
    joint = projects.filled(session)
    session.commit()
    session.execute(Task.__table__.delete().where(Task.kind == readiness.KIND))  # type: ignore[attr-defined]
    projects.attach(joint, "DOC-08")
    session.commit()
    projects.attach(joint, "DOC-08")
    session.commit()
    assert 1 <= waiting(session) <= 2  # two only when a stretch ended between them
    late = select(Task.run_after > func.clock_timestamp()).where(Task.kind == readiness.KIND)
    assert set(session.scalars(late)) == {True}
    sign(joint, 0)
    session.commit()
    assert sorted(set(session.scalars(late))) == [False, True]
