"""The stage for the table of routes: the demo on one connection, thirteen readers, and an object for each URL."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import event, select, text
from sqlalchemy.engine import Connection, NestedTransaction
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from portal.applications.following import messages
from portal.applications.following.messages import Attached
from portal.applications.models import Application, DeadlineException
from portal.applications.papers import exports
from portal.applications.partners import prospects
from portal.awards.commission import meetings
from portal.awards.commission.meetings import Question as AgendaQuestion
from portal.awards.commission.models import ItemKind
from portal.awards.scenarios import service as scenario_service
from portal.awards.scenarios.changes import Changes
from portal.clusters import board, functional_map, profile, roadmap
from portal.clusters import service as clusters
from portal.clusters.models import ImportKind
from portal.core.clock import now, today
from portal.core.db import db
from portal.core.db import session as current_session
from portal.documents import uploads
from portal.identity import invitations
from portal.identity.models import User
from portal.identity.policy import Actor
from portal.identity.queries import load_actor
from portal.scoring import checks, dry_runs
from portal.tenders.amendments import AmendmentValues, Reasons, amend
from portal.tenders.models import Question, Tender, TenderTrack
from tests.conftest import signed_in_client

DRAFT_CANARY: Final = "CANARY-DRAFT-5d1e"
PAPER: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
MESSAGE_CANARY: Final = "CANARY-MESSAGE-77c3"
REVIEW_CANARY: Final = "CANARY-REVIEW-90ab"
NOTE_CANARY: Final = "CANARY-NOTE-3c58"
ROADMAP_CANARY: Final = "CANARY-ROADMAP-77c2"
BOARD_CANARY: Final = "CANARY-BOARD-e81f"
TEASER_CANARY: Final = "CANARY-TEASER-3b6d"
VOLUME_CANARY: Final = re.compile(r"31[\s\u00a0\u202f,]?415[\s\u00a0\u202f,]?926")
"""The volume of a supply in the initiator's cluster, however it is written."""
QUESTION_CANARY: Final = "CANARY-QUESTION-7f3c"
AGENDA_CANARY: Final = "CANARY-AGENDA-2d90"
SCENARIO_CANARY: Final = "CANARY-SCENARIO-8e02"
OWN_SCENARIO_CANARY: Final = "CANARY-OWN-SCENARIO-51c9"
"""Names of scenarios: of those that are shared, and of one that is the officer's own."""

READERS: Final[Mapping[str, str | None]] = {
    "anonymous": None,
    "stranger": "owner of an organisation of another cluster",
    "newcomer": "newcomer@demo.example",
    "centre": "centre@demo.example",
    "viewer": "viewer@demo.example",
    "editor": "editor@demo.example",
    "owner": "initiator@demo.example",
    "partner": "signatory@demo.example",
    "outsider": "reviewer2@demo.example",
    "reviewer": "reviewer1@demo.example",
    "officer": "officer@demo.example",
    "chair": "chair@demo.example",
    "commission": "commission@demo.example",
    "administrator": "admin@demo.example",
    "auditor": "auditor@demo.example",
}
"""Roles and whom of the demo they are; ``outsider`` reviews, but not the application of the table."""

OTHERS: Final[Mapping[str, Mapping[str, str]]] = {
    "applications.blank_form": {"code": "DOC-07"},
    "applications.part_blank_form": {"code": "DOC-13"},
    "applications.compare_versions": {"from": "1", "to": "1"},
    "officer_versions.compare": {"from": "1", "to": "1"},
    "applications.part_section": {"name": "costs"},
    "applications.part_section_fields": {"name": "costs"},
    "proof.download": {"code": "2016"},
    "proof.show": {"code": "2016"},
    "proof.version": {"code": "2016", "version": "1"},
    "agreement_payments.receive": {"agreement_id": "recovering_id"},
    "budget_room.download": {"table": "envelopes"},
    "budget_statement.download": {"extension": "xlsx"},
    "own_agreement.show": {"application_id": "agreed_id"},
    "offers.show": {"application_id": "offered_id"},
    "addendum_paper.as_pdf": {"scenario_id": "adopted_id"},
    "public.results": {"code": "2016"},
    "meetings.attend": {"user_id": "seat_id"},
    "meeting_paper.as_pdf": {"meeting_id": "held_meeting_id"},
    "meeting_paper.as_docx": {"meeting_id": "held_meeting_id"},
    "conflicts.person": {"user_id": "judge_id"},
    "conflicts.end": {"user_id": "judge_id"},
    "conflicts.strike": {"user_id": "judge_id"},
    "cluster_imports.template": {"kind": "supplies"},
    "evaluation.download": {"table": "ranking"},
    "cluster_imports.report": {"import_id": "map_import_id"},
    "cluster_imports.progress": {"import_id": "map_import_id"},
    "cluster_imports.faults": {"import_id": "map_import_id"},
    **{
        f"sealed.{name}": {"tender_id": "sealed_tender_id"}
        for name in ("show", "appoint", "make_key", "unseal", "again", "protocol", "protocol_pdf")
    },
    "applications.sealed": {"application_id": "sealed_application_id"},
    "reviewer_pool.show": {"user_id": "reviewer_id"},
    "reviewer_pool.add_absence": {"user_id": "reviewer_id"},
    "reviewer_pool.remove_absence": {"user_id": "reviewer_id"},
}
"""Where the same variable means something else: a value, or the name of another one."""


