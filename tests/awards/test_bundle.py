"""The results bundle: verified alone, every changed byte found with its place, and nothing in it that names anybody."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Submission
from portal.audit import heads
from portal.awards.proof import bundle, bundles, gathering
from portal.awards.proof.models import ResultsBundle
from portal.core import signing
from portal.core.jobs import Task
from portal.review.models import Assignment, Mark
from portal.tenders.ruleset.allocation import AllocationLimit, Allotment, LimitField, LimitUnit
from portal.tenders.ruleset.texts import Text
from tests.factories import proof

FLIPS = 1_000 if os.environ.get("FULL") else 20
HERE = "tracks/import_substitution"


MADE: dict[str, bytes] = {}


@pytest.fixture
def content(session: Session) -> bytes:
    """A bundle with calibrated means, made once."""
    if "calibrated" not in MADE:
        MADE["calibrated"] = proof.bundled(session, proof.decided(session, calibrated=True))
    return MADE["calibrated"]


def test_it_is_verified_in_an_empty_folder_by_python_alone(session: Session, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes(proof.VERIFIER.read_bytes())
    (tmp_path / "results.zip").write_bytes(content)
    command = [sys.executable, "-I", "verify.py", "results.zip", "--lang", "ru"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "Всё верно: результат следует из правил." in done.stdout
    assert "пересчитано оценок — 9" in done.stdout
    assert "строгость экспертов" in done.stdout
    assert "не проверено" not in done.stdout


def test_the_verifier_imports_nothing_of_ours_or_of_others() -> None:
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", proof.VERIFIER.read_text(), re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) <= {"numpy", "highspy"}


def test_the_same_decisions_give_the_same_bytes(session: Session) -> None:
    content = proof.bundled(session, proof.decided(session, count=3))
    assert proof.forged(proof.unpacked(content)) == content
    session.expire_all()
    (track,) = gathering.tracks(
        session, gathering.published(session, session.scalars(select(ResultsBundle.tender_id)).one())
    )
    again = {name: json.loads(proof.text_of(held)) for name, held in bundle.track_files(session, track).items()}
    assert again.items() <= proof.unpacked(content).items()


def test_each_flipped_byte_is_found_with_its_place(content: bytes, tmp_path: Path) -> None:
    """Also bytes of the archive around the files: an archive is what its files give, to the byte."""
    assert flipped(content, FLIPS, tmp_path) == []


def flipped(content: bytes, count: int, folder: Path) -> list[tuple[int, str]]:
    """The flips of one bit (byte and report) that were not found, or not with the file in which they are."""
    spans = _spans(content)
    chance = random.Random(20261126)
    unseen = []
    for at in [0, len(content) - 1, *chance.sample(range(len(content)), count)]:
        changed = bytearray(content)
        changed[at] ^= 1 << chance.randrange(8)
        code, said = proof.checked(bytes(changed), folder)
        name = next((name for start, end, name in spans if start <= at < end), "index")
        if code != 1 or name not in said.partition("The first difference: ")[2]:
            unseen.append((at, said))
    return unseen


def _spans(content: bytes) -> list[tuple[int, int, str]]:
    found, end = [], 0
    for name, held in proof.verify.entries(content).items():
        start, end = end, end + 30 + len(name) + len(held)
        found.append((start, end, name))
    return found


def _score(files: dict[str, Any], number: str) -> str:
    line = files[f"{HERE}/sheets.json"][number]["sheet"]["lines"][1]
    line["points"] = "9.9"
    return f"{HERE}/sheets.json {number} {line['code']} points"


def _figure(files: dict[str, Any], number: str) -> str:
    held = next(each for each in files[f"{HERE}/submissions.json"] if each["number"] == number)
    held["figures"]["hpj_per_100m"] = "1"
    return f"{number} CR-06 hpj_per_100m value"


def _mark(files: dict[str, Any], number: str) -> str:
    review = files[f"{HERE}/reviews.json"][number]["reviews"][0]
    review["marks"]["CR-10"]["market"] = "0"
    return f"{HERE}/reviews.json {number} {review['reviewer']}"


def _calibrated(files: dict[str, Any], number: str) -> str:
    held = files[f"{HERE}/reviews.json"][number]["calibrated"]
    held["CR-10/general"] = "9.1234"
    return f"{HERE}/reviews.json {number} calibrated CR-10/general"


def _order(files: dict[str, Any], number: str) -> str:
    files[f"{HERE}/ranking.json"].reverse()
    return f"{HERE}/ranking.json"


def _package(files: dict[str, Any], number: str) -> str:
    held = next(each for each in files[f"{HERE}/submissions.json"] if each["number"] == number)
    held["sha256"] = "0" * 64
    return f"{HERE}/submissions.json {number} sha256"


def _outcome(files: dict[str, Any], number: str) -> str:
    covered = files[f"{HERE}/allocation.json"]["covered"]
    line = next(each for each in covered["lines"] if each["outcome"] == "award")
    line["outcome"], line["amounts"] = "decline", {}
    files[f"{HERE}/allocation.json"]["digest"] = proof.verify.digest(covered)
    return f"{HERE}/allocation.json {files[f'{HERE}/allocation.json']['numbers'][line['application']]} outcome"


def _booking(files: dict[str, Any], number: str) -> str:
    row = next(row for row in files["audit.json"]["rows"] if isinstance(row, dict) and row["tag"].startswith("budget"))
    row["changes"]["lines"][0][2] = "-1.00"
    return f"{HERE}/postings.json"


def _trail(files: dict[str, Any], number: str) -> str:
    files["audit.json"]["rows"][3] = "0" * 64
    return "audit.json head"


def _rule(files: dict[str, Any], number: str) -> str:
    files[f"{HERE}/rules.json"]["threshold"] = "99"
    return f"{HERE}/rules.json"


CHANGES: tuple[Callable[[dict[str, Any], str], str], ...] = (
    _score,
    _figure,
    _mark,
    _calibrated,
    _order,
    _package,
    _outcome,
    _booking,
    _trail,
    _rule,
)


def test_a_change_that_was_signed_again_is_named(session: Session, content: bytes, tmp_path: Path) -> None:
    """Somebody with the portal's key changes one thing and signs: the arithmetic tells which."""
    number = sorted(proof.unpacked(content)[f"{HERE}/sheets.json"])[2]
    for change in CHANGES:
        files = proof.unpacked(content)
        place = change(files, number)
        code, said = proof.checked(proof.forged(files), tmp_path)
        assert code == 1, change.__name__
        assert place in said, (change.__name__, said)


