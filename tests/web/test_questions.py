"""Extra questions on the applicant's and the officer's pages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.applications.submissions import submission
from portal.identity.models import Role, User
from tests.conftest import form
from tests.factories import applications, identity
from tests.factories import questions as asking
from tests.web.test_applications import section_url, text

SignIn = Callable[[User], FlaskClient]


def box(page: str, code: str) -> str:
    """The opening tag around a question."""
    found = re.search(rf'<div class="jp-question" data-question="{code}"[^>]*>', page)
    assert found, code
    return found[0]


def test_questions_are_asked_kept_and_linked(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session, tender=asking.asking_tender(session))
    session.commit()
    client = sign_in(joint.owners[0])
    here = section_url(joint, "questions")
    page = client.get(here)
    assert page.status_code == 200
    assert 'data-of="Q-01" data-test="one_of" data-values="audit,programme"' in box(page.text, "Q-02")
    assert "hidden" not in box(page.text, "Q-02")
    assert "Only if the answer to “How does the regional" in text(page)
    answer = client.post(
        here, data=form(**{"version": 0, "Q-01": "no", "Q-02": "kept", "Q-03": "many", "Q-04.own": "yes", "then": "x"})
    )
    assert (answer.status_code, answer.location) == (303, here)
    page = client.get(here)
    assert "kept" in page.text
    assert re.search(r'name="Q-04.own"[^>]*value="yes" checked', page.text)
    assert not re.search(r'name="Q-04.rcc"[^>]*checked', page.text)
    assert "«Number of" not in text(page)
    assert '<a href="#Q-03">' in page.text
    listed = client.get(f"/applications/{joint.id}/submit").text
    assert f"{here}?missing=1#Q-05" in listed
    assert "#Q-02" not in listed
    assert f"{section_url(joint, 'own_questions', 0)}?missing=1#Q-11" in listed


def test_what_facts_rule_out_is_hidden_and_kept(session: Session, sign_in: SignIn) -> None:
    joint = asking.answered(session)
    session.commit()
    client = sign_in(joint.owners[1])
    here = section_url(joint, "own_questions", 1)
    page = client.get(here)
    assert "data-out hidden" in box(page.text, "Q-13")
    assert 'value="12,5"' in page.text
    version = joint.dossier.sections[joint.parts[1].id, "own_questions"].version
    assert client.post(here, data=form(**{"version": version, "Q-11": "no", "Q-13": "12,5"})).status_code == 303
    kept = joint.dossier.sections[joint.parts[1].id, "own_questions"].data
    assert (kept["Q-11"], kept["Q-13"]) == ("no", "12,5")


def test_readers_see_answers_in_words_and_only_those_asked(session: Session, sign_in: SignIn) -> None:
    joint = asking.answered(session)
    session.commit()
    page = text(sign_in(joint.owners[1]).get(section_url(joint, "questions")))
    assert "It diagnoses production flows" in page
    assert "At a participant's training centre" in page
    page = text(sign_in(joint.owners[0]).get(section_url(joint, "own_questions", 1)))
    assert "Feb 1, 2018" in page or "01.02.2018" in page or "February 1, 2018" in page or "1 Feb 2018" in page
    assert "purchases" not in page


def test_a_tender_without_questions_has_no_such_page(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.commit()
    client = sign_in(joint.owners[0])
    assert client.get(section_url(joint, "questions")).status_code == 404
    assert client.post(section_url(joint, "own_questions", 0), data=form(version=0)).status_code == 404
    assert "Additional questions" not in client.get(f"/applications/{joint.id}").text


def test_a_question_for_a_file_leads_to_the_documents(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(
        session, track=asking.Track.EXPORT, tender=asking.asking_tender(session, asking.Track.EXPORT)
    )
    session.commit()
    client = sign_in(joint.owners[0])
    documents = f"/applications/{joint.id}/documents"
    assert f'href="{documents}#Q-08"' in client.get(section_url(joint, "questions")).text
    assert 'id="Q-08"' not in client.get(documents).text
    asking.save(joint, {"Q-07.ce": "yes"})
    applications.attach(joint, "Q-08")
    session.commit()
    assert 'id="Q-08"' in client.get(documents).text
    assert "Q-08.pdf" in client.get(section_url(joint, "questions")).text


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_officer_reads_the_answers_of_the_frozen_version(session: Session, sign_in: SignIn, language: str) -> None:
    joint = asking.answered(session)
    applications.confirm_all(joint)
    submission.submit(session, joint.actor(), application_id=joint.id, acknowledged=True)
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    page = text(sign_in(officer).get(f"/staff/applications/{joint.id}?lang={language}"))
    wanted = {
        "en": ("It diagnoses production flows", "How many retraining places", "Date of the agreement"),
        "ru": ("Проводит диагностику потоков", "Сколько мест для переобучения", "Дата соглашения"),
    }
    for words in wanted[language]:
        assert words in page
