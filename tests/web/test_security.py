"""Signing up, in and out, second factor, passwords: through the library's pages, with our letters and trail."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from portal.audit import service as audit
from portal.audit.models import AuditEvent
from portal.core import jobs
from portal.core.db import db
from portal.identity.models import Membership, OrgRole, Role, User, UserSession
from portal.local import received
from portal.notifications import jobs as mail_jobs
from portal.notifications.models import Letter
from portal.web.limits import EXTENSION
from tests.conftest import form
from tests.factories import applications, identity

PASSWORD = "seven quiet rivers"
SignIn = Callable[[User], FlaskClient]


def person(session: Session, **fields: object) -> User:
    row = identity.user(session)
    row.password = hash_password(PASSWORD)
    for name, value in fields.items():
        setattr(row, name, value)
    session.commit()
    return row


def sign_in_by_password(client: FlaskClient, user: User, password: str = PASSWORD, **more: str) -> object:
    return client.post("/account/login", data={"email": user.email, "password": password, **more})


def events(session: Session, tag: str) -> list[AuditEvent]:
    session.expire_all()
    return list(session.scalars(select(AuditEvent).where(AuditEvent.tag == tag).order_by(AuditEvent.seq)))


def letter_link(session: Session, address: str) -> str:
    letter = session.scalars(select(Letter).where(Letter.recipient == address).order_by(Letter.id.desc())).first()
    assert letter is not None
    found = re.search(r"https?://[^/\s]+(/\S+)", letter.text)
    assert found is not None, letter.text
    return found.group(1)


def registration(email: str) -> dict[str, str]:
    return {
        "full_name": "Demo Person",
        "email": email,
        "password": PASSWORD,
        "password_confirm": PASSWORD,
        "consent": "y",
    }


def test_registration_confirmation_and_sign_in(client: FlaskClient, session: Session) -> None:
    email = f"new.{uuid4().hex[:8]}@demo.example"
    answer = client.post("/account/register?lang=en", data=registration(email))
    assert (answer.status_code, answer.location) == (302, "/account/registered")
    assert client.get("/account/registered?lang=en").status_code == 200
    user = session.scalars(select(User).where(User.email == email)).one()
    assert (user.full_name, user.locale, user.confirmed_at, user.active) == ("Demo Person", "en", None, True)
    refused = sign_in_by_password(client, user)
    assert "Confirm your e-mail address first" in refused.text
    link = letter_link(session, email)
    confirmed = client.get(link)
    assert (confirmed.status_code, confirmed.location) == (302, "/start")
    session.expire_all()
    assert session.get_one(User, user.id).confirmed_at is not None
    assert sign_in_by_password(client, user).location == "/start"
    assert client.get("/start").location == "/organisations/new"
    assert [e.changes for e in events(session, "identity:user:register")][-1] == {
        "consent": True,
        "locale": "en",
    }
    assert events(session, "identity:session:refuse")[-1].changes == {"reason": "unconfirmed"}
    assert events(session, "identity:session:start")[-1].changes == {"by": ["password"]}
    assert audit.verify(session)[1] is None


def test_the_track_that_a_visitor_chose_is_kept_until_the_application_is_started(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    """Over registering, a letter that is opened in another browser, and the first steps with an organisation."""
    joint = applications.draft(session, partners=0)
    session.commit()
    wanted = f"/applications/start?track={joint.application.tender_track_id}"
    door = client.get(wanted)
    assert door.location.startswith("/account/login?next=")
    assert "/account/register?next=" in client.get(door.location).text
    register = door.location.replace("/account/login", "/account/register")
    assert client.get(register).status_code == 200
    email = f"new.{uuid4().hex[:8]}@demo.example"
    answer = client.post("/account/register", data=registration(email))
    assert answer.location == "/account/registered"  # the letter first, whatever comes next
    letter = session.scalars(select(Letter).where(Letter.recipient == email)).one()
    found = re.search(r"http://localhost:8000(/account/confirm/\S+)", letter.text)
    assert found is not None
    user = session.scalars(select(User).where(User.email == email)).one()
    elsewhere = app.test_client()
    assert elsewhere.get(found[1]).location == "/start"
    for browser in (elsewhere, client):
        assert sign_in_by_password(browser, user).location == "/start"
        assert browser.get("/start").location == "/organisations/new"
    session.add(Membership(user_id=user.id, organisation_id=joint.organisations[0].id, role=OrgRole.OWNER))
    session.commit()
    assert elsewhere.get("/start").location == wanted
    page = elsewhere.get("/applications/start").text
    assert re.search(rf'value="{joint.application.tender_track_id}"[^>]* checked', page)
    choice = f"{joint.organisations[0].id}:{joint.cluster.id}"
    started = elsewhere.post(
        "/applications/start", data=form(track=joint.application.tender_track_id, organisation=choice)
    )
    assert started.status_code == 303
    assert elsewhere.get("/start").location == "/applications/"


def test_a_wish_that_is_no_start_of_an_application_is_not_kept(client: FlaskClient, session: Session) -> None:
    user = person(session)
    client.get("/account/login?next=/applications/start%3Ftrack%3Dnonsense")
    client.get("/account/login?next=/account/")
    assert client.get("/account/login?next=//evil.example/applications/start").status_code == 400
    sign_in_by_password(client, user)
    assert client.get("/start").location == "/organisations/new"


def test_link_in_a_letter_ignores_the_host_of_the_request(client: FlaskClient, session: Session) -> None:
    user = person(session)
    client.post("/account/reset", data={"email": user.email}, headers={"Host": "evil.example"})
    letter = session.scalars(select(Letter).where(Letter.recipient == user.email)).one()
    assert "evil.example" not in letter.text + letter.html
    assert "http://localhost:8000/account/reset/" in letter.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"full_name": " "}, "Enter your full name."),
        ({"email": "nobody"}, "Enter an e-mail address in the form"),
        ({"password": "short", "password_confirm": "short"}, "Use at least 10 characters."),
        ({"password": "aaaaaaaaaaaa", "password_confirm": "aaaaaaaaaaaa"}, "too easy to guess"),
        ({"password": "1234567890", "password_confirm": "1234567890"}, "too easy to guess"),
        ({"password": "Password2026!", "password_confirm": "Password2026!"}, "too easy to guess"),
        ({"password_confirm": "another one"}, "The passwords differ."),
        ({"consent": ""}, "Without your consent"),
    ],
)
def test_registration_names_what_is_wrong(
    client: FlaskClient, session: Session, changes: dict[str, str], message: str
) -> None:
    email = f"new.{uuid4().hex[:8]}@demo.example"
    answer = client.post("/account/register?lang=en", data={**registration(email), **changes})
    assert answer.status_code == 200
    assert message in answer.text
    assert session.scalar(select(func.count()).select_from(User).where(User.email == email)) == 0


def test_a_password_that_is_missing_is_told_once(client: FlaskClient) -> None:
    answer = client.post(
        "/account/register?lang=en", data={**registration("a@demo.example"), "password": "", "password_confirm": ""}
    )
    summary = answer.text.partition("govuk-error-summary__list")[2].partition("</ul>")[0]
    assert summary.count("<li>") == 1


def test_registering_a_known_address_tells_only_its_owner(client: FlaskClient, session: Session) -> None:
    user = person(session)
    answer = client.post("/account/register?lang=en", data=registration(user.email.upper()))
    assert (answer.status_code, answer.location) == (302, "/account/registered")
    letter = session.scalars(select(Letter).where(Letter.recipient == user.email)).one()
    assert letter.subject == "You are registered already"


def test_wrong_password_and_unknown_address_sound_the_same(client: FlaskClient, session: Session) -> None:
    user = person(session)
    wrong = sign_in_by_password(client, user, "not this one", lang="en")
    unknown = client.post("/account/login?lang=en", data={"email": "no@demo.example", "password": "x" * 12})
    sentence = "The e-mail address or the password is not right."
    assert (
        sentence in client.post("/account/login?lang=en", data={"email": user.email, "password": "not this one"}).text
    )
    assert sentence in unknown.text
    assert wrong.status_code == unknown.status_code == 200
    reasons = [e.changes["reason"] for e in events(session, "identity:session:refuse")]
    assert reasons[-3:] == ["wrong password", "unknown", "wrong password"]
    assert "no@demo.example" not in str([e.object_id for e in events(session, "identity:session:refuse")])


def test_blocked_person_is_told_after_the_right_password(client: FlaskClient, session: Session) -> None:
    user = person(session, active=False)
    answer = client.post("/account/login?lang=en", data={"email": user.email, "password": PASSWORD})
    assert "This account is blocked" in answer.text
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "next_url",
    [
        "////evil.example",
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        " //evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "http://localhost/start",
    ],
)
def test_next_leads_nowhere_else(client: FlaskClient, session: Session, next_url: str) -> None:
    user = person(session)
    credentials = {"email": user.email, "password": PASSWORD}
    assert client.get("/account/login", query_string={"next": next_url}).status_code == 400
    assert client.post("/account/login", data={**credentials, "next": next_url}).status_code == 400
    by_query = client.post("/account/login", data=credentials, query_string={"next": next_url})
    assert by_query.status_code == 400
    assert client.get("/account/").status_code == 302


def test_next_of_our_own_is_followed(client: FlaskClient, session: Session) -> None:
    user = person(session)
    asked = client.get("/organisations/new?lang=en")
    assert asked.location == "/account/login?next=/organisations/new?lang%3Den"
    assert client.get(asked.location).status_code == 200
    answer = sign_in_by_password(client, user, next="/organisations/new?lang=en")
    assert answer.location == "/organisations/new?lang=en"


def test_sign_out_kills_the_token(client: FlaskClient, session: Session) -> None:
    user = person(session)
    sign_in_by_password(client, user)
    token = client.get_cookie("portal_session").value
    assert client.get("/account/").status_code == 200
    assert client.get("/account/logout").status_code == 405
    assert client.post("/account/logout").status_code == 302
    client.set_cookie("portal_session", token)
    assert client.get("/account/").status_code == 302
    assert session.scalar(select(func.count()).select_from(UserSession).where(UserSession.user_id == user.id)) == 0


def test_token_changes_at_sign_in(client: FlaskClient, session: Session) -> None:
    user = person(session)
    client.get("/account/login")
    before = client.get_cookie("portal_session").value
    sign_in_by_password(client, user)
    assert client.get_cookie("portal_session").value != before


def test_password_change_ends_the_other_sessions(app: Flask, session: Session) -> None:
    user = person(session)
    here, elsewhere = app.test_client(), app.test_client()
    sign_in_by_password(here, user)
    sign_in_by_password(elsewhere, user)
    wrong = here.post(
        "/account/change?lang=en",
        data={"password": "no", "new_password": "other words here", "new_password_confirm": "other words here"},
    )
    assert "The password is not right." in wrong.text
    answer = here.post(
        "/account/change",
        data={
            "password": PASSWORD,
            "new_password": "other words here",
            "new_password_confirm": "other words here",
        },
    )
    assert answer.location == "/account/"
    assert here.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    assert len(events(session, "identity:user:change_password")) >= 1
    subjects = session.scalars(select(Letter.subject).where(Letter.recipient == user.email)).all()
    assert subjects == ["Your password was changed"]


def test_forgotten_password(app: Flask, client: FlaskClient, session: Session) -> None:
    user = person(session)
    elsewhere = app.test_client()
    sign_in_by_password(elsewhere, user)
    known = client.post("/account/reset?lang=en", data={"email": user.email})
    unknown = client.post("/account/reset?lang=en", data={"email": "nobody@demo.example"})
    assert known.status_code == unknown.status_code == 200
    assert "is registered, a letter" in known.text
    assert "is registered, a letter" in unknown.text
    link = letter_link(session, user.email)
    assert client.get(link).status_code == 200
    new = {"password": "other words here", "password_confirm": "other words here"}
    answer = client.post(link, data=new)
    assert answer.location == "/account/login"
    assert elsewhere.get("/account/").status_code == 302
    again = client.post(link, data=new)
    assert again.location == "/account/reset"
    assert sign_in_by_password(client, user, "other words here").location == "/start"


def code(session: Session, app: Flask, secret: str) -> str:
    return str(app.extensions["security"].totp_factory.generate_totp_password(secret))


def test_second_factor(app: Flask, client: FlaskClient, session: Session) -> None:
    user = person(session)
    sign_in_by_password(client, user)
    shown = client.post("/account/tf-setup", data={"setup": "authenticator"})
    assert 'src="data:image/svg+xml;base64,' in shown.text
    action = re.search(r'action="(/account/tf-setup/[^"]+)"', shown.text)
    assert action is not None
    with client.session_transaction() as kept:
        secret = kept["tf_totp_secret"]
    wrong = client.post(f"{action.group(1)}?lang=en", data={"code": "000000"})
    assert wrong.status_code == 422
    assert wrong.text.count("This code is not right.") == 2, "in the summary and at the field, not in a banner too"
    assert action.group(1) in wrong.text, "the key that the phone has already"
    key = re.search(r'class="jp-code">([^<]+)<', shown.text)
    assert key is not None
    assert key.group(1) in wrong.text
    assert client.post(action.group(1), data={"code": code(session, app, secret)}).status_code == 302
    session.expire_all()
    assert session.get_one(User, user.id).tf_primary_method == "authenticator"
    codes = client.post("/account/mf-recovery-codes?lang=en", data={"generate_new_codes": "y"})
    recovery = re.findall(r"<li>([0-9a-f-]{14})</li>", codes.text)
    assert len(recovery) == 8
    assert recovery[0] not in str(session.get_one(User, user.id).mf_recovery_codes)

    other = app.test_client()
    first = sign_in_by_password(other, user)
    assert first.location.startswith("/account/tf-validate")
    assert other.get(first.location).status_code == 200, "the page that the browser is led to"
    assert other.get("/account/").status_code == 302
    assert "not right" in other.post("/account/tf-validate?lang=en", data={"code": "123456"}).text
    session.expire_all()
    used = session.get_one(User, user.id)
    replay = code(session, app, used.tf_totp_secret or "")
    if used.totp_counter == int(time.time()) // 30:
        assert "not right" in other.post("/account/tf-validate?lang=en", data={"code": replay}).text
    used.totp_counter = None
    session.commit()
    fine = other.post("/account/tf-validate", data={"code": code(session, app, used.tf_totp_secret or "")})
    assert fine.location == "/start"
    assert other.get("/account/").status_code == 200

    third = app.test_client()
    sign_in_by_password(third, user)
    assert third.post("/account/mf-recovery", data={"code": recovery[0]}).location == "/start"
    fourth = app.test_client()
    sign_in_by_password(fourth, user)
    assert "used already" in fourth.post("/account/mf-recovery?lang=en", data={"code": recovery[0]}).text

    assert client.post("/account/tf-setup", data={"setup": "disable"}).status_code == 302
    session.expire_all()
    assert session.get_one(User, user.id).tf_primary_method is None
    assert audit.verify(session)[1] is None


def test_second_factor_asks_for_the_password_once_more(client: FlaskClient, session: Session) -> None:
    user = person(session)
    sign_in_by_password(client, user)
    with client.session_transaction() as kept:
        kept["fs_paa"] = time.time() - 3 * 86400
        kept.pop("fs_gexp", None)
    asked = client.get("/account/tf-setup")
    assert asked.location.startswith("/account/verify?next=")
    assert client.get(asked.location).status_code == 200
    wrong = client.post(asked.location + "&lang=en", data={"password": "no"})
    assert "The password is not right." in wrong.text
    answer = client.post(asked.location, data={"password": PASSWORD})
    assert answer.location.endswith("/account/tf-setup")


@pytest.mark.parametrize(
    ("role", "target"), [(Role.OFFICER, "/staff"), (Role.AUDITOR, "/staff"), (None, "/organisations/new")]
)
def test_start(session: Session, sign_in: SignIn, role: Role | None, target: str) -> None:
    user = identity.user(session, *([role] if role else []))
    session.commit()
    location = sign_in(user).get("/start").location
    assert location.startswith(target) or (role is not None and location == "/")


def test_start_of_a_member(session: Session, sign_in: SignIn) -> None:
    member = identity.member(session, identity.organisation(session), OrgRole.VIEWER)
    session.commit()
    assert sign_in(member).get("/start").location in ("/applications/", "/organisations/")


def test_account_page(app: Flask, session: Session) -> None:
    user = person(session)
    here, elsewhere = app.test_client(), app.test_client()
    sign_in_by_password(here, user)
    sign_in_by_password(elsewhere, user)
    shown = here.get("/account/?lang=en")
    assert "This browser" in shown.text
    assert "End all other sessions" in shown.text
    ended = here.post("/account/sessions/end", data=form())
    assert (ended.status_code, ended.location) == (303, "/account/")
    assert here.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    saved = here.post("/account/", data=form(full_name="  Other   Name ", locale="ru"))
    assert saved.location == "/account/?lang=ru"
    session.expire_all()
    changed = session.get_one(User, user.id)
    assert (changed.full_name, changed.locale) == ("Other Name", "ru")
    empty = here.post("/account/?lang=en", data=form(full_name="", locale="en"))
    assert empty.status_code == 422
    assert "Enter your full name." in empty.text


def test_json_gives_no_token(client: FlaskClient, session: Session) -> None:
    user = person(session)
    answer = client.post("/account/login?include_auth_token", json={"email": user.email, "password": PASSWORD})
    assert "authentication_token" not in answer.text


def test_demo_sign_ins_stand_on_the_page(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    person_of_demo = {
        "email": "officer@demo.example",
        "password": "demo password",
        "label_ru": "Сотрудник",
        "label_en": "Programme officer of the demo",
    }
    monkeypatch.setitem(app.extensions, "portal_demo_sign_ins", [person_of_demo])
    page = client.get("/account/login?lang=en").text
    assert "Programme officer of the demo" in page
    assert 'value="officer@demo.example"' in page


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize(
    "path", ["/account/login", "/account/register", "/account/reset", "/account/confirm", "/personal-data"]
)
def test_open_pages(client: FlaskClient, path: str, locale: str) -> None:
    answer = client.get(path, query_string={"lang": locale})
    assert answer.status_code == 200
    assert f'lang="{locale}"' in answer.text
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


def test_too_many_wrong_passwords(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        user = person(db.session())
        email = user.email
    fresh_app.extensions[EXTENSION].enabled = True
    client = fresh_app.test_client()
    wrong = {"email": email, "password": "not this one"}
    answers = [client.post("/account/login", data=wrong).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]
    right = client.post("/account/login?lang=en", data={"email": email.upper(), "password": PASSWORD})
    assert right.status_code == 429
    assert "Too many attempts" in right.text
    assert int(right.headers["Retry-After"]) > 0
    other = client.post("/account/login", data={"email": "other@demo.example", "password": "not this"})
    assert other.status_code == 200
    letters = [client.post("/account/reset", data={"email": "a@demo.example"}).status_code for _ in range(6)]
    assert letters == [200] * 5 + [429]


def test_registration_by_real_mail(fresh_app: Flask, mail_folder: Path) -> None:
    email = f"mail.{uuid4().hex[:8]}@demo.example"
    client = fresh_app.test_client()
    client.post("/account/register?lang=ru", data=registration(email))
    with fresh_app.app_context():
        jobs.drain("mail")
    letters = received(mail_folder, to=email)
    assert len(letters) == 1
    link = re.search(r"http://localhost:8000(/account/confirm/\S+)", letters[0].text)
    assert link is not None
    assert link.group(1) in letters[0].html
    assert client.get(link.group(1)).location == "/start"
    assert client.post("/account/login", data={"email": email, "password": PASSWORD}).location == "/start"


def test_two_registrations_of_an_address_at_once(fresh_app: Flask) -> None:
    email = f"twice.{uuid4().hex[:8]}@demo.example"
    barrier, answers = threading.Barrier(3), []

    def attempt() -> None:
        client = fresh_app.test_client()
        barrier.wait()
        answers.append(client.post("/account/register", data=registration(email)).location)

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["/account/registered"] * 3
    with fresh_app.app_context():
        kinds = db.session.scalars(select(Letter.kind).where(Letter.recipient == email)).all()
        assert sorted(kinds) == ["security_welcome", "security_welcome_existing", "security_welcome_existing"]


def test_letters_speak_the_language_of_the_reader(client: FlaskClient, session: Session) -> None:
    user = person(session, locale="ru")
    client.post("/account/reset?lang=en", data={"email": user.email})
    assert session.scalars(select(Letter.locale).where(Letter.recipient == user.email)).one() == "ru"


def test_an_address_changes_when_the_new_one_confirms_it(client: FlaskClient, session: Session) -> None:
    user, new = person(session), f"moved.{uuid4().hex[:8]}@demo.example"
    old = user.email
    sign_in_by_password(client, user)
    assert "/account/change-email" in client.get("/account/").text
    asked = client.post("/account/change-email?lang=en", data={"email": new})
    assert f"We have sent a letter to {new}" in asked.text
    session.expire_all()
    assert session.get_one(User, user.id).email == old
    told = session.scalars(select(Letter.subject).where(Letter.recipient == old)).all()
    assert told == ["Somebody asked to change the e-mail address of your account"]
    link = letter_link(session, new)
    assert client.get(link).location == "/account/"
    session.expire_all()
    assert session.get_one(User, user.id).email == new
    told = session.scalars(select(Letter.subject).where(Letter.recipient == old).order_by(Letter.id)).all()
    assert told[1:] == ["The e-mail address of your account was changed"]
    assert events(session, "identity:user:change_email")[-1].changes == {"before": old, "after": new}
    client.get(link)
    assert len(events(session, "identity:user:change_email")) == 1


def test_of_two_who_confirm_the_same_new_address_the_second_is_told(fresh_app: Flask) -> None:
    """The other one has confirmed it, and the transaction is not over yet when the second follows the link."""
    new = f"wanted.{uuid4().hex[:8]}@demo.example"
    with fresh_app.app_context():
        first, second = person(db.session()), person(db.session())
        first_id, before = first.id, second.email
        late = fresh_app.test_client()
        sign_in_by_password(late, second)
        late.post("/account/change-email?lang=en", data={"email": new})
        link = letter_link(db.session(), new)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(late.get(f"{link}?lang=en")))
        # Tests beside this one wait for locks too, and within a transaction the view of activity does not change.
        watched = db.engine.execution_options(isolation_level="AUTOCOMMIT")
        waits = text(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        with db.engine.connect() as other, watched.connect() as watch:
            other.execute(update(User).where(User.id == first_id).values(email=new))
            waiting.start()
            until = time.monotonic() + 10
            while not watch.scalar(waits) and time.monotonic() < until:
                time.sleep(0.02)
            other.commit()
        waiting.join()
        assert answers[0].status_code == 409
        assert "This address belongs to another account by now." in answers[0].text
        held = db.session.execute(select(User.id, User.email).where(User.email.in_([new, before]))).all()
        assert sorted(held, key=str) == sorted([(first_id, new), (second.id, before)], key=str)
        again = late.get(f"{link}?lang=en", follow_redirects=True)
        assert "the link was used already, or the address belongs to another account" in again.text


def test_a_change_of_address_needs_a_fresh_password_and_tells_no_stranger(
    client: FlaskClient, session: Session
) -> None:
    user, other = person(session), person(session)
    sign_in_by_password(client, user)
    answer = client.post("/account/change-email?lang=en", data={"email": other.email})
    assert f"We have sent a letter to {other.email}" in answer.text
    assert session.scalars(select(Letter).where(Letter.recipient == other.email)).all() == []
    assert (
        "Enter an e-mail address in the form"
        in client.post("/account/change-email?lang=en", data={"email": "nobody"}).text
    )
    with client.session_transaction() as cookies:
        cookies["fs_paa"] = time.time() - 3600
        cookies.pop("fs_gexp", None)
    answer = client.get("/account/change-email")
    assert answer.status_code == 302
    assert answer.location.startswith("/account/verify")


def test_the_token_of_a_letter_is_struck_out_once_it_is_sent(client: FlaskClient, session: Session) -> None:
    user = person(session)
    client.post("/account/reset", data={"email": user.email})
    letter = session.scalars(select(Letter).where(Letter.recipient == user.email)).one()
    secret = letter.secret
    assert secret
    assert secret in letter.text
    assert secret in letter.html
    sent = mail_jobs.compose(letter).get_body(("plain",))
    assert sent is not None
    assert secret in sent.get_content()
    mail_jobs.strike_out(letter)
    assert letter.secret is None
    assert secret not in letter.text + letter.html
    assert "/account/reset/***" in letter.text