@dataclass
class Stage:
    app: Flask
    connection: Connection
    clients: dict[str, FlaskClient]
    draft: dict[str, Any]
    sent: dict[str, Any]
    committed: bool = False
    point: NestedTransaction | None = None

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever a request changes is taken back after it: most are refused and have committed nothing."""
        if self.point is None:
            self.point = self.connection.begin_nested()
        try:
            yield
        finally:
            db.session.remove()
            if self.committed:
                self.point.rollback()
                self.committed, self.point = False, None

    def note_commit(self, session: Session) -> None:
        """The session of a request has ended a savepoint by keeping what it did."""
        self.committed = True


@contextmanager
def staged(app: Flask) -> Iterator[Stage]:
    with app.app_context():
        engine = db.engine
        connection = engine.connect()
        outer = connection.begin()
        db.engines[None] = connection  # type: ignore[assignment]
        db.session.configure(join_transaction_mode="create_savepoint")
        try:
            _plant()
            clients = {name: _client(app, email) for name, email in READERS.items()}
            made = Stage(app, connection, clients, _values("draft"), _values("sent"))
            db.session.remove()
            event.listen(Session, "after_commit", made.note_commit)
            try:
                yield made
            finally:
                event.remove(Session, "after_commit", made.note_commit)
        finally:
            db.session.remove()
            db.engines[None] = engine
            db.session.configure(join_transaction_mode="conditional_savepoint")
            outer.rollback()
            connection.close()


def _one(statement: str, **values: Any) -> Any:
    return current_session().execute(text(statement), values).first()


def _plant() -> None:
    """Strings that must never be seen by others: in the initiator's draft, and in a review."""
    session = current_session()
    session.execute(
        text(
            "update section set data = data || jsonb_build_object('summary', cast(:word as text))"
            " where name = 'product' and application_id = :key"
        ),
        {"word": DRAFT_CANARY, "key": _application("draft")},
    )
    session.execute(
        text("update application set title_ru = :word, title_en = :word where id = :key"),
        {"word": DRAFT_CANARY, "key": _application("draft")},
    )
    administrator = load_actor(session, _user("admin@demo.example"))
    clusters.start_import(
        session, administrator, kind=ImportKind.MEMBERS, name="members.csv", stream=io.BytesIO(b"code;inn\nD1;1\n")
    )
    owner = load_actor(session, _user("initiator@demo.example"))
    organisation = next(iter(owner.memberships))
    invitations.invite(session, owner, organisation_id=organisation, email="colleague@demo.example", role="editor")
    _begin_upload(owner)
    _correspond(session)
    _plant_cluster(session)
    # Marks cannot be changed; a draft of a review can.
    session.execute(
        text(
            "update assignment set state = 'open', declared_at = now(), draft = jsonb_build_object("
            "'CR-10-technology', jsonb_build_object('score', '5', 'justification', cast(:word as text)))"
            " where id = (select a.id from assignment a join user_account u on u.id = a.reviewer_id"
            " where a.state = 'assigned' and u.email = 'reviewer1@demo.example' limit 1)"
        ),
        {"word": REVIEW_CANARY},
    )
    session.execute(
        text(
            "insert into review_note (assignment_id, text) select a.id, :word from assignment a"
            " join user_account u on u.id = a.reviewer_id where u.email = 'reviewer1@demo.example'"
        ),
        {"word": NOTE_CANARY},
    )
    _plant_calls(session, administrator)
    _plant_scoring(session, administrator)
    _plant_scenario(session)
    _plant_commission(session)
    session.commit()


