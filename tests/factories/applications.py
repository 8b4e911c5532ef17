"""Joint projects in every state, made through the room's verbs."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.drafts import saving
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Application, Participant, Proof, Signature, Submission
from portal.applications.papers import attachments
from portal.applications.partners import participation
from portal.applications.signatures import signing
from portal.applications.submissions import submission
from portal.applications.submissions.package import unpack
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.core.clock import MOSCOW, today
from portal.identity.models import Organisation, User
from portal.identity.policy import Actor
from portal.tenders.models import Tender, TenderTrack, Track
from portal.tenders.ruleset import Giver, Need
from tests.factories import identity, packages, tenders

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)

_serial = itertools.count(1)


def cluster(session: Session, *members: Organisation, **fields: Any) -> Cluster:
    """A cluster in the register, with confirmed members."""
    number, day = next(_serial), today(session)
    row = Cluster(
        **{
            "code": f"TC{number}",
            "name_ru": f"Демо-кластер {number}",
            "name_en": f"Demo cluster {number}",
            "regions": ["36"],
            "registered_on": day - timedelta(days=365),
            "valid_until": day + timedelta(days=365),
            **fields,
        }
    )
    session.add(row)
    session.flush()
    for organisation in members:
        join(session, row, organisation)
    return row


def join(
    session: Session,
    row: Cluster,
    organisation: Organisation,
    state: MembershipState = MembershipState.CONFIRMED,
) -> ClusterMember:
    """A membership of the cluster."""
    member = ClusterMember(
        cluster_id=row.id,
        organisation_id=organisation.id,
        state=state,
        decided_at=None if state is MembershipState.REQUESTED else func.portal_now(),
        reason="not in the functional map" if state is MembershipState.REFUSED else None,
    )
    session.add(member)
    session.flush()
    return member


def track_id(session: Session, tender: Tender, track: Track = Track.IMPORT_SUBSTITUTION) -> UUID:
    """The key of a tender's track."""
    statement = select(TenderTrack.id).where(TenderTrack.tender_id == tender.id, TenderTrack.track == track)
    return session.scalars(statement).one()


@dataclass
class Joint:
    """A joint project with the owners of its organisations: the initiator first."""

    session: Session
    tender: Tender
    cluster: Cluster
    organisations: list[Organisation]
    owners: list[User]
    id: UUID

    @property
    def application(self) -> Application:
        return self.dossier.application

    @property
    def dossier(self) -> Dossier:
        return load(self.session, self.id)

    @property
    def parts(self) -> list[Participant]:
        return self.dossier.accepted

    def actor(self, place: int = 0) -> Actor:
        """The owner of the initiator (0) or of a participant, with present rights."""
        return identity.actor(self.session, self.owners[place])


def draft(
    session: Session,
    *,
    track: Track = Track.IMPORT_SUBSTITUTION,
    partners: int = 1,
    tender: Tender | None = None,
    people: tuple[User, ...] = (),
) -> Joint:
    """A started application whose partners have accepted; nothing typed yet."""
    tender = tender or tenders.open_tender(session)
    organisations = [
        identity.organisation(session, sme="small" if place else "none", offshore_share=0)
        for place in range(partners + 1)
    ]
    owners = [identity.member(session, organisation) for organisation in organisations]
    row = cluster(session, *organisations)
    application = service.start(
        session,
        identity.actor(session, owners[0]),
        track_id=track_id(session, tender, track),
        organisation_id=organisations[0].id,
        cluster_id=row.id,
    )
    joint = Joint(session, tender, row, organisations, owners, application.id)
    for place in range(1, partners + 1):
        part = participation.invite(
            session, joint.actor(), application_id=application.id, organisation_id=organisations[place].id
        )
        participation.respond(session, joint.actor(place), participant_id=part.id, accept=True)
    return joint


def start_another(joint: Joint) -> Application:
    """One more draft of the same organisation on the same track."""
    return service.start(
        joint.session,
        joint.actor(),
        track_id=track_id(joint.session, joint.tender),
        organisation_id=joint.organisations[0].id,
        cluster_id=joint.cluster.id,
    )


