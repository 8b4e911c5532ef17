"""Kept scores: digests that wording, order, machine and hash seed do not touch; both formats; the first difference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.canonical import canonical_json, canonical_text, plain_decimal
from portal.core.figures import exact, number, percent, percentage_points, roubles
from portal.core.language import LOCALES, N_, Message, kept, read_kept, render
from portal.scoring.engine import Scorer
from portal.scoring.measuring import measure
from portal.scoring.scales import points_text, ready, units
from portal.scoring.sheets import Difference, digest_of, first_difference, told
from portal.scoring.wording import REASONS
from portal.tenders.ruleset import Bands, Linear, Scale, YesNo
from tests.factories.packages import marks, package, rules
from tests.scoring.golden import FILE, digests

D = Decimal


def sheet(row: str = "P01") -> dict[str, Any]:
    known = measure(package(row=row), rules(), date(2018, 9, 1))
    return Scorer(rules()).score(known, (marks("8"), marks("7"))).to_json()


def test_golden_digests() -> None:
    assert digests() == json.loads(FILE.read_text())


def test_digests_do_not_depend_on_the_hash_seed() -> None:
    """With another seed than that of this process, whose digests the test above has looked at."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "tests.scoring.golden"]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == json.loads(FILE.read_text())


def test_a_correction_of_a_sentence_changes_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sheet("P14")
    assert render(told(before, rules()).gates[0].reason, "en").startswith("EL-12: Declared as not fulfilled by: ")
    worded = deepcopy(before)
    worded["gates"][0]["failed"][0]["reason"]["wording"] = "Not declared as fulfilled by: %(names)s."
    monkeypatch.setitem(REASONS, "at_most", N_("%(x)s or less give %(points)s points."))  # type: ignore[arg-type]
    assert digest_of(worded) == digest_of(before)
    assert first_difference(before, worded) is None
    other = deepcopy(before)
    other["gates"][0]["failed"][0]["reason"]["values"]["names"]["en"] = "Somebody else"
    assert digest_of(other) != digest_of(before)


def test_a_score_of_format_1_is_read() -> None:
    texts = {"ru": "Почему", "en": "Why"}
    line = {
        "code": "CR-01",
        "title": {"ru": "Критерий", "en": "Criterion"},
        "kind": "objective",
        "weight": "20",
        "points": "5.7053",
        "weighted": "11.41",
        "parts": [
            {
                "metric": "leverage",
                "title": texts,
                "unit": "ratio",
                "value": "2.2821",
                "points": "5.7053",
                "share": "1",
                "inputs": {"private": "445000000"},
                "reason": texts,
            }
        ],
        "reviewers": [],
        "reason": texts,
    }
    old = {
        "format": 1,
        "lines": [line, {**line, "code": "CR-10", "kind": "expert", "parts": [], "points": None, "weighted": None}],
        "objective_total": "11.41",
        "max_objective": "20",
        "expert_total": None,
        "total": None,
        "gates": [{"code": "npv", "passed": True, "reason": texts, "rules": []}],
        "recommended": None,
    }
    found = told(old, rules())
    assert [(item.code, item.expert, item.points) for item in found.lines] == [
        ("CR-01", False, D("5.7053")),
        ("CR-10", True, None),
    ]
    assert render(found.lines[0].parts[0].reason, "ru") == "Почему"
    assert (found.gates[0].passed, render(found.gates[0].reason, "en")) == (True, "Why")
    assert (found.total, found.objective_total) == (None, D("11.41"))


def test_the_first_difference_names_criterion_field_and_both_values() -> None:
    before, after = sheet(), sheet()
    assert first_difference(before, after) is None
    after["lines"][1]["parts"][0]["value"] = "9"
    after["lines"][3]["points"] = "1"
    assert first_difference(before, after) == Difference("CR-02", "parts.0.value", "3.1282", "9")
    after = sheet()
    after["total"] = None
    assert first_difference(before, after) == Difference("", "total", before["total"], None)
    after = sheet()
    del after["lines"][7]
    assert first_difference(before, after) == Difference("CR-10", "code", "CR-10", None)


SENTENCES = [
    N_("%(figure)s", figure=number(D("1234.5"))),
    N_("%(a)s %(b)s %(c)s", a=percent(48), b=percentage_points(D("7")), c=roubles(D("1200.50"))),
    N_("%(day)s, %(count)s, %(exactly)s, %(code)s", day=date(2018, 8, 31), count=3, exactly=D("1.50"), code="EL-07"),
    N_("%(first)s %(second)s", first=N_("Not filled in yet."), second=N_("%(n)s", n=number(1))),
    N_("%(names)s", names={"ru": "ООО «Демо»", "en": "Demo LLC"}),
]


@pytest.mark.parametrize("message", SENTENCES, ids=lambda message: message.msgid)
def test_a_kept_sentence_is_rendered_as_before(message: Message) -> None:
    again = read_kept(json.loads(json.dumps(kept(message))))
    assert [render(again, locale) for locale in LOCALES] == [render(message, locale) for locale in LOCALES]


values = st.decimals(-1000, 1000, places=4)
points = st.decimals(0, 10, places=4)


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    kind = draw(st.sampled_from(("linear", "bands", "yes_no")))
    if kind == "yes_no":
        return YesNo(draw(points), draw(points))
    starts = sorted(draw(st.sets(values, min_size=2, max_size=6)))
    line = tuple((start, draw(points)) for start in starts)
    return Linear(line) if kind == "linear" else Bands(line, open_below=draw(st.booleans()))


@settings(max_examples=80, deadline=None)
@given(scales(), st.lists(values, min_size=1, max_size=8))
def test_a_scale_made_ready_gives_the_same_points(scale: Scale, asked: list[Decimal]) -> None:
    edges = (
        [] if isinstance(scale, YesNo) else [x for x, _ in (scale.points if isinstance(scale, Linear) else scale.bands)]
    )
    with exact():
        scored = ready(scale)
        for value in [*asked, *edges]:
            steps, _ = scored(units(plain_decimal(value)))
            assert D(points_text(steps)) == scale.score(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(json_values)
def test_canonical_json_is_that_of_the_standard_library(value: Any) -> None:
    plain = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert canonical_text(value) == plain
    assert canonical_json(value) == plain.encode("utf-8", "surrogatepass")