def _begin_upload(owner: Actor) -> None:
    """An unfinished upload of the initiator's owner for each of the two applications; the sent one is closed."""
    for which in ("draft", "sent"):
        uploads.begin(
            current_session(),
            owner,
            object_type="application",
            object_id=_application(which),
            place={"participant": None, "code": "DOC-02", "replaces": None},
            name="plan.pdf",
            size=1000,
        )


def _correspond(session: Any) -> None:
    """A message of a participant with a file, about the submitted project: reviewers must not see it."""
    owner = load_actor(session, _user("initiator@demo.example"))
    paper = Attached("plan.pdf", io.BytesIO(PAPER))
    messages.send(session, owner, application_id=_application("sent"), text=MESSAGE_CANARY, attached=paper)
    exports.ask(session, owner, application_id=_application("sent"), version=1, locale="ru")


def _plant_cluster(session: Session) -> None:
    """A draft of the roadmap, an import of the map, and a volume that only the cluster and the fund may see."""
    centre = load_actor(session, _user("centre@demo.example"))
    cluster_id = _one("select id from cluster where code = 'D1'")[0]
    roadmap.start_version(session, centre, cluster_id=cluster_id, reason_ru=ROADMAP_CANARY, reason_en=ROADMAP_CANARY)
    administrator = load_actor(session, _user("admin@demo.example"))
    values = {"programme": "leading", "since": "19.10.2016", "until": "31.12.2020"}
    profile.add_programme(session, administrator, cluster_id=cluster_id, **values)
    functional_map.start_import(
        session,
        centre,
        cluster_id=cluster_id,
        kind=ImportKind.SUPPLIES,
        name="map.csv",
        stream=io.BytesIO(b"x;y\n1;2\n"),
    )
    owner = load_actor(session, _user("initiator@demo.example"))
    prospects.invite(
        session, owner, application_id=_application("draft"), inn="7707083893", email="boss@demo.example", note=""
    )
    organisation_id = next(iter(owner.memberships))
    for visibility, title, body in (("cluster", BOARD_CANARY, BOARD_CANARY), ("public", "Board", TEASER_CANARY)):
        board.post(
            session,
            owner,
            cluster_id=cluster_id,
            organisation_id=organisation_id,
            values={
                "side": "need",
                "kind": "logistics",
                "title": title,
                "text": body,
                "visibility": visibility,
                "valid_until": today(session).isoformat(),
            },
        )
    session.execute(
        text(
            "update supply set volume = 31415926.53 where cluster_id = :key"
            " and year = (select max(year) from supply where cluster_id = :key)"
        ),
        {"key": cluster_id},
    )


def _plant_scoring(session: Session, administrator: Actor) -> None:
    """A run that is compared, and the rules of both applications' tracks tried on it."""
    for which in ("draft", "sent"):
        track = session.get_one(Application, _application(which)).tender_track_id
        rules = session.get_one(TenderTrack, track)
        base = dry_runs.bases(session, rules.track)[0]
        dry_runs.start_dry_run(session, administrator, rule_set_id=rules.rule_set_id, run_id=base.run_id)
    checks.start_check(session, administrator, base.run_id)


def _plant_scenario(session: Session) -> None:
    """What is shared is the commission's; what the officer tries is nobody's else."""
    track = session.get_one(Application, _application("sent")).tender_track_id
    session.execute(
        text("update scenario set name = :word || name where adopted_at is null"), {"word": SCENARIO_CANARY}
    )
    officer = load_actor(session, _user("officer@demo.example"))
    scenario_service.create(session, officer, track, name=OWN_SCENARIO_CANARY, changes=Changes())


def _plant_commission(session: Session) -> None:
    """A question on the agenda of the planned meeting, and a proposal for the reserve list of 2016."""
    officer = load_actor(session, _user("officer@demo.example"))
    meeting_id = _one("select id from meeting where state = 'planned' order by id limit 1")[0]
    meetings.add_item(session, officer, meeting_id, AgendaQuestion(ItemKind.OTHER, title=AGENDA_CANARY))
    session.execute(
        text(
            "insert into reserve_proposal (id, tender_track_id, posting_id, available, lines, state)"
            " select gen_random_uuid(), d.tender_track_id, p.id, '{}', '[]', 'open' from award_decision d, posting p"
            " where d.published_at is not null order by p.number limit 1"
        )
    )