def filled(
    session: Session,
    *,
    track: Track = Track.IMPORT_SUBSTITUTION,
    partners: int = 1,
    tender: Tender | None = None,
    documents: bool = True,
    project: dict[str, Any] | None = None,
) -> Joint:
    """A draft with every section and required document, as the demonstration's package has it."""
    joint = draft(session, track=track, partners=partners, tender=tender)
    dossier = fill(joint, project=project or {})
    if documents:
        attach_all(joint, dossier)
    return joint


def fill(joint: Joint, *, project: dict[str, Any] | None = None) -> Dossier:
    """Type a complete package in; its costs are spread over the participants there are. Returns what it wrote to."""
    dossier = load(joint.session, joint.id, lock=True)
    source = packages.package(dossier.application.track, project=project or {})
    parts = dossier.accepted
    actors = [joint.actor(place) for place in range(len(parts))]
    spread = source["participants"][: len(parts)]
    typed = unpack({**source, "participants": spread}, dossier.rules)
    places = {item["id"]: (part, place) for place, (item, part) in enumerate(zip(spread, parts, strict=True))}
    for (participant_id, name), values in typed.items():
        part, place = places[participant_id] if participant_id else (None, 0)
        # As `service.save_section` does, without reading the whole application again for each section.
        key = part.id if part else None
        definition = saving.definition_of(name, key)
        data = {each: saving.kept(values.get(each, "")) for each, _ in definition.keys(dossier.rules)}
        data = saving.merged({}, data)
        saving.put(joint.session, actors[place], dossier, definition, key, data, data)
    joint.session.flush()
    return dossier


def attach_all(joint: Joint, dossier: Dossier | None = None) -> None:
    """Every required document, dated yesterday."""
    dossier = dossier or load(joint.session, joint.id, lock=True)
    parts = dossier.accepted
    actors = [joint.actor(place) for place in range(len(parts))]
    for giver, owners in ((Giver.PROJECT, [None]), (Giver.EACH, parts)):
        for requirement in attachments.asked(dossier.rules, giver):
            if requirement.need is Need.REQUIRED:
                for actor, part in zip(actors, owners, strict=False):
                    _attach(joint.session, actor, dossier, requirement.code, part)


def attach(joint: Joint, code: str, part: Participant | None = None, place: int = 0) -> None:
    """One PDF as the document ``code``."""
    _attach(joint.session, joint.actor(place), load(joint.session, joint.id, lock=True), code, part)


def _attach(session: Session, actor: Actor, dossier: Dossier, code: str, part: Participant | None) -> None:
    attachments.attach_to(
        session,
        actor,
        dossier,
        participant_id=part.id if part else None,
        code=code,
        name=f"{code}.pdf",
        stream=io.BytesIO(PDF),
        issued_on=(dossier.intake.now.astimezone(MOSCOW).date() - timedelta(days=1)).isoformat(),
    )


def confirm_all(joint: Joint) -> None:
    """Every participant signs the present package."""
    dossier = joint.dossier
    for place, part in enumerate(dossier.accepted):
        _sign(joint, dossier, part, place)


def sign(joint: Joint, part: Participant, place: int = 0) -> Signature:
    """One participant signs what binds it now, freshly authenticated."""
    return _sign(joint, joint.dossier, part, place)


def _sign(joint: Joint, dossier: Dossier, part: Participant, place: int) -> Signature:
    return signing.sign(
        joint.session,
        joint.actor(place),
        participant_id=part.id,
        expected_digest=dossier.binding(dossier.participant(part.id)).digest,
        shown=signing.Shown(Proof.WORD),
    )


def ready(session: Session, **options: Any) -> Joint:
    """Filled in and signed by everyone."""
    joint = filled(session, **options)
    confirm_all(joint)
    return joint


def submitted(session: Session, **options: Any) -> tuple[Joint, Submission]:
    """Submitted through the verb."""
    joint = ready(session, **options)
    row = submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    return joint, row
