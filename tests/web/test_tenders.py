"""The administrator's pages: tenders and the editor of rules."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Role, User
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.rulebook import load_commission, load_lanes, load_questions, load_rulebook
from portal.tenders.ruleset import (
    AllocationLimit,
    Allotment,
    Bands,
    LimitField,
    LimitUnit,
    Text,
    Tie,
    TieEffect,
    TieRuling,
    to_json,
)
from portal.tenders.ruleset.model import Blindness, ExpertMean, RuleSet, Sight
from portal.web.rule_fields import SECTIONS
from tests.conftest import form
from tests.factories import identity
from tests.factories import tenders as factory

IS = Track.IMPORT_SUBSTITUTION
SignIn = Callable[[User], FlaskClient]


class Inputs(HTMLParser):
    """What a browser would send back from the page's first section form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select: str | None = None
        self._area: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input" and name and given.get("type") not in ("checkbox", "radio", "file"):
            self.values[name] = given.get("value") or ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in given or self._select not in self.values:
                self.values[self._select] = given.get("value") or ""
        elif tag == "textarea":
            self._area, self.values[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data


@pytest.fixture
def administrator(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    return sign_in(person)


@pytest.fixture
def draft(session: Session) -> Tender:
    row = factory.tender(session, code="D1")
    session.commit()
    return row


def rules_of(session: Session, tender: Tender, track: Track = IS) -> RuleSetVersion:
    wanted = select(TenderTrack).where(TenderTrack.tender_id == tender.id, TenderTrack.track == track)
    return session.get_one(RuleSetVersion, session.scalars(wanted).one().rule_set_id)


def new_tender(session: Session, **changes: Any) -> dict[str, Any]:
    programme = factory.programme(session)
    session.commit()
    return form(
        **{
            "programme": str(programme.id),
            "code": "2030",
            "year": "2030",
            "title_ru": "Отбор",
            "title_en": "Tender",
            "notice_ru": "Извещение",
            "notice_en": "Notice",
            "zone": "Europe/Moscow",
            "opens": "01.08.2030 09:00",
            "closes": "31.08.2030 18:00",
            "rules_import_substitution": "official",
            "rules_export": "official",
            **changes,
        }
    )


# A tender from nothing to its publication


def test_prepare_and_publish(session: Session, administrator: FlaskClient) -> None:
    assert '<option value="Europe/Moscow" selected>' in administrator.get("/staff/tenders/new").text
    answer = administrator.post("/staff/tenders/new", data=new_tender(session))
    assert answer.status_code == 303
    tender = session.scalars(select(Tender)).one()
    assert tender.closes_at is not None
    assert tender.closes_at.isoformat() == "2030-08-31T15:00:00+00:00"
    page = administrator.get(answer.location).get_data(as_text=True)
    assert "Publish and freeze the rules" in page
    path = f"/staff/tenders/{tender.id}/publish"
    assert administrator.post(path, data=form(version=tender.version)).status_code == 303
    session.expire_all()
    assert tender.published_at is not None
    page = administrator.get(f"/staff/tenders/{tender.id}").get_data(as_text=True)
    assert "Publish and freeze the rules" not in page
    assert "Extend or amend" in page
    assert administrator.get("/tenders/2030").status_code == 200


def test_what_was_typed_stays_with_all_problems(session: Session, administrator: FlaskClient) -> None:
    data = new_tender(session, code="no spaces!", year="soon", closes="31/08", title_ru="Мой отбор")
    answer = administrator.post("/staff/tenders/new", data=data)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    for text in (
        "no spaces!",
        "soon",
        "31/08",
        "Мой отбор",
        "Give a date and time such as",
        "Give a whole number.",
        "A code has Latin letters",
    ):
        assert text in page
    data = new_tender(session, code="no spaces!", closes="01.08.2030 08:00", rules_export="", zone="Mars")
    page = administrator.post("/staff/tenders/new", data=data).get_data(as_text=True)
    for text in ("A code has Latin letters", "There is no such time zone."):
        assert text in page
    data = new_tender(session, rules_import_substitution="", rules_export="not-a-key", programme="x")
    page = administrator.post("/staff/tenders/new", data=data).get_data(as_text=True)
    for text in ("Choose a programme.", "The rules to copy are gone"):
        assert text in page


def test_characters_that_cannot_be_stored(session: Session, administrator: FlaskClient) -> None:
    answer = administrator.post("/staff/tenders/new", data=new_tender(session, title_ru="a\x00b"))
    assert answer.status_code == 422
    assert "cannot be kept (NUL)" in answer.get_data(as_text=True)


def test_incomplete_tender_is_not_published(session: Session, administrator: FlaskClient) -> None:
    tender = factory.tender(session, notice_en="")
    session.commit()
    page = administrator.get(f"/staff/tenders/{tender.id}").get_data(as_text=True)
    assert "Before it can be published" in page
    answer = administrator.post(f"/staff/tenders/{tender.id}/publish", data=form(version=tender.version))
    assert answer.status_code == 422
    assert "Give the time at which intake opens." in answer.get_data(as_text=True)


def test_edit_amend_cancel(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    path = f"/staff/tenders/{draft.id}"
    sent = Inputs(administrator.get(f"{path}/edit").get_data(as_text=True)).values
    assert administrator.post(f"{path}/edit", data={**sent, "title_en": "Renamed"}).status_code == 303
    assert administrator.post(f"{path}/edit", data=form(**{**sent, "idempotency_key": ""})).status_code == 422
    stale = {**sent, **form()}
    assert administrator.post(f"{path}/edit", data=stale).status_code == 409
    running = factory.open_tender(session)
    session.commit()
    path = f"/staff/tenders/{running.id}"
    assert administrator.get(f"{path}/edit").location == path
    sent = Inputs(administrator.get(f"{path}/amend").get_data(as_text=True)).values
    reasons = {"reason_ru": "Вопросы", "reason_en": "Questions"}
    assert administrator.post(f"{path}/amend", data={**sent, **form(), **reasons}).status_code == 422
    answer = administrator.post(f"{path}/amend", data={**sent, **form(), **reasons, "closes": "01.01.2000 00:00"})
    assert answer.status_code == 422
    assert "01.01.2000 00:00" in answer.get_data(as_text=True)
    data = {**sent, **form(), **reasons, "closes": "30.12.2099 18:00", "notice_en": "Another <b>notice</b>"}
    assert administrator.post(f"{path}/amend", data=data).status_code == 303
    changes = administrator.get(f"/tenders/{running.code}/changes").get_data(as_text=True)
    assert "30 Dec 2099, 18:00" in changes
    assert "<ins>Another &lt;b&gt;notice&lt;/b&gt;</ins>" in changes
    assert "Questions" in administrator.get(f"/tenders/{running.code}").get_data(as_text=True)
    session.expire_all()
    sent = Inputs(administrator.get(f"{path}/cancel").get_data(as_text=True)).values
    assert administrator.post(f"{path}/cancel", data=sent).status_code == 422
    data = {**sent, **form(), "reason_ru": "Нет средств", "reason_en": "No money"}
    assert administrator.post(f"{path}/cancel", data=data).status_code == 303
    assert "No money" in administrator.get(f"/tenders/{running.code}").get_data(as_text=True)


def test_tracks_and_programmes(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    path = f"/staff/tenders/{draft.id}/tracks"
    assert administrator.post(f"{path}/export", data=form(do="remove")).status_code == 303
    assert administrator.post(f"{path}/export", data=form()).status_code == 303
    assert administrator.post(f"{path}/elsewhere", data=form()).status_code == 404
    data = {"code": "NEW", "name_ru": "Новая", "name_en": "New"}
    assert administrator.post("/staff/tenders/programmes/new", data=form(**data)).status_code == 303
    assert administrator.post("/staff/tenders/programmes/new", data=form(**data)).status_code == 422
    assert "NEW" in administrator.get("/staff/tenders/programmes").get_data(as_text=True)
    edit = f"/staff/tenders/programmes/{draft.programme_id}"
    sent = Inputs(administrator.get(edit).get_data(as_text=True)).values
    assert administrator.post(edit, data={**sent, "name_en": "Renamed"}).status_code == 303


# The editor


@pytest.mark.parametrize("section", list(SECTIONS))
@pytest.mark.parametrize("track", list(Track))
def test_a_section_sent_back_unchanged_changes_nothing(
    session: Session, administrator: FlaskClient, draft: Tender, section: str, track: Track
) -> None:
    row = rules_of(session, draft, track)
    before = row.content
    path = f"/staff/rules/{row.id}/{section}"
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    assert administrator.post(path, data=sent).status_code == 303
    session.expire_all()
    assert row.content == before


def test_weights_are_edited_and_checked(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/criteria"
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    answer = administrator.post(path, data={**sent, "criteria-0-weight": "12,5"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "now they sum to 92.5" in page
    assert 'value="12.5"' in page
    answer = administrator.post(path, data={**sent, **form(), "criteria-0-weight": "12,5", "criteria-1-weight": "27.5"})
    assert answer.status_code == 303
    session.expire_all()
    assert [item["weight"] for item in row.content["criteria"][:2]] == ["12.5", "27.5"]
    sums = administrator.get(f"/staff/rules/{row.id}/weights?criteria-0-weight=60&criteria-1-weight=30,5")
    assert "sum to 90.5" in sums.get_data(as_text=True)


def test_what_scores_mean_is_typed_kept_and_emptied(
    session: Session, administrator: FlaskClient, draft: Tender
) -> None:
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/criteria"
    page = administrator.get(path).get_data(as_text=True)
    sent = Inputs(page).values
    first = next(name for name in sent if name.endswith("aspects-0-anchors-0-least")).removesuffix("0-least")
    typed = {
        f"{first}{place}-{name}": text
        for place, values in enumerate((("0", "5", "Слабо", "Weak"), ("6", "9", "Сильно", "Strong")))
        for name, text in zip(("least", "most", "text-ru", "text-en"), values, strict=True)
    }
    answer = administrator.post(path, data={**sent, **form(), **typed})
    assert (answer.status_code, "The last one ends with 10." in answer.get_data(as_text=True)) == (422, True)
    assert administrator.post(path, data={**sent, **form(), **typed, f"{first}1-most": "10"}).status_code == 303
    session.expire_all()
    (held,) = (item["aspects"][0]["anchors"] for item in row.content["criteria"] if item["aspects"])
    assert [(each["least"], each["most"], each["text"]["en"]) for each in held] == [(0, 5, "Weak"), (6, 10, "Strong")]
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    assert administrator.post(path, data={**sent, **form()}).status_code == 303
    session.expire_all()
    assert [item["aspects"][0]["anchors"] for item in row.content["criteria"] if item["aspects"]] == [held]
    emptied = {name: "" for name in sent if name.startswith(first)}
    assert administrator.post(path, data={**sent, **form(), **emptied}).status_code == 303
    session.expire_all()
    assert "anchors" not in str(row.content)


def test_lanes_are_added_then_given_their_aspects(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/criteria"
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    lane = {"lanes-0-code": "technical", "lanes-0-title-ru": "Техника", "lanes-0-title-en": "Technology"}
    answer = administrator.post(path, data={**sent, **form(), **lane, "lanes-0-reviewers": "3"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "Each aspect belongs to one lane: choose it." in page
    again = Inputs(page).values
    chosen = {name: "technical" for name in again if name.endswith("-lane") and again[name.replace("lane", "code")]}
    assert len(chosen) == 5
    assert administrator.post(path, data={**again, **form(), **chosen}).status_code == 303
    session.expire_all()
    (held,) = row.content["lanes"]
    assert (held["code"], held["reviewers"], len(held["aspects"])) == ("technical", 3, 5)
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    assert administrator.post(path, data={**sent, **form()}).status_code == 303
    session.expire_all()
    assert row.content["lanes"] == [held]
    assert administrator.post(path, data={**sent, **form(), "lanes-0-remove": "y"}).status_code == 303
    session.expire_all()
    assert "lanes" not in row.content


def test_the_usual_lanes_are_taken_where_they_fit(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/lanes"
    sent = {**form(), "version": row.version}
    assert "Take the usual lanes" in administrator.get(f"/staff/rules/{row.id}/criteria").text
    assert administrator.post(path, data=sent).status_code == 303
    session.expire_all()
    assert [lane["code"] for lane in row.content["lanes"]] == ["technical", "financial", "legal"]
    assert "Take the usual lanes" not in administrator.get(f"/staff/rules/{row.id}/criteria").text
    content = deepcopy(row.content)
    del content["lanes"]
    content["criteria"][-1]["aspects"][0]["code"] = "magic"
    row.content = content
    session.commit()
    page = administrator.post(path, data={**form(), "version": row.version}, follow_redirects=True)
    assert "The usual lanes do not fit" in page.text
    session.expire_all()
    assert "lanes" not in row.content


def test_entries_are_added_and_removed(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/documents"
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    last = len(row.content["documents"])
    added = {
        f"documents-{last}-code": "DOC-30",
        f"documents-{last}-title-ru": "Справка",
        f"documents-{last}-title-en": "Certificate",
        f"documents-{last}-formats": "PDF, docx",
        f"documents-{last}-max_age_days": "10",
        "documents-2-remove": "y",
    }
    gone = row.content["documents"][2]["code"]
    assert administrator.post(path, data={**sent, **added}).status_code == 303
    session.expire_all()
    codes = [item["code"] for item in row.content["documents"]]
    assert (codes[-1], gone in codes, len(codes)) == ("DOC-30", False, last)
    assert row.content["documents"][-1]["formats"] == ["pdf", "docx"]


def test_every_fault_is_shown_at_its_input(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/general"
    sent = Inputs(administrator.get(path).get_data(as_text=True)).values
    wrong = {"cap_share": "many", "min_participants": "two", "costs_from": "yesterday", "years": "2020 x"}
    answer = administrator.post(path, data={**sent, **wrong})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    for text in ("many", "two", "yesterday", "2020, x"):
        assert f'value="{text}"' in page
    for name in ("cap_share", "min_participants", "costs_from"):
        assert f'id="{name}-error"' in page


def test_frozen_rules_are_read_only(session: Session, administrator: FlaskClient) -> None:
    tender = factory.open_tender(session)
    session.commit()
    row = rules_of(session, tender)
    page = administrator.get(f"/staff/rules/{row.id}").get_data(as_text=True)
    assert "can be read, but no longer changed" in page
    assert "Replace all rules" not in page
    assert administrator.get(f"/staff/rules/{row.id}/general").location == f"/staff/rules/{row.id}"
    answer = administrator.post(f"/staff/rules/{row.id}/general", data=form(version=row.version, threshold="1"))
    assert answer.status_code == 409
    assert administrator.get(f"/staff/rules/{row.id}/nowhere").status_code == 404


def test_rules_start_anew_from_another_tender(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    earlier = factory.closed_tender(session, rules={"min_participants": 5})
    source = str(factory.track_of(earlier).rule_set_id)
    session.commit()
    row = rules_of(session, draft)
    path = f"/staff/rules/{row.id}/copy"
    assert administrator.post(path, data=form(copy_of=source, version=row.version)).status_code == 303
    session.expire_all()
    assert row.content["min_participants"] == 5
    assert administrator.post(path, data=form(copy_of="x", version=row.version)).status_code == 422


# Files


def send(client: FlaskClient, row: RuleSetVersion, data: bytes) -> Any:
    return client.post(
        f"/staff/rules/{row.id}/upload",
        data=form(version=row.version, file=(io.BytesIO(data), "rules.json")),
        content_type="multipart/form-data",
    )


def test_rules_travel_as_a_file(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    content = json.loads(administrator.get(f"/staff/rules/{row.id}.json").data)
    assert content == row.content
    content["threshold"] = "55"
    assert send(administrator, row, json.dumps(content).encode()).status_code == 303
    session.expire_all()
    assert row.content["threshold"] == "55"


def test_rules_with_everything_they_may_have_travel_as_a_file(
    session: Session, administrator: FlaskClient, draft: Tender
) -> None:
    row = rules_of(session, draft)
    official = load_rulebook(IS)
    first, *rest = official.criteria
    falling = Bands(((Decimal(1), Decimal(10)), (Decimal(3), Decimal(4))), open_below=True)
    steps = (replace(first.components[0], scale=falling), *first.components[1:])
    whole = to_json(
        replace(
            official,
            criteria=(replace(first, components=steps), *rest),
            questions=load_questions(IS),
            lanes=load_lanes(),
            confidential_parts=Sight.OWN,
            blindness=next(mode for mode in Blindness if mode is not Blindness.OPEN),
            expert_mean=ExpertMean.CALIBRATED,
            commission=load_commission(),
            conflict_ties=(TieRuling(Tie.CLUSTER, TieEffect.NONE),),
            allotment=Allotment.BEST_TOTAL,
            smallest_part=Decimal(60),
            offer_days=7,
            limits=(
                AllocationLimit(
                    "L1", Text("Одна", "One"), LimitField.ORGANISATION, "*", None, Decimal(1), LimitUnit.PROJECTS
                ),
            ),
        )
    )
    assert {field.name for field in fields(RuleSet)} == set(whole)
    assert send(administrator, row, json.dumps(whole).encode()).status_code == 303
    session.expire_all()
    assert json.loads(administrator.get(f"/staff/rules/{row.id}.json").data) == row.content == whole


OFFICIAL = to_json(load_rulebook(IS))


@pytest.mark.parametrize(
    ("data", "place", "told"),
    [
        (b"", "file", "The file is not JSON"),
        (b"{", "file", "The file is not JSON: the fault is in line 1."),
        (b"\xff\xfe{}", "file", "The file is not text in UTF-8."),
        (b"[" * 100_000, "file", "The file is nested too deeply."),
        (b'{"threshold": 60.5}', "file", "Write numbers with a fraction as text"),
        (b'{"threshold": NaN}', "file", "Write numbers with a fraction as text"),
        (b'{"track": "a", "track": "b"}', "file", "each name only once"),
        (b"1" * 5000, "file", "The file is not JSON"),
        (b" " * (1024 * 1024 + 1), "file", "The file is larger than 1 MB."),
        (b"[]", "", "does not have the form"),
        (b"{}", "threshold", "This field is required."),
        ({"sum": "1"}, "sum", "This field is not known."),
        ({"threshold": True}, "threshold", "This must be a number"),
        ({"years": "2018"}, "years", "does not have the form"),
        ({"min_participants": "2"}, "min_participants", "does not have the form"),
        ({"title": {"ru": "x" * 2001, "en": "x"}}, "title.ru", "does not have the form"),
        ({"title": {"ru": "a\x00b", "en": "x"}}, "", "cannot be stored"),
        ({"title": {"ru": "\ud800", "en": "x"}}, "", "cannot be stored"),
        ({"kpis": OFFICIAL["kpis"][:1] * 201}, "kpis", "does not have the form"),
        ({"track": "export"}, "track", "belong to another track"),
        ({"criteria": [{"code": "X", "boo": 1}]}, "criteria.0.boo", "This field is not known."),
    ],
)
def test_a_malformed_file_is_explained_and_changes_nothing(
    session: Session,
    administrator: FlaskClient,
    draft: Tender,
    data: bytes | dict[str, Any],
    place: str,
    told: str,
) -> None:
    row = rules_of(session, draft)
    before = row.content
    sent = data if isinstance(data, bytes) else json.dumps({**OFFICIAL, **data}).encode()
    answer = send(administrator, row, sent)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert told in page
    assert place in page
    session.expire_all()
    assert row.content == before


# Roles and statements


def test_others_may_read_but_not_change(session: Session, sign_in: SignIn, draft: Tender) -> None:
    row = rules_of(session, draft)
    path = f"/staff/tenders/{draft.id}"
    auditor = identity.user(session, Role.AUDITOR)
    reviewer = identity.user(session, Role.REVIEWER)
    member = identity.member(session, identity.organisation(session))
    session.commit()
    reading = ["/staff/tenders", path, f"/staff/rules/{row.id}", f"/staff/rules/{row.id}.json"]
    writing = [f"{path}/edit", f"{path}/cancel", "/staff/tenders/new", f"/staff/rules/{row.id}/general"]
    client = sign_in(auditor)
    assert [client.get(url).status_code for url in reading] == [200] * 4
    assert [client.get(url).status_code for url in writing] == [403] * 4
    assert client.post(f"{path}/publish", data=form()).status_code == 403
    assert "Publish and freeze" not in client.get(path).get_data(as_text=True)
    for person, status in ((reviewer, 403), (member, 404)):
        client = sign_in(person)
        assert [client.get(url).status_code for url in reading + writing] == [status] * 8


@pytest.mark.parametrize("rows", [1, 3])
def test_pages_send_the_same_number_of_statements(
    session: Session, administrator: FlaskClient, count_queries: Callable[[], Any], rows: int
) -> None:
    tenders = [factory.tender(session) for _ in range(rows)]
    rule_set = rules_of(session, tenders[0])
    session.commit()
    administrator.get("/staff/tenders")  # the first answer writes the session's row
    counts = {}
    for name, path in {
        "list": "/staff/tenders",
        "tender": f"/staff/tenders/{tenders[0].id}",
        "rules": f"/staff/rules/{rule_set.id}",
        "section": f"/staff/rules/{rule_set.id}/criteria",
        "new": "/staff/tenders/new",
    }.items():
        with count_queries() as statements:
            assert administrator.get(path).status_code == 200
        counts[name] = len(statements)
    assert counts == {"list": 3, "tender": 6, "rules": 3, "section": 2, "new": 3}


def test_the_commission_is_edited_like_the_rest(session: Session, administrator: FlaskClient, draft: Tender) -> None:
    row = rules_of(session, draft)
    url = f"/staff/rules/{row.id}/commission"
    page = administrator.get(url).text
    assert 'value="300000000"' in page
    prefix = "commission_view-"
    typed = {"on": "yes", "ballot": "closed", "parts": "1", "of": "2", "director": "0", "held": "30", "appeal": "5"}
    typed |= {"chair": "1 000 000", "finance": ""}
    values = {f"{prefix}{name}": value for name, value in typed.items()}
    wrong = administrator.post(url, data=form(version=row.version, **{**values, f"{prefix}director": "5"}))
    assert (wrong.status_code, "At least one office signs every decision" in wrong.text) == (422, True)
    assert administrator.post(url, data=form(version=row.version, **values)).status_code == 303
    session.expire_all()
    assert row.content["commission"] == {
        "ballot": "closed",
        "quorum": [1, 2],
        "sign_offs": [{"office": "director", "above": "0"}, {"office": "chair", "above": "1000000"}],
        "letters_held_minutes": 30,
        "appeal_days": 5,
    }
    off = administrator.post(url, data=form(version=row.version, **{**values, f"{prefix}on": "no"}))
    assert off.status_code == 303
    session.expire_all()
    assert "commission" not in row.content