def _plant_calls(session: Session, administrator: Actor) -> None:
    """An amendment of the tender of 2018, a later closing in it, and a question that waits."""
    tender = session.scalars(select(Tender).where(Tender.code == "2018")).one()
    values = AmendmentValues(Reasons("Причина", "Reason"), None, tender.notice_ru + " *", tender.notice_en + " *")
    amend(session, administrator, tender.id, values=values, expected_version=tender.version)
    newcomer = load_actor(session, _user("newcomer@demo.example"))
    organisation = next(iter(newcomer.memberships))
    closes = now(session) + timedelta(days=1)
    officer = _user("officer@demo.example").id
    session.add(
        DeadlineException(
            tender_id=tender.id, organisation_id=organisation, closes_at=closes, reason="Demo", granted_by=officer
        )
    )
    session.add(
        Question(
            tender_id=tender.id,
            asked_by=newcomer.user_id,
            organisation_id=organisation,
            locale="en",
            text=QUESTION_CANARY,
        )
    )
    session.flush()


def _user(email: str) -> User:
    return current_session().scalars(select(User).where(User.email == email)).one()


def _application(which: str) -> Any:
    """The initiator's draft in the open tender, or its project of 2018 in expertise."""
    code = "a.state = 'draft'" if which == "draft" else "t.code = '2018' and a.state = 'expertise'"
    return _one(
        "select a.id from application a join tender t on t.id = a.tender_id"
        " join organisation o on o.id = a.initiator_id join membership m on m.organisation_id = o.id"
        f" join user_account u on u.id = m.user_id where u.email = 'initiator@demo.example' and {code}"
        " order by a.id limit 1"
    )[0]


