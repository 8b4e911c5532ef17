"""Joint projects of the demo, filed through the verbs that the pages use."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Attachment, Participant, Proof, Section
from portal.applications.papers import attachments
from portal.applications.partners import fit, participation
from portal.applications.signatures import signing
from portal.applications.submissions import submission
from portal.applications.submissions.package import unpack
from portal.audit.service import record
from portal.core.clock import MOSCOW, now
from portal.core.db import uuid7
from portal.demo.answers import with_answers
from portal.demo.clusters import DemoCluster
from portal.demo.economics import complete
from portal.demo.moments import moment
from portal.demo.papers import paper
from portal.demo.people import People
from portal.demo.projects import Project, package
from portal.demo.sign_ins import PASSWORD
from portal.documents import service as documents
from portal.documents.kinds import PDF
from portal.identity.models import Organisation
from portal.identity.policy import Actor
from portal.tenders.ruleset import Giver, Need

ALL: Final = 100
LARGE: Final = "none"


@dataclass(frozen=True, slots=True)
class Filed:
    """An application of the demo with its initiator's key; ``submission_id`` is None for a draft."""

    code: str
    id: UUID
    submission_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is filed, by whom, when. ``initiator`` is the place of the organisation in its cluster, from 1.

    ``filled``: how much of the sections is filled in, percent; ``invited``: partners that have not answered;
    ``asks_letter``: of the specialised organisation.
    """

    project: Project
    initiator: int
    started: datetime
    submitted: datetime | None = None
    withdrawn: datetime | None = None
    filled: int = ALL
    invited: int = 0
    asks_letter: bool = False


def scaled(project: Project, code: str, factor: str, title_ru: str, title_en: str, **other: Any) -> Project:
    """A project like another one with its sums multiplied; jobs grow a little slower than the money."""
    times = Decimal(factor)
    sums = {name: format(Decimal(getattr(project, name)) * times, "f") for name in _SUMS}
    return replace(
        project,
        code=code,
        title_ru=title_ru,
        title_en=title_en,
        hpj=int(project.hpj * times * 19 / 20),
        npv=int(project.npv * times),
        export_revenue=int(project.export_revenue * times),
        **{**sums, **other},
    )


_SUMS: Final = ("capex", "eligible", "subsidy", "taxes")


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a cluster of the demo."""

    id: UUID
    inn: str
    sme: str


@dataclass(frozen=True, slots=True)
class Register:
    """The loaded register: keys of the clusters by code, and their members in the order of their places."""

    clusters: Mapping[str, UUID]
    members: Mapping[str, Sequence[Member]]
    centres: Mapping[str, Member]

    @classmethod
    def of(cls, loaded: Mapping[str, DemoCluster]) -> Register:
        return cls(
            {code: each.cluster.id for code, each in loaded.items()},
            {code: [_member(row) for row in each.members] for code, each in loaded.items()},
            {code: _member(each.spec_org) for code, each in loaded.items()},
        )


def _member(row: Organisation) -> Member:
    return Member(row.id, row.inn, row.sme)


@dataclass(frozen=True, slots=True)
class Typed:
    """One section of one participant, or of the project, as typed."""

    part: Participant | None
    name: str
    values: Mapping[str, str]


