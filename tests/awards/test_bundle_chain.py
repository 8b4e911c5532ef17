"""Later decisions in the results bundle: a version for each publication, verified alone, changes in it named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import verification
from portal.awards import amending, service
from portal.awards.amendment_checks import Change
from portal.awards.models import Award, AwardDecision, DecisionKind
from portal.awards.proof import bundles, gathering
from portal.awards.proof.trail import trail
from portal.awards.reserve_models import AwardRefusal
from portal.awards.scenarios.models import Scenario
from portal.core.jobs import Task
from portal.documents import service as documents
from portal.identity.models import Role
from portal.tenders.ruleset import AllocationLimit, LimitField, LimitUnit, Text
from tests.awards.test_bundle import FLIPS, flipped
from tests.factories import awards, proof
from tests.factories.submissions import track_of

HERE = "tracks/import_substitution"
OLD = ("code", "title", "zone", "closes_at", "tracks")
FLIPPED = FLIPS // 2 if FLIPS < 100 else FLIPS
SCORES = {"2018": "87750000.00", "2019": "68250000.00", "2020": "39000000.00"}
LOWERED = {"2018": "87749999.00", "2019": "68249999.00", "2020": "38999999.00"}
MADE: list[Story] = []


@dataclass
class Story:
    """Two awards and a reserve list of two, after two scenarios were adopted; then what followed, bundle by bundle.

    ``short``: the trail of the last bundle when it may have ten rows only.
    ``first``: of the decision alone; ``middle``: when an award was refused, the list moved up, and a correction was
    signed that is not public; ``last``: of all three decisions.
    """

    first: bytes
    middle: bytes
    last: bytes
    short: dict[str, Any]
    files: list[str]
    kept: list[bytes]
    tasks: set[str]
    causes: set[str]
    entries: list[bundles.Entry | None]
    fault: str | None
    scenarios: list[tuple[str, str]]


@pytest.fixture
def made(session: Session) -> Story:
    """Made once."""
    if not MADE:
        MADE.append(_story(session))
    return MADE[0]


def _story(session: Session) -> Story:
    tender = proof.decided(session, count=4, money=200_000_000, adopted=True)
    first = proof.bundled(session, tender)
    correction = proof.amended(session, tender)
    middle = proof.bundled(session, tender)
    proof.published(session, correction)
    last = proof.bundled(session, tender)
    assert bundles.make(session, tender.id) == bundles.newest(session, tender.id)
    versions = bundles.versions(session, tender.id)
    refusal = session.scalars(select(AwardRefusal)).one()
    decisions = session.scalars(select(AwardDecision)).all()
    scenarios = session.scalars(select(Scenario).order_by(Scenario.addendum)).all()
    return Story(
        first,
        middle,
        last,
        trail(session, gathering.tracks(session, gathering.published(session, tender.id)), 10),
        [row.file.name.replace(tender.code, "T") for row in versions],
        [documents.content(row.file) for row in versions],
        set(session.scalars(select(Task.key).where(Task.kind == bundles.KIND))),
        {f"{bundles.KIND}:{key}" for key in (*(each.id for each in decisions), refusal.line_id)},
        [bundles.entry(versions[0], number) for number in proof.numbers(session, tender)],
        next(fault for what, _count, fault in verification.verify(session) if "bundles" in what),
        [(row.changes_digest, row.result_digest) for row in scenarios],
    )


def test_later_decisions_verify_in_an_empty_folder(made: Story, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes(proof.VERIFIER.read_bytes())
    for name in ("first", "middle", "last"):
        (tmp_path / f"{name}.zip").write_bytes(getattr(made, name))
    command = [sys.executable, "-I", "verify.py", "last.zip", "--former", "first.zip"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for content in (made.first, made.middle):
        assert proof.checked(content, tmp_path)[0] == 0
    assert "3 decisions in a row, 4 outcomes stand" in done.stdout
    assert "6 postings in the ledger, none over its envelope" in done.stdout
    assert "The earlier version first.zip: nothing in it has changed" in done.stdout


def test_what_stands_is_told(made: Story) -> None:
    files = proof.unpacked(made.last)
    told = [
        (each["decision"], each["outcome"], each["amounts"], each["refused"]) for each in files[f"{HERE}/standing.json"]
    ]
    assert told == [
        (1, "award", SCORES, True),
        (3, "award", LOWERED, False),
        (2, "award", SCORES, False),
        (1, "reserve", {}, False),
    ]
    assert [each["kind"] for each in files[f"{HERE}/decisions.json"]] == ["first", "supplementary", "correction"]
    assert (files["tender.json"]["version"], files["tender.json"]["former"]) == (3, proof.verify.sha256(made.middle))
    assert "Demo reason" not in made.last.decode("utf-8", "replace")


def _line(files: dict[str, Any]) -> str:
    decision = files[f"{HERE}/decisions.json"][1]
    decision["covered"]["lines"][0]["amounts"]["2018"] = "1.00"
    return f"{HERE}/decisions.json 2 digest"


def _signed_line(files: dict[str, Any]) -> str:
    """The digest is made to fit: the trail has another."""
    decision = files[f"{HERE}/decisions.json"][2]
    decision["covered"]["lines"][0]["amounts"]["2018"] = "1.00"
    decision["digest"] = proof.verify.digest(decision["covered"])
    return f"{HERE}/decisions.json 3 digest"


def _passed_over(files: dict[str, Any]) -> str:
    decision = files[f"{HERE}/decisions.json"][1]
    numbers = files[f"{HERE}/allocation.json"]["numbers"]
    last = files[f"{HERE}/ranking.json"][-1]["number"]
    decision["covered"]["lines"][0]["application"] = next(key for key, number in numbers.items() if number == last)
    return f"{HERE}/decisions.json 2 reserve list"


def _kind(files: dict[str, Any]) -> str:
    files[f"{HERE}/decisions.json"][2]["kind"] = "first"
    return f"{HERE}/decisions.json 3 kind"


def _order(files: dict[str, Any]) -> str:
    files[f"{HERE}/decisions.json"][2]["published_at"] = files[f"{HERE}/decisions.json"][1]["published_at"]
    return f"{HERE}/decisions.json 3 published_at"


def _left_out(files: dict[str, Any]) -> str:
    files[f"{HERE}/decisions.json"].pop()
    return f"{HERE}/postings.json later"


def _standing(files: dict[str, Any]) -> str:
    files[f"{HERE}/standing.json"][1]["amounts"] = SCORES
    return f"{HERE}/standing.json {files[f'{HERE}/standing.json'][1]['number']}"


def _not_freed(files: dict[str, Any]) -> str:
    files[f"{HERE}/postings.json"]["later"][1]["freed"] = []
    return f"{HERE}/postings.json 3 freed"


def _not_given_back(files: dict[str, Any]) -> str:
    files[f"{HERE}/postings.json"]["refused"] = []
    return f"{HERE}/standing.json"


def _overdrawn(files: dict[str, Any]) -> str:
    held = files[f"{HERE}/postings.json"]
    key, _number = held["later"][0]["awards"][0]
    held["after"][key] = dict.fromkeys(held["after"][key], "-1.00")
    return f"{HERE}/postings.json after {key} 2018"


def _unnoticed(files: dict[str, Any]) -> str:
    """What was left after a release and a reservation of one transaction does not fit together."""
    held = files[f"{HERE}/postings.json"]
    key, _number = held["later"][1]["awards"][0]
    held["after"][key] = dict.fromkeys(held["after"][key], "1.00")
    return f"{HERE}/postings.json after {key} 2018"


def _addendum(files: dict[str, Any]) -> str:
    invented = {"addendum": 3, "key": "x", "changes": "0", "ground": "0", "result": "0", "same": True}
    files[f"{HERE}/addenda.json"].append(invented)
    return f"{HERE}/addenda.json 3 (audit.json)"


CHANGES: tuple[Callable[[dict[str, Any]], str], ...] = (
    _line,
    _signed_line,
    _passed_over,
    _kind,
    _order,
    _left_out,
    _standing,
    _not_freed,
    _not_given_back,
    _overdrawn,
    _unnoticed,
    _addendum,
)


def test_a_change_in_a_later_decision_is_named(made: Story, tmp_path: Path) -> None:
    """Somebody with the portal's key changes one thing and signs."""
    for change in CHANGES:
        files = proof.unpacked(made.last)
        place = change(files)
        code, said = proof.checked(proof.forged(files), tmp_path)
        assert (code, place in said) == (1, True), (change.__name__, said)