def _values(which: str) -> dict[str, Any]:
    """A value for each variable of a URL; ``which`` of the initiator's two applications."""
    application = _application(which)
    found: dict[str, Any] = {"application_id": application}
    queries = {
        "letter_id": "select id from fit_letter where cast(:key as uuid) is not null order by id limit 1",
        "signature_id": "select id from signature where application_id = :key order by id limit 1",
        "participant_id": "select id from participant where application_id = :key and role = 'initiator'",
        "attachment_id": "select id from attachment where application_id = :key order by id limit 1",
        "file_id": "select file_id from attachment where application_id = :key order by id limit 1",
        "upload_id": "select id from upload where object_id = :key",
        "organisation_id": "select initiator_id from application where id = :key",
        "cluster_id": "select cluster_id from application where id = :key",
        "submission_id": "select submission_id from application where id = :key",
        "tender_id": "select tender_id from application where id = :key",
        "sealed_tender_id": "select id from tender where sealed and cast(:key as uuid) is not null limit 1",
        "sealed_application_id": "select id from application where state = 'sealed' and initiator_id ="
        " (select initiator_id from application where id = :key)",
        "track_id": "select tender_track_id from application where id = :key",
        "tender_track_id": "select tender_track_id from application where id = :key",
        "rule_set_id": "select rule_set_id from tender_track t join application a on a.tender_track_id = t.id"
        " where a.id = :key",
        "asking_rules": "select r.id from rule_set r where r.content ? 'questions' and cast(:key as uuid) is not null"
        " order by r.id limit 1",
        "code": "select t.code from tender t join application a on a.tender_id = t.id where a.id = :key",
        "assignment_id": "select a.id from assignment a join user_account u on u.id = a.reviewer_id"
        " where a.application_id = :key and u.email = 'reviewer1@demo.example'",
        "member_id": "select m.id from cluster_member m where state = 'requested' and cast(:key as uuid) is not null",
        "envelope_id": "select id from envelope where year = 2016 and cast(:key as uuid) is not null",
        "posting_id": "select p.id from posting p join posting_line l on l.posting_id = p.id join envelope e"
        " on e.id = l.envelope_id where e.year = 2016 and cast(:key as uuid) is not null order by p.number limit 1",
        "statement_id": "select id from treasury_statement where cast(:key as uuid) is not null limit 1",
        "work_id": "select id from treasury_work where cast(:key as uuid) is not null limit 1",
        "order_id": "select id from budget_order where signed_at is null and discarded_at is null"
        " and cast(:key as uuid) is not null order by id limit 1",
        "invitable_id": "select organisation_id from cluster_member m join application a on a.cluster_id = m.cluster_id"
        " where a.id = :key and m.state = 'confirmed' and organisation_id not in"
        " (select organisation_id from participant where application_id = :key) order by m.id limit 1",
        "invitation_id": "select id from invitation where cast(:key as uuid) is not null",
        "import_id": "select id from register_import where cluster_id is null and cast(:key as uuid) is not null",
        "map_import_id": "select id from register_import where cluster_id is not null"
        " and cast(:key as uuid) is not null",
        "prospect_id": "select id from prospect where application_id = :key limit 1",
        "post_id": "select id from board_post where visibility = 'cluster' and title like 'CANARY%'"
        " and cast(:key as uuid) is not null",
        "supply_id": "select s.id from supply s join application a on a.cluster_id = s.cluster_id where a.id = :key"
        " order by s.id limit 1",
        "object_id": "select o.id from infrastructure_object o join application a on a.cluster_id = o.cluster_id"
        " where a.id = :key order by o.id limit 1",
        "document_id": "select d.id from cluster_document d join application a on a.cluster_id = d.cluster_id"
        " where a.id = :key order by d.id limit 1",
        "programme_row_id": "select p.id from cluster_programme p join application a on a.cluster_id = p.cluster_id"
        " where a.id = :key limit 1",
        "exception_id": "select e.id from deadline_exception e join tender t on t.id = e.tender_id"
        " where t.code = '2018' and cast(:key as uuid) is not null",
        "question_id": "select q.id from tender_question q join tender t on t.id = q.tender_id where t.code = '2018'"
        " and q.state = 'waiting' and cast(:key as uuid) is not null",
        "programme_id": "select id from programme where cast(:key as uuid) is not null",
        "run_id": "select run_id from run_check where cast(:key as uuid) is not null order by id limit 1",
        "check_id": "select id from run_check where cast(:key as uuid) is not null order by id limit 1",
        "trial_id": "select d.id from dry_run d join tender_track t on t.rule_set_id = d.rule_set_id"
        " join application a on a.tender_track_id = t.id where a.id = :key",
        "alarm_id": "select id from budget_alarm where cast(:key as uuid) is not null order by share limit 1",
        "agreement_id": "select id from agreement where cast(:key as uuid) is not null order by number desc limit 1",
        "agreed_id": "select l.application_id from agreement a join decision_line l on l.id = a.line_id"
        " join membership m on m.organisation_id = a.organisation_id join user_account u on u.id = m.user_id"
        " where u.email = 'initiator@demo.example' and cast(:key as uuid) is not null limit 1",
        "tranche_id": "select t.id from tranche t join agreement a on a.id = t.agreement_id where t.paid_on is null"
        " and cast(:key as uuid) is not null order by a.number desc, t.place limit 1",
        "recovering_id": "select t.agreement_id from recovery r join tranche t on t.id = r.tranche_id"
        " where cast(:key as uuid) is not null order by r.id limit 1",
        "recovery_id": "select id from recovery where cast(:key as uuid) is not null order by id limit 1",
        "due_id": "select d.id from agreement_due d join agreement a on a.id = d.agreement_id"
        " where d.received_on is null and cast(:key as uuid) is not null order by a.number desc, d.due_on limit 1",
        "line_id": "select l.id from decision_line l join award_decision d on d.id = l.decision_id"
        " where l.outcome = 'award' and d.published_at is not null and cast(:key as uuid) is not null"
        " order by l.place limit 1",
        "meeting_id": "select id from meeting where state = 'planned' and cast(:key as uuid) is not null limit 1",
        "held_meeting_id": "select id from meeting where state = 'closed' and cast(:key as uuid) is not null limit 1",
        "item_id": "select i.id from agenda_item i join meeting m on m.id = i.meeting_id where m.state = 'planned'"
        " and cast(:key as uuid) is not null order by i.place limit 1",
        "seat_id": "select id from user_account where email = 'commission@demo.example'"
        " and cast(:key as uuid) is not null",
        "appeal_id": "select id from appeal where cast(:key as uuid) is not null limit 1",
        "proposal_id": "select id from reserve_proposal where state = 'open' and cast(:key as uuid) is not null"
        " limit 1",
        "decision_id": "select id from award_decision where number = 1 and published_at is not null"
        " and cast(:key as uuid) is not null",
        "offered_id": "select application_id from award_offer where state = 'open' and cast(:key as uuid) is not null",
        "scenario_id": "select s.id from scenario s join user_account u on u.id = s.author_id"
        " where s.adopted_at is null and u.email = 'chair@demo.example' and cast(:key as uuid) is not null"
        " order by s.id limit 1",
        "adopted_id": "select id from scenario where adopted_at is not null and cast(:key as uuid) is not null limit 1",
        "pair_id": "select id from similar_pair where cast(:key as uuid) is not null order by id limit 1",
        "conflict_id": "select c.id from conflict c where strength = 'soft' and ended_at is null"
        " and cast(:key as uuid) is not null order by c.id limit 1",
        "judge_id": "select id from user_account where email = 'reviewer1@demo.example'"
        " and cast(:key as uuid) is not null",
        "tie_id": "select t.id from person_tie t join user_account u on u.id = t.user_id"
        " where u.email = 'reviewer1@demo.example' and cast(:key as uuid) is not null limit 1",
        "owner_id": "select id from organisation_owner where cast(:key as uuid) is not null order by id limit 1",
        "plan_id": "select id from assignment_plan where cast(:key as uuid) is not null order by id limit 1",
        "absence_id": "select id from reviewer_absence where cast(:key as uuid) is not null order by id limit 1",
        "reviewer_id": "select user_id from reviewer_absence where cast(:key as uuid) is not null order by id limit 1",
        "task_id": "select id from task where cast(:key as uuid) is not null limit 1",
        "export_id": "select e.id from application_export e where e.application_id = :key limit 1",
        "correction_id": "select c.id from correction_request c where c.application_id = :key limit 1",
        "message_id": "select m.id from application_message m where m.application_id = :key limit 1",
        "notice_id": "select n.id from notice n join user_account u on u.id = n.user_id"
        " where u.email = 'initiator@demo.example' and cast(:key as uuid) is not null order by n.id limit 1",
        "user_id": "select id from user_account where email = 'editor@demo.example' and cast(:key as uuid) is not null",
    }
    for name, statement in queries.items():
        row = _one(statement, key=application)
        found[name] = row[0] if row and row[0] is not None else uuid4()
    return found | {
        "name": "product",
        "track": "import_substitution",
        "section": "criteria",
        "role": "auditor",
        "kind": "members",
        "extension": "csv",
        "token": "no-such-token",
        "filename": "js/portal.js",
        "action_code": "RM-01",
        "step": "commission",
    }


