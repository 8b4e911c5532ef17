"""A blind tender in review whose application and experts tell of themselves wherever they can."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Application, Attachment
from portal.core.canonical import digest
from portal.demo.papers import paper
from portal.documents import objects
from portal.documents.models import StoredFile
from portal.identity.models import Organisation, Role, User
from portal.review import blind_copies, inquiries, service, ties
from portal.review.models import Assignment
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from tests.factories import applications, identity, panels, review

NOTE_CANARY: Final = "CANARY-NOTE-41c0"
"""A reviewer's private note: nobody else's."""
DRAFT_CANARY: Final = "CANARY-DRAFT-9b72"
"""What a reviewer has typed and not handed in: nobody else's."""
REVIEW_CANARY: Final = "CANARY-REVIEW-e613"
"""A review that is in: the fund's, and the other reviewers' once their own is in."""
CONFLICT_CANARY: Final = "CANARY-CONFLICT-57da"
"""How somebody explained a conflict of interest: for those who decide on conflicts, or audit."""


@dataclass
class Blind:
    """An application of a blind tender, in review, that tells who wrote it wherever it can."""

    application: UUID
    number: str
    cluster: UUID
    owner: UUID
    track: UUID
    reviewers: list[UUID]
    """One whose review was returned, one with a tie, one whose review is in, one with a conflict."""
    names: list[str]
    """Names and addresses of the reviewers."""
    secrets: list[str]
    assignment: str
    named: UUID
    """A file whose text tells."""


def made(session: Session) -> Blind:
    """The tender with its application, reviews in every state, and a score."""
    joint, submission = applications.submitted(session)
    application = session.get_one(Application, joint.id)
    firms = list(session.scalars(select(Organisation).where(Organisation.id.in_([f.id for f in joint.organisations]))))
    track = session.get_one(TenderTrack, application.tender_track_id)
    rules = {**session.get_one(RuleSetVersion, track.rule_set_id).content, "blindness": "applicants_hidden"}
    session.execute(text("alter table rule_set disable trigger frozen_rules"))
    session.execute(
        text("update rule_set set content = cast(:content as jsonb), digest = :digest where id = :key"),
        {"content": json.dumps(rules, ensure_ascii=False), "digest": digest(rules), "key": track.rule_set_id},
    )
    session.execute(text("alter table rule_set enable trigger frozen_rules"))
    content = {**submission.snapshot}
    words = " ".join(f"{firm.name_ru}, {firm.name_en}, ИНН {firm.inn}, ОГРН {firm.ogrn};" for firm in firms)
    contacts = "boss@demo-works.example, +7 (495) 123-45-67, www.demo-works.ru"
    content["project"] = {**content["project"], "summary": f"{words} {contacts} {joint.owners[0].full_name}"}
    for held in (content, *content["participants"]):
        held["documents"] = [{**item, "name": f"{firms[0].name_ru}.pdf"} for item in held["documents"]]
    session.execute(text("alter table submission disable trigger frozen_submission"))
    session.execute(
        text("update submission set snapshot = cast(:content as jsonb), sha256 = :digest where id = :key"),
        {"content": json.dumps(content, ensure_ascii=False), "digest": digest(content), "key": submission.id},
    )
    session.execute(text("alter table submission enable trigger frozen_submission"))
    title = f"Линия {firms[0].name_ru}"
    session.execute(
        text("update application set title_ru = :title, title_en = :title where id = :key"),
        {"title": title, "key": application.id},
    )
    session.expire_all()
    named = _replace_files(session, application.id, firms[0])
    blind_copies.make(session, submission.id)
    review.admitted(session, application.id)
    rows = review.assigned(session, application, people=_people(session))
    review.reviewed(session, rows[0])
    service.return_review(
        session,
        identity.actor(session, identity.user(session, Role.OFFICER)),
        application_id=application.id,
        assignment_id=rows[0].id,
        reason=f"Look again at {firms[0].name_ru} and at {joint.owners[0].full_name}.",
    )
    reviewers = [session.get_one(User, row.reviewer_id) for row in rows]
    _ask_applicants(session, rows[0], firms[0])
    values = {"inn": firms[0].inn, "kind": "other"}
    ties.declare(session, identity.actor(session, reviewers[1]), user_id=reviewers[1].id, values=values)
    _plant(session, rows)
    panels.scored(session, session.get_one(Tender, application.tender_id))
    session.commit()
    secrets = [firm_word for firm in firms for firm_word in (firm.inn, firm.ogrn, firm.name_ru, firm.name_en)]
    secrets += [firm.name_ru.split("«")[1].strip("»") for firm in firms]
    secrets += ["demo-works", "123-45-67", joint.owners[0].full_name, joint.owners[0].email]
    secrets += [joint.cluster.name_ru, joint.cluster.name_en]
    return Blind(
        application=application.id,
        number=str(application.number),
        cluster=joint.cluster.id,
        track=track.id,
        owner=joint.owners[0].id,
        reviewers=[person.id for person in reviewers],
        names=[word for person in reviewers for word in (person.full_name, person.email)],
        secrets=secrets,
        assignment=str(rows[0].id),
        named=named,
    )


def _people(session: Session) -> list[User]:
    names = ("Кленова Анна Павловна", "Maple Reviewer Demo", "Ясенева Ольга Игоревна", "Willow Reviewer Demo")
    return [identity.user(session, Role.REVIEWER, name=name) for name in names]


def _plant(session: Session, rows: Sequence[Assignment]) -> None:
    """A draft with a private note, a review signed with a name, and a declared conflict."""
    returned, _tied, given, conflicted = rows
    service.save_draft(
        session,
        review.reviewer(session, returned),
        assignment_id=returned.id,
        values=review.typed(session, returned, "3", DRAFT_CANARY),
        notes=NOTE_CANARY,
        expected_version=returned.version,
    )
    review.reviewed(session, given, text=f"{REVIEW_CANARY} О. И. Ясенева has looked into it.")
    service.declare(
        session,
        review.reviewer(session, conflicted),
        assignment_id=conflicted.id,
        conflict=True,
        explanation=f"{CONFLICT_CANARY} We were at school together.",
        expected_version=conflicted.version,
    )


def _replace_files(session: Session, application_id: UUID, firm: Organisation) -> UUID:
    """All files name the firm in their properties, and one in its text: that one is returned."""
    statement = select(StoredFile).join(Attachment, Attachment.file_id == StoredFile.id)
    files = session.scalars(statement.where(Attachment.application_id == application_id).order_by(Attachment.id)).all()
    for file in files:
        objects.put(session, file.key, paper("Demo", firm.name_en if file is files[0] else "a plan", firm.name_en))
    return files[0].id


def _ask_applicants(session: Session, row: Assignment, firm: Organisation) -> None:
    """A question whose answer names the firm."""
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    asked = inquiries.ask(session, review.reviewer(session, row), assignment_id=row.id, text="Were there tests?")
    inquiries.pass_on(session, officer, inquiry_id=asked.id, text="Were there tests?", expected_version=asked.version)
    answer = f"{firm.name_ru} tested it in June."
    inquiries.answer(session, officer, inquiry_id=asked.id, text=answer, expected_version=asked.version)
