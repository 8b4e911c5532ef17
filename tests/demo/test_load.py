"""What ``make run`` shows: counts, sums, the two negative examples, and that everything in it holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.awards.proof import bundles
from portal.core.db import db
from portal.core.db import session as current_session
from portal.demo.sign_ins import SIGN_INS
from portal.documents import service as documents
from tests.factories import proof

pytestmark = pytest.mark.slow

MILLION = Decimal(1_000_000)


@pytest.fixture
def loaded(demo_app: Flask) -> Iterator[Session]:
    with demo_app.app_context():
        yield current_session()
        db.session.rollback()


def rows(session: Session, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.execute(text(statement), values)]


def test_the_envelopes_hold_what_was_announced(loaded: Session) -> None:
    found = rows(loaded, "select track, year, -appropriation from envelope where year < 2023 order by track, year")
    assert found == [
        ("export", 2019, 1500 * MILLION),
        ("export", 2020, 1800 * MILLION),
        ("export", 2021, 1800 * MILLION),
        ("import_substitution", 2016, 140 * MILLION),
        ("import_substitution", 2017, 110 * MILLION + 4_144_999),  # with what 2016 left, carried over
        ("import_substitution", 2018, 600 * MILLION),
        ("import_substitution", 2019, 1000 * MILLION),
        ("import_substitution", 2020, 1000 * MILLION),
    ]


def test_the_register_has_thirteen_clusters_of_demo_organisations(loaded: Session) -> None:
    counts = rows(
        loaded,
        "select c.code, count(*) from cluster c join cluster_member m on m.cluster_id = c.id"
        " and m.state = 'confirmed' group by c.code",
    )
    assert len(counts) == 13
    assert all(10 <= members <= 20 for _, members in counts)
    names = rows(loaded, "select name_ru, name_en from organisation")
    assert all("Демо" in ru and "Demo" in en for ru, en in names)


def test_in_2016_eight_came_six_were_admitted_three_won(loaded: Session) -> None:
    states = rows(
        loaded,
        "select a.state, count(*) from application a join tender t on t.id = a.tender_id"
        " where t.code = '2016' group by a.state order by a.state",
    )
    assert states == [("awarded", 3), ("rejected", 2), ("reserve", 3)]
    assert rows(loaded, "select results_published_at is not null from tender where code = '2016'") == [(True,)]
    booked = rows(
        loaded,
        "select sum(amount) from posting_line l join posting p on p.id = l.posting_id"
        " where p.kind in ('reserve', 'release') and p.key ~ '^(award|revise):' and account = 'reserved'",
    )
    won = rows(
        loaded,
        "select sum(requested_total) - 1250000 from application a join tender t on t.id = a.tender_id"
        " where t.code = '2016' and a.state = 'awarded'",
    )
    assert booked == won
    assert rows(loaded, "select count(*) from letter where kind = 'award'") == [(7,)]  # one was corrected


def test_the_winners_of_2016_have_agreements(loaded: Session) -> None:
    assert rows(loaded, "select state, count(*) from agreement group by state") == [("signed", 3)]
    open_, paid = rows(
        loaded,
        "select count(*) filter (where paid_on is null and released < planned),"
        " sum(planned - released) filter (where paid_on is not null) from tranche",
    )[0]
    held = rows(loaded, "select sum(reserved), sum(paid + returned), sum(returned) > 0 from envelope where year < 2018")
    assert (open_, held) == (1, [(0, paid, True)])


def test_in_2018_twenty_four_projects_ask_for_nearly_seven_billion(loaded: Session) -> None:
    count, total = rows(
        loaded,
        "select count(*), sum(requested_total) from application a join tender t on t.id = a.tender_id"
        " where t.code = '2018' and a.submission_id is not null and a.state != 'withdrawn'",
    )[0]
    assert count == 24
    assert abs(total - 6800 * MILLION) <= 68 * MILLION
    closes = rows(loaded, "select to_char(closes_at at time zone 'Europe/Moscow', 'DD.MM.YYYY HH24:MI')"
                  " from tender where code = '2018'")  # fmt: skip
    assert closes == [("31.08.2018 18:00",)]


@pytest.mark.parametrize(
    ("title", "failed"),
    [
        ("Railbus interior composites", {"npv": [], "eligibility": ["EL-12"]}),
        ("Machine-tool units for export", {"eligibility": ["EL-07"]}),
    ],
)
def test_the_negative_examples_fail_for_exactly_their_reason(
    loaded: Session, title: str, failed: dict[str, list[str]]
) -> None:
    sheet = rows(
        loaded,
        "select s.sheet from score s join submission f on f.id = s.submission_id"
        " join application a on a.submission_id = f.id join tender t on t.id = a.tender_id"
        " where s.current and t.code = '2018' and a.title_en = :title",
        title=title,
    )[0][0]
    told = {
        gate["code"]: [each["rule"] for each in gate.get("failed", ())]
        for gate in sheet["gates"]
        if gate["passed"] is False
    }
    assert told == failed


def test_reviews_are_under_way_and_some_reviewers_disagree(loaded: Session) -> None:
    statement = (
        "select a.state, count(*) from assignment a join application p on p.id = a.application_id"
        " join tender t on t.id = p.tender_id where t.code = '2018' group by a.state"
    )
    states = dict(rows(loaded, statement))
    assert states == {"assigned": 6, "open": 1, "submitted": 31}
    letters = rows(loaded, "select count(*) from score_run where kind = 'track' and ended_at is not null")
    assert letters == [(6,)]


def test_the_open_tender_is_open_and_has_work_in_every_state(loaded: Session) -> None:
    assert rows(
        loaded,
        "select count(*) from tender where published_at <= now() and opens_at <= now() and now() < closes_at"
        " and to_char(closes_at at time zone 'Europe/Moscow', 'HH24:MI') = '18:00'",
    ) == [(1,)]
    states = rows(
        loaded,
        "select a.state, count(*) from application a join tender t on t.id = a.tender_id"
        " where now() < t.closes_at group by a.state order by a.state",
    )
    assert states == [("draft", 18), ("returned", 1), ("submitted", 8), ("withdrawn", 3)]
    assert rows(loaded, "select count(*) from cluster_member where state = 'requested'") == [(1,)]


def test_two_applications_are_sealed_and_say_nothing(loaded: Session) -> None:
    held = rows(
        loaded,
        "select count(*), bool_and(s.snapshot = '{}'), bool_and(a.title_ru || a.title_en = '')"
        " from application a join submission s on s.id = a.submission_id where a.state = 'sealed'",
    )
    assert held == [(2, True, True)]
    assert rows(loaded, "select count(*) from seal_key where public is not null and given is null") == [(3,)]


def test_experts_of_the_blind_tender_get_copies_and_what_names_somebody_waits(loaded: Session) -> None:
    held = rows(
        loaded, "select state, count(*), count(copy_id), count(allowed_at) from blind_copy group by state order by 1"
    )
    assert held == [("held", 4, 4, 0), ("ready", 6, 6, 0)]


def test_a_part_is_offered_to_the_initiator_and_waits(loaded: Session) -> None:
    held = rows(
        loaded,
        "select o.state, now() < o.due_at, sum(a.offered), sum(a.asked) from award_offer o"
        " join award_offer_amount a on a.offer_id = o.id group by o.id",
    )
    assert held == [("open", True, 52_000_000, 64_800_000)]
    outcomes = rows(
        loaded,
        "select l.outcome, sum(w.amount) from decision_line l join award_decision d on d.id = l.decision_id"
        " left join award_amount w on w.line_id = l.id where d.signed_at is null and d.discarded_at is null"
        " group by l.id order by l.place",
    )
    assert outcomes == [("award", 99_000_000), ("award", 52_000_000), ("reserve", None)]


def test_the_ledger_and_the_audit_trail_hold(demo_app: Flask) -> None:
    answer = demo_app.test_cli_runner().invoke(args=["portal", "verify"])
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize("entry", SIGN_INS, ids=[entry["email"] for entry in SIGN_INS])
def test_everybody_can_sign_in(demo_app: Flask, entry: dict[str, str]) -> None:
    client = demo_app.test_client()
    answer = client.post("/account/login", data={"email": entry["email"], "password": entry["password"]})
    assert answer.status_code == 302
    start = client.get("/start")
    assert start.status_code == 302
    assert client.get(start.location).status_code == 200


def test_similar_projects_are_found_and_two_pairs_decided(loaded: Session) -> None:
    found = rows(loaded, "select coalesce(verdict, ''), count(*) from similar_pair group by 1 order by 1")
    assert [word for word, _ in found] == ["", "no_concern", "same_project"]


def test_the_allocation_over_both_tracks_is_proven_and_better_than_the_rank_order(loaded: Session) -> None:
    found = rows(
        loaded,
        "select t.code, (r.result -> 'proven')::bool, (r.result ->> 'order_loss')::numeric > 0, r.candidates,"
        " (select count(*) from jsonb_object_keys(r.result -> 'tracks')), r.result -> 'dropped'"
        " from allocation_run r join tender_track k on k.id = r.tender_track_id join tender t on t.id = k.tender_id"
        " where jsonb_array_length(t.joint_limits) = 2",
    )
    assert [row[1:] for row in found] == [(True, True, 4, 2, [])]


def test_the_open_tender_asks_extra_questions_and_they_are_answered(loaded: Session) -> None:
    asked = rows(
        loaded,
        "select t.code, bool_or(r.content ? 'questions') from tender t join tender_track k on k.tender_id = t.id"
        " join rule_set r on r.id = k.rule_set_id group by t.code order by t.code",
    )
    assert dict(asked)["2018"] is False
    assert True in dict(asked).values()
    answered = rows(
        loaded,
        "select bool_and(s.snapshot #>> '{questions,Q-01}' is not null) from submission s join application a"
        " on a.id = s.application_id join tender t on t.id = a.tender_id"
        " where now() < t.closes_at",
    )
    assert answered == [(True,)]


def test_the_rules_in_preparation_were_tried_and_a_run_was_computed_again(loaded: Session) -> None:
    assert rows(
        loaded,
        "select count(*), count(*) filter (where l.place_before <> l.place_after) > 0"
        " from dry_run d join dry_run_line l on l.dry_run_id = d.id where d.ended_at is not null",
    ) == [(14, True)]
    assert rows(
        loaded,
        "select c.first is null, c.output_digest = r.output_digest"
        " from run_check c join score_run r on r.id = c.run_id",
    ) == [(True, True)]


def test_the_bundle_of_the_finished_tender_is_verified_in_an_empty_folder(loaded: Session, tmp_path: Path) -> None:
    """By Python alone, with nothing of the portal in reach; with one score changed it fails and names it."""
    tender_id = rows(loaded, "select id from tender where code = '2016'")[0][0]
    held, former = bundles.versions(loaded, tender_id)
    content = documents.content(held.file)
    (tmp_path / "former.zip").write_bytes(documents.content(former.file))
    (tmp_path / "verify.py").write_bytes(proof.VERIFIER.read_bytes())
    (tmp_path / "results.zip").write_bytes(content)
    command = [sys.executable, "-I", "verify.py", "results.zip", "--former", "former.zip", "--lang", "en"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "6 scores computed anew" in done.stdout
    assert "5 postings in the ledger, none over its envelope" in done.stdout
    assert "2 decisions in a row, 6 outcomes stand" in done.stdout
    assert "1 adopted addenda, by digest" in done.stdout
    files = proof.unpacked(content)
    line = files["tracks/import_substitution/sheets.json"]["JP-2016-IS-0003"]["sheet"]["lines"][0]
    line["points"] = "9.9"
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert code == 1
    assert "sheets.json JP-2016-IS-0003 CR-01 points: the bundle says 9.9" in said