def test_the_signature_is_the_portals(content: bytes, tmp_path: Path) -> None:
    files = proof.unpacked(content)
    assert files["signature.json"]["key"] == signing.public_key()
    assert proof.checked(content, tmp_path, key=signing.public_key())[0] == 0
    code, said = proof.checked(content, tmp_path, key="0" * 64)
    assert code == 1
    assert "signature.json key" in said


def test_no_bundle_is_told(tmp_path: Path) -> None:
    code, said = proof.checked(b"something else", tmp_path)
    assert code == 2
    assert "is no results bundle" in said


def test_an_application_finds_itself(content: bytes, tmp_path: Path) -> None:
    held = proof.unpacked(content)[f"{HERE}/submissions.json"][4]
    code, said = proof.checked(content, tmp_path, number=held["number"], sha256=held["sha256"].upper())
    assert code == 0
    assert f"{held['number']} is inside (import_substitution): place " in said
    assert "its submission is row " in said
    code, said = proof.checked(content, tmp_path, number=held["number"], sha256="0" * 64)
    assert (code, f"{held['number']} sha256" in said) == (1, True)
    code, said = proof.checked(content, tmp_path, number="JP-1999-IS-0001")
    assert (code, "is not inside" in said) == (1, True)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("eligible", [True, False])
def test_nothing_in_it_names_anybody(session: Session, eligible: bool) -> None:
    """Texts, names and identifiers of the packages; names, addresses and keys of every person; justifications."""
    content = proof.bundled(session, proof.decided(session, calibrated=eligible, eligible=eligible, count=6))
    inside = content.decode("utf-8", "replace")
    rules = json.dumps(proof.unpacked(content)[f"{HERE}/rules.json"], ensure_ascii=False)
    told = [leaf for row in session.scalars(select(Submission.snapshot)) for leaf in _leaves(row)]
    plain = re.compile(r"[0-9.\-:TZH+]+|[A-Z]+-[0-9]+|[a-z_]+")
    texts = {leaf for leaf in told if len(leaf) > 5 and not plain.fullmatch(leaf)}
    texts |= {leaf for leaf in told if re.fullmatch(r"[1-9][0-9]{8,}", leaf)}
    people = session.execute(text("select id::text, email, full_name, fs_uniquifier from user_account")).all()
    texts |= {value for row in people for value in row}
    organisations = session.execute(text("select id::text, inn, ogrn, name_ru, name_en from organisation")).all()
    texts |= {value for row in organisations for value in row}
    texts |= set(session.scalars(select(Mark.justification)))
    texts |= {str(key) for key in session.scalars(select(Assignment.id))}
    assert len(texts) > 50
    assert [each for each in texts if each in inside and each not in rules] == []


def test_reviewers_keep_one_pseudonym_only_where_it_is_needed(session: Session) -> None:
    def names(calibrated: bool) -> list[list[str]]:
        content = proof.bundled(session, proof.decided(session, calibrated=calibrated))
        held = proof.unpacked(content)[f"{HERE}/reviews.json"]
        return [[review["reviewer"] for review in held[number]["reviews"]] for number in sorted(held)]

    assert names(False) == [["reviewer-1", "reviewer-2"]] * 9
    found = names(True)
    assert {name for pair in found for name in pair} == {"reviewer-1", "reviewer-2", "reviewer-3"}
    assert len({frozenset(pair) for pair in found}) == 3


