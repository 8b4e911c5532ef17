"""Tables as files: who gets which, what an upload would change, and saving it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.applications import service
from portal.applications.models import Section
from portal.documents import clamd
from portal.documents.sheets import Page, as_workbook
from portal.documents.tables import sheets
from portal.identity.models import OrgRole, User
from tests.conftest import form
from tests.documents.clamd_server import EICAR, closed_port, scanner
from tests.factories import applications, identity

SignIn = Callable[[User], FlaskClient]


def text(answer: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def workbook(joint: applications.Joint, value: str, place: int = 0) -> io.BytesIO:
    part = joint.parts[place].id
    year = str(joint.dossier.rules.cost_years[-1])
    rows = [[f"portal:costs:{part}"], ["", "", year], ["CC-04", "", value], ["CC-05", "", "bad"]]
    return io.BytesIO(as_workbook([Page("Costs", rows)]))


def hidden(answer: Any) -> dict[str, str]:
    found = re.findall(r'name="((?:cell|base):[^"]+)" value="([^"]*)"', answer.text)
    return {unescape(name): unescape(value) for name, value in found}


def typed(joint: applications.Joint, key: str) -> str | None:
    row: Section | None = joint.dossier.sections.get((joint.parts[0].id, "costs"))
    return row.data.get(key) if row else None


@pytest.fixture
def joint(session: Session) -> applications.Joint:
    found = applications.filled(session, documents=False)
    session.commit()
    return found


def test_who_gets_which_file(session: Session, sign_in: SignIn, joint: applications.Joint) -> None:
    base = f"/applications/{joint.id}"
    owner, partner = (sign_in(person) for person in joint.owners)
    whole = owner.get(f"{base}/tables.xlsx")
    assert whole.headers["Content-Disposition"].startswith("attachment")
    # Target indicators and cash flow of the project, four tables of each participant.
    assert len(sheets(whole.data, "a.xlsx")) == 2 + 4 * 2
    own = partner.get(f"{base}/participants/{joint.parts[1].id}/tables.xlsx")
    assert len(sheets(own.data, "a.xlsx")) == 4
    assert partner.get(f"{base}/tables.xlsx").status_code == 403
    stranger = sign_in(identity.member(session, identity.organisation(session)))
    for path in ("tables.xlsx", "tables", f"participants/{joint.parts[1].id}/tables.xlsx"):
        assert stranger.get(f"{base}/{path}").status_code == 404, path


@pytest.mark.parametrize("language", ["ru", "en"])
def test_first_what_would_change_then_saving(sign_in: SignIn, joint: applications.Joint, language: str) -> None:
    client, url = sign_in(joint.owners[0]), f"/applications/{joint.id}/tables?lang={language}"
    key = f"CC-04.{joint.dossier.rules.cost_years[-1]}"
    assert client.get(url).status_code == 200
    answer = client.post(url, data=form(file=(workbook(joint, "1 234,50"), "costs.xlsx")))
    assert answer.status_code == 200
    assert "Costs!C4" in answer.text
    assert "bad" in text(answer)
    assert typed(joint, key) is None, "a preview writes nothing"
    saved = client.post(url, data=form(then="confirm", **hidden(answer)))
    assert saved.status_code == 303
    assert typed(joint, key) == "1234.50"
    again = client.post(url, data=form(file=(workbook(joint, "1234.5"), "costs.xlsx")))
    assert hidden(again) == {}


def test_whoever_was_faster_is_not_overwritten(session: Session, sign_in: SignIn, joint: applications.Joint) -> None:
    client, url = sign_in(joint.owners[0]), f"/applications/{joint.id}/tables?lang=en"
    key = f"CC-04.{joint.dossier.rules.cost_years[-1]}"
    answer = client.post(url, data=form(file=(workbook(joint, "5"), "costs.xlsx")))
    part = joint.parts[0].id
    row = joint.dossier.sections[part, "costs"]
    service.save_section(
        session,
        joint.actor(),
        application_id=joint.id,
        participant_id=part,
        section="costs",
        values={**row.data, key: "9"},
        expected_version=row.version,
    )
    session.commit()
    clash = client.post(url, data=form(then="confirm", **hidden(answer)))
    assert clash.status_code == 409
    assert "Somebody changed some of these cells" in text(clash)
    assert typed(joint, key) == "9"
    assert client.post(url, data=form(then="confirm", **hidden(clash))).status_code == 303
    assert typed(joint, key) == "5.00"


def test_another_participants_table_is_not_ones_own(sign_in: SignIn, joint: applications.Joint) -> None:
    client, url = sign_in(joint.owners[1]), f"/applications/{joint.id}/tables?lang=en"
    answer = client.post(url, data=form(file=(workbook(joint, "5"), "costs.xlsx")))
    assert "is not yours to change" in text(answer)
    assert hidden(answer) == {}
    forged = {f"cell:costs|{joint.parts[0].id}|CC-04.2018": "5"}
    assert client.post(url, data=form(then="confirm", **forged)).status_code == 403


@pytest.mark.parametrize(
    "name",
    ["costs", "costs|x|y", "product||name_ru", "costs||CC-04.2018", "kpi|{part}|K1", "costs|{part}|CC-04.1999"],
)
def test_what_is_no_cell_is_not_written(sign_in: SignIn, joint: applications.Joint, name: str) -> None:
    client = sign_in(joint.owners[0])
    name = name.replace("{part}", str(joint.parts[0].id))
    before = {place: dict(row.data) for place, row in joint.dossier.sections.items()}
    answer = client.post(f"/applications/{joint.id}/tables", data=form(then="confirm", **{f"cell:{name}": "5"}))
    assert answer.status_code in (303, 404)
    assert {place: dict(row.data) for place, row in joint.dossier.sections.items()} == before


def test_files_that_are_no_tables(sign_in: SignIn, joint: applications.Joint) -> None:
    client, url = sign_in(joint.owners[0]), f"/applications/{joint.id}/tables?lang=en"
    for content, words in (
        (b"PK\x03\x04broken", "cannot be read"),
        (b"x" * (5 * 1024 * 1024 + 1), "larger than 5 MB"),
    ):
        answer = client.post(url, data=form(file=(io.BytesIO(content), "a.xlsx")))
        assert answer.status_code == 422
        assert words in text(answer)
    assert client.post(url, data=form()).status_code == 422
    other = client.post(url, data=form(file=(io.BytesIO(b"a;b\n1;2\n"), "a.csv")))
    assert other.status_code == 200
    assert "holds no table of this application" in text(other)


def test_a_file_is_scanned_before_it_is_read(sign_in: SignIn, joint: applications.Joint) -> None:
    client, url = sign_in(joint.owners[0]), f"/applications/{joint.id}/tables?lang=en"
    answers = []
    with scanner() as running:
        for address in (running.url, f"tcp://127.0.0.1:{closed_port()}"):
            clamd.configure(address)
            content = b"a;b\n" + EICAR + b"\n" if address == running.url else b"a;b\n1;2\n"
            answers.append(client.post(url, data=form(file=(io.BytesIO(content), "a.csv"))))
            clamd.configure(None)
    assert [answer.status_code for answer in answers] == [422, 422]
    assert "The virus check has refused this file" in text(answers[0])
    assert "cannot be checked for viruses at the moment" in text(answers[1])


def test_after_submission_nothing_can_be_brought_back(session: Session, sign_in: SignIn) -> None:
    joint, _ = applications.submitted(session)
    session.commit()
    client, url = sign_in(joint.owners[0]), f"/applications/{joint.id}/tables?lang=en"
    assert 'type="file"' not in client.get(url).text
    answer = client.post(url, data=form(file=(workbook(joint, "5"), "costs.xlsx")))
    assert answer.status_code == 409
    forged = {f"cell:costs|{joint.parts[0].id}|CC-04.2018": "5"}
    assert client.post(url, data=form(then="confirm", **forged)).status_code == 409


def test_a_reader_of_the_organisation_may_not_bring_a_file(
    session: Session, sign_in: SignIn, joint: applications.Joint
) -> None:
    reader = sign_in(identity.member(session, joint.organisations[0], role=OrgRole.VIEWER))
    session.commit()
    url = f"/applications/{joint.id}/tables?lang=en"
    assert 'type="file"' not in reader.get(url).text
    assert reader.post(url, data=form(file=(workbook(joint, "5"), "costs.xlsx"))).status_code == 403
    assert reader.get(f"/applications/{joint.id}/tables.xlsx").status_code == 403
