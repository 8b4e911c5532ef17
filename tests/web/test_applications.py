"""The applicants' pages: the whole way from the start to the receipt, and every refusal on it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from html import unescape
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant, ParticipantState, State, Submission
from portal.audit.models import AuditEvent
from portal.core.clock import at, now
from portal.identity.models import OrgRole, Role, User
from portal.notifications.models import Letter
from tests.conftest import form
from tests.factories import applications, identity, tenders

SignIn = Callable[[User], FlaskClient]
PAGES = ("", "/check", "/confirm", "/participants", "/documents", "/submit", *(f"/sections/{name}" for name in ("product", "market", "plan", "economics", "kpi")))
PART_PAGES = ("sections/costs", "sections/financing", "sections/subsidy", "sections/declarations", "documents")


def text(response: object) -> str:
    return unescape(re.sub(r"\s+", " ", response.text))  # type: ignore[attr-defined]


def test_every_page_of_a_draft_opens(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.commit()
    client = sign_in(joint.owners[0])
    for path in PAGES:
        assert client.get(f"/applications/{joint.id}{path}").status_code == 200, path
    for part in joint.parts:
        for path in PART_PAGES:
            assert client.get(f"/applications/{joint.id}/participants/{part.id}/{path}?missing=1").status_code == 200


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_page_of_a_submitted_application_opens(session: Session, sign_in: SignIn, language: str) -> None:
    joint, row = applications.submitted(session)
    session.commit()
    client = sign_in(joint.owners[1])
    for path in PAGES[:-1]:
        if path == "/submit":
            continue
        assert client.get(f"/applications/{joint.id}{path}?lang={language}").status_code == 200, path
    assert client.get(f"/applications/{joint.id}/receipt?lang={language}").status_code == 200
    paper = client.get(f"/applications/{joint.id}/receipt.pdf?lang={language}")
    assert paper.status_code == 200
    assert paper.data.startswith(b"%PDF-")
    assert client.get(f"/applications/?lang={language}").status_code == 200
    assert client.get(f"/applications/start?lang={language}").status_code == 200