class Desk:
    """Files plans on one tender: ``tracks`` gives the tender's track for a track's name."""

    def __init__(self, people: People, register: Register, tracks: Mapping[str, UUID]) -> None:
        self._people, self._register, self._tracks = people, register, tracks

    def file(self, plan: Plan) -> Filed:
        """Start, fill in, and go on as far as the plan says: each step at its own instant."""
        with moment(plan.started) as session:
            application_id = self._start(session, plan)
            if plan.asks_letter:
                fit.ask(session, self._initiator(session, plan), application_id=application_id)
        filed = Filed(plan.project.code, application_id)
        if plan.submitted is None:
            return filed
        with moment(plan.submitted) as session:
            filed = replace(filed, submission_id=self._submit(session, application_id))
        if plan.withdrawn is not None:
            with moment(plan.withdrawn) as session:
                actor = self._initiator(session, plan)
                submission.withdraw(session, actor, application_id=application_id)
        return filed

    def partners(self, plan: Plan) -> list[Member]:
        """The organisations of a plan, the initiator first; the second is a small enterprise, as in the package."""
        members = self._register.members[plan.project.cluster]
        first = members[plan.initiator - 1]
        others = [member for member in members if member is not first]
        small = next(member for member in others if member.sme != LARGE)
        large = [member for member in others if member.sme == LARGE]
        return [first, small, *large][: plan.project.members]

    def _initiator(self, session: Session, plan: Plan) -> Actor:
        return self._people.owner(session, self.partners(plan)[0])

    def _start(self, session: Session, plan: Plan) -> UUID:
        organisations = self.partners(plan)
        actors = [self._people.owner(session, organisation) for organisation in organisations]
        application = service.start(
            session,
            actors[0],
            track_id=self._tracks[plan.project.track],
            organisation_id=organisations[0].id,
            cluster_id=self._register.clusters[plan.project.cluster],
        )
        for place, organisation in enumerate(organisations[1:], start=1):
            part = participation.invite(
                session, actors[0], application_id=application.id, organisation_id=organisation.id
            )
            if place < len(organisations) - plan.invited:
                participation.respond(session, actors[place], participant_id=part.id, accept=True)
        self._fill(session, plan, application.id, actors)
        return application.id

    def _fill(self, session: Session, plan: Plan, application_id: UUID, actors: Sequence[Actor]) -> None:
        dossier = load(session, application_id)
        parts, rules = dossier.accepted, dossier.rules
        filed_on = plan.started.astimezone(MOSCOW).date()
        content = with_answers(complete(package(plan.project, rules, filed_on.isoformat()), rules), plan.project, rules)
        by_id = dict(zip([item["id"] for item in content["participants"]], parts, strict=False))
        sections = [
            Typed(by_id[key] if key else None, name, values)
            for (key, name), values in unpack(content, rules).items()
            if key is None or key in by_id
        ]
        given = sections[: len(sections) * plan.filled // ALL]
        # What the lists repeat is written by the verb: the titles, and the requested total with the last of all.
        told = [item for item in given if item.name == "product"]
        told += [item for item in given if item.name == "subsidy"][-1:]
        for item in given:
            if item not in told:
                self._keep(session, _signer(actors, parts, item.part), application_id, item)
        session.flush()
        for item in told:
            service.save_section(
                session,
                _signer(actors, parts, item.part),
                application_id=application_id,
                participant_id=item.part.id if item.part else None,
                section=item.name,
                values=item.values,
                expected_version=0,
            )
        if plan.filled >= ALL:
            self._attach_all(session, plan, dossier, actors, filed_on)

    def _keep(self, session: Session, actor: Actor, application_id: UUID, item: Typed) -> None:
        """What :func:`service.save_section` writes, without reading the whole dossier each time."""
        assert actor.user_id is not None
        key = item.part.id if item.part else None
        session.add(
            Section(
                application_id=application_id,
                participant_id=key,
                name=item.name,
                data=dict(item.values),
                saved_by=actor.user_id,
                saved_at=now(session),
            )
        )
        changes = {"section": item.name, "participant": key, "fields": sorted(item.values)}
        record(session, actor, "applications:section:save", "application", application_id, changes)

    def _attach_all(
        self, session: Session, plan: Plan, dossier: Dossier, actors: Sequence[Actor], filed_on: date
    ) -> None:
        parts = dossier.accepted
        for giver, owners in ((Giver.PROJECT, [None]), (Giver.EACH, parts)):
            for requirement in attachments.asked(dossier.rules, giver):
                if requirement.need is not Need.REQUIRED:
                    continue
                for owner in owners:
                    subject = owner.organisation.name_en if owner else plan.project.title_en
                    actor = _signer(actors, parts, owner)
                    self._attach(session, actor, dossier, owner, requirement.code, filed_on, subject)

    def _attach(
        self,
        session: Session,
        actor: Actor,
        dossier: Dossier,
        owner: Participant | None,
        code: str,
        day: date,
        subject: str,
    ) -> None:
        """What :func:`attachments.attach` writes, without reading the whole dossier each time."""
        assert actor.user_id is not None
        author = (owner or dossier.initiator).organisation.name_en
        content = io.BytesIO(paper(f"{code} {day.isoformat()}", subject, author))
        sealed = dossier.application.sealed
        file = documents.store(
            session, actor, name=f"{code}.pdf", stream=content, allowed=frozenset({PDF}), encrypted=sealed
        )
        key = uuid7()
        row = Attachment(
            id=key,
            series_id=key,
            application_id=dossier.application.id,
            participant_id=owner.id if owner else None,
            code=code,
            file_id=file.id,
            issued_on=day - timedelta(days=5),
            added_by=actor.user_id,
            created_at=dossier.intake.now,
        )
        session.add(row)
        session.flush()
        changes = {
            "attachment": row.id, "participant": row.participant_id, "code": code,
            "sha256": None if sealed else file.sha256,
        }  # fmt: skip
        record(session, actor, "applications:attachment:attach", "application", row.application_id, changes)

    def _submit(self, session: Session, application_id: UUID) -> UUID:
        dossier = load(session, application_id, lock=True)
        for part in dossier.accepted:
            signing.sign_within(
                session,
                self._people.owner(session, part.organisation),
                dossier,
                participant_id=part.id,
                expected_digest=dossier.binding(part).digest,
                shown=signing.Shown(Proof.WORD),
            )
        initiator = self._people.owner(session, dossier.initiator.organisation)
        # Some of the demo's projects break a rule on purpose, and say so before they are sent.
        done = submission.submit(
            session, initiator, application_id=application_id, acknowledged=True, password=PASSWORD, again=PASSWORD
        )
        return done.id


def _signer(actors: Sequence[Actor], parts: Sequence[Participant], part: Participant | None) -> Actor:
    return actors[0] if part is None else actors[parts.index(part)]