def test_each_flipped_byte_is_found_with_its_place(made: Story, tmp_path: Path) -> None:
    assert flipped(made.last, FLIPPED, tmp_path) == []


def test_a_version_that_rewrites_the_one_before_is_found(made: Story, tmp_path: Path) -> None:
    former = tmp_path / "former.zip"
    files = proof.unpacked(made.middle)
    files[f"{HERE}/ranking.json"][0]["place"] = 9
    former.write_bytes(proof.forged(files))
    code, said = proof.checked(made.last, tmp_path, former=str(former))
    assert code == 1
    assert "tender.json former" in said
    assert f"{HERE}/ranking.json" in said


def test_an_applicant_is_told_what_stands(made: Story, tmp_path: Path) -> None:
    numbers = [each["number"] for each in proof.unpacked(made.last)[f"{HERE}/standing.json"]]
    assert "refused by its initiator" in proof.checked(made.last, tmp_path, number=numbers[0])[1]
    assert "awarded" in proof.checked(made.last, tmp_path, number=numbers[2])[1]
    assert "reserve list" in proof.checked(made.first, tmp_path, number=numbers[2])[1]


def test_each_publication_makes_a_version_and_the_earlier_ones_stay(made: Story) -> None:
    assert made.tasks == made.causes
    assert made.files == ["results-T-3.zip", "results-T-2.zip", "results-T.zip"]
    assert made.kept == [made.last, made.middle, made.first]
    assert {(each.outcome, each.decision, each.refused) for each in made.entries if each} == {
        ("award", 1, True),
        ("award", 3, False),
        ("award", 2, False),
        ("reserve", 1, False),
    }
    assert made.fault is None