def _client(app: Flask, email: str | None) -> FlaskClient:
    if email is None:
        return app.test_client()
    if "@" not in email:
        email = _one(
            "select u.email from user_account u join membership m on m.user_id = u.id join cluster_member c"
            " on c.organisation_id = m.organisation_id join cluster k on k.id = c.cluster_id"
            " where k.code = 'D9' and m.role = 'owner' order by u.email limit 1"
        )[0]
    return signed_in_client(app, _one("select fs_uniquifier from user_account where email = :email", email=email)[0])


def url_of(app: Flask, rule: Rule, values: Mapping[str, Any]) -> str:
    """The URL of a rule with the stage's objects."""
    with app.test_request_context():
        others = {name: values.get(other, other) for name, other in OTHERS.get(rule.endpoint, {}).items()}
        chosen = {**values, **others}
        if rule.endpoint.startswith("rule_questions."):
            chosen |= {"rule_set_id": values["asking_rules"], "code": "Q-01"}
        extra = OTHERS.get(rule.endpoint, {})
        return url_for(rule.endpoint, **{name: chosen[name] for name in (*rule.arguments, *extra)})


def form(endpoint: str, values: Mapping[str, Any]) -> dict[str, str]:
    """An empty form that gets through the door, with the fields that name an object of the stage."""
    names = {
        "applications.confirm": {"participant": values["participant_id"], "digest": "0" * 64},
        "applications.participants": {"organisation": values["invitable_id"]},
        "applications.exported": {"version": "1"},
        "applications.messages": {"text": "A question"},
        "staff_messages.show": {"text": "An answer"},
        "board.contact": {"organisation_id": values["organisation_id"]},
        "officer.check": {"submission_id": values["submission_id"], "save": "y"},
    }.get(endpoint, {})
    return {"idempotency_key": str(uuid4()), **{name: str(value) for name, value in names.items()}}