def test_a_draw_of_lots_is_recomputed(session: Session, tmp_path: Path) -> None:
    content = proof.bundled(session, proof.decided(session, draw=True, count=4))
    assert proof.checked(content, tmp_path)[0] == 0
    files = proof.unpacked(content)
    files[f"{HERE}/draw.json"][0]["randomness"] = "17-04-34"
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, f"{HERE}/draw.json randomness" in said) == (1, True)


def test_awards_within_limits_are_recomputed(session: Session, tmp_path: Path) -> None:
    """All are of one organisation, which may win twice: who it is stays out of the bundle, that it is one does not."""
    title = Text("Не больше двух", "At most two")
    limit = AllocationLimit("L-1", title, LimitField.ORGANISATION, "*", None, Decimal(2), LimitUnit.PROJECTS)
    tender = proof.decided(session, count=4, money=900_000_000, allotment=Allotment.SKIPPING, limits=(limit,))
    content = proof.bundled(session, tender)
    code, said = proof.checked(content, tmp_path)
    assert code == 0, said
    assert "the awards (skipping)" in said
    files = proof.unpacked(content)
    outcomes = [line["outcome"] for line in files[f"{HERE}/allocation.json"]["covered"]["lines"]]
    assert outcomes == ["award", "award", "reserve", "reserve"]
    assert {str(each["groups"]) for each in files[f"{HERE}/submissions.json"]} == {
        "{'organisations': ['organisation-1']}"
    }
    files[f"{HERE}/submissions.json"][0]["groups"] = {"organisations": ["organisation-2"]}
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, f"{HERE}/allocation.json" in said) == (1, True)


def test_the_best_total_is_searched_for_anew(session: Session, tmp_path: Path) -> None:
    """What the portal did not prove is said in the bundle; without it a list of fewer points is a difference."""
    content = proof.bundled(session, proof.decided(session, count=4, money=140_000_000, allotment=Allotment.BEST_TOTAL))
    files = proof.unpacked(content)
    assert files[f"{HERE}/allocation.json"]["gap"] == "0"
    code, said = proof.checked(content, tmp_path)
    assert (code, "the awards (best_total)" in said) == (0, True), said


def test_parts_are_recomputed_with_the_consent_of_those_who_got_them(session: Session, tmp_path: Path) -> None:
    """The first that fits only in part says no, the next one yes; neither why nor who stands in the bundle."""
    content = proof.bundled(
        session, proof.decided(session, count=4, money=140_000_000, allotment=Allotment.PARTIAL, answers=(False, True))
    )
    code, said = proof.checked(content, tmp_path)
    assert code == 0, said
    assert "the awards (partial)" in said
    files = proof.unpacked(content)
    assert "CANARY-REASON" not in str(files)
    allocation = files[f"{HERE}/allocation.json"]
    assert [each["answer"] for each in allocation["offers"]] == ["refused", "accepted"]
    refused, agreed = (each["number"] for each in allocation["offers"])
    for forge, place in (
        (lambda offers: offers.pop(0), f"{HERE}/allocation.json {refused} outcome"),
        (lambda offers: offers.pop(1), f"{HERE}/allocation.json {agreed} consent"),
        (lambda offers: offers[0].update(answer="expired"), f"{HERE}/allocation.json {refused} offer (audit.json)"),
    ):
        changed = json.loads(json.dumps(files))
        forge(changed[f"{HERE}/allocation.json"]["offers"])
        code, said = proof.checked(proof.forged(changed), tmp_path)
        assert (code, place in said) == (1, True), said


def test_it_is_made_once_after_the_publication(session: Session) -> None:
    tender = proof.decided(session, count=3)
    task = session.scalars(select(Task).where(Task.kind == bundles.KIND)).one()
    assert task.payload == {"tender_id": str(tender.id)}
    first = bundles.make(session, tender.id)
    assert first is not None
    assert bundles.make(session, tender.id) is first
    assert bundles.make(session, tender.programme_id) is None


def test_published_heads_are_compared(session: Session, tmp_path: Path) -> None:
    content = proof.bundled(session, proof.decided(session, count=3))
    feed = json.loads(proof.text_of(heads.feed(heads.published(session))))
    path = tmp_path / "heads.json"
    path.write_text(json.dumps(feed))
    code, said = proof.checked(content, tmp_path, heads=str(path))
    assert (code, "Published heads: 1 signed, 1 of them inside" in said) == (0, True), said
    feed["heads"][0]["hash"] = "0" * 64
    path.write_text(json.dumps(feed))
    code, said = proof.checked(content, tmp_path, heads=str(path))
    assert code == 1
    assert f"audit.json {feed['heads'][0]['seq']}" in said