def test_what_is_not_public_is_not_inside(made: Story) -> None:
    """A signed decision that nobody has published frees and books already: its rows stay closed."""
    files = proof.unpacked(made.middle)
    assert len(files[f"{HERE}/decisions.json"]) == 2
    opened = [row for row in files["audit.json"]["rows"] if isinstance(row, dict)]
    told = {row["object_id"] for row in opened if row["tag"] == "budget:posting:post"}
    held = files[f"{HERE}/postings.json"]
    listed = {key for key, _number in held["awards"] + held["refused"] + held["later"][0]["awards"]}
    assert told == listed == set(held["after"])


def test_addenda_are_told_by_digest(made: Story, tmp_path: Path) -> None:
    """The list of the first scenario is the one that was drafted."""
    assert "2 adopted addenda, by digest" in proof.checked(made.last, tmp_path)[1]
    assert "Words of the commission" not in made.last.decode("utf-8", "replace")
    held = proof.unpacked(made.last)[f"{HERE}/addenda.json"]
    assert [(each["changes"], each["result"]) for each in held] == made.scenarios
    assert [each["same"] for each in held] == [True, False]
    for name in ("changes", "ground", "result"):
        files = proof.unpacked(made.last)
        files[f"{HERE}/addenda.json"][1][name] = "0" * 64
        code, said = proof.checked(proof.forged(files), tmp_path)
        assert (code, f"{HERE}/addenda.json 2 (audit.json)" in said) == (1, True), said
    files = proof.unpacked(made.last)
    del files[f"{HERE}/addenda.json"][1]
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, f"{HERE}/addenda.json" in said) == (1, True), said


def test_bundles_of_before_hold_still(made: Story, tmp_path: Path) -> None:
    """Format 1 knew of no later decision."""
    files = proof.unpacked(made.first)
    files["tender.json"] = {"format": 1, **{key: files["tender.json"][key] for key in OLD}}
    for name in ("decisions", "standing", "addenda"):
        del files[f"{HERE}/{name}.json"]
    files[f"{HERE}/postings.json"] = {key: files[f"{HERE}/postings.json"][key] for key in ("envelopes", "awards")}
    former = tmp_path / "former.zip"
    former.write_bytes(proof.forged(files))
    number = files[f"{HERE}/ranking.json"][0]["number"]
    code, said = proof.checked(former.read_bytes(), tmp_path, number=number)
    assert code == 0, said
    assert f"{number} is inside" in said
    assert proof.checked(made.last, tmp_path, former=str(former))[0] == 0


def test_a_trail_that_is_too_long_begins_later(made: Story, tmp_path: Path) -> None:
    """What stands before its first row is not checked; what stands after it is."""
    files = proof.unpacked(made.last)
    files["audit.json"] = deepcopy(made.short)
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, "The audit trail: 10 rows" in said) == (0, True), said
    shown = [row for row in files["audit.json"]["rows"] if isinstance(row, dict)]
    next(row for row in shown if row["tag"] == "budget:posting:post")["changes"]["lines"][0][2] = "1.00"
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, f"{HERE}/postings.json 3" in said) == (1, True), said


def test_who_would_break_a_limit_is_passed_over_and_a_correction_says_why(session: Session, tmp_path: Path) -> None:
    """Of the reserve list the first is of a region that has its project: the second moves up. Both is found by the
    verifier: another order, and an excuse that was not signed."""
    limit = AllocationLimit(
        "L1",
        Text("Проектов региона", "Projects of a region"),
        LimitField.REGION,
        "*",
        None,
        Decimal(1),
        LimitUnit.PROJECTS,
    )
    tender = proof.decided(session, count=4, money=200_000_000, regions=(77, 36, 36, 50), limits=(limit,))
    place = track_of(tender).id
    outcomes = {line.place: line.outcome for line in amending.in_force(session, place).values()}
    assert list(outcomes.values()) == ["award", "award", "reserve", "reserve"]
    proof.published(session, proof.amended(session, tender))
    standing = list(amending.in_force(session, place).values())
    assert [line.outcome for line in standing] == ["award", "award", "reserve", "award"]
    passed = Change(standing[2].application_id, Award.AWARD, {2018: Decimal(10)})
    chair = awards.person(session, Role.CHAIR)
    excused = amending.amend(
        session, chair, place, kind=DecisionKind.CORRECTION, changes=[passed], grounds="Ruling", beyond="By the ruling"
    )
    service.sign(session, awards.person(session, Role.COMMISSION), excused.id)
    proof.published(session, excused.id)
    content = proof.bundled(session, tender)
    code, said = proof.checked(content, tmp_path)
    assert code == 0, said

    files = proof.unpacked(content)
    later = files[f"{HERE}/decisions.json"]
    assert [limit["value"] for limit in later[3]["covered"]["beyond"]["limits"]] == ["36"]
    later[3]["covered"]["beyond"]["reason"] = "Another one"
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, f"{HERE}/decisions.json 4 digest" in said) == (1, True), said

    files = proof.unpacked(content)
    files[f"{HERE}/rules.json"]["limits"][0]["most"] = "2"
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, f"{HERE}/decisions.json 2 reserve list" in said) == (1, True), said
