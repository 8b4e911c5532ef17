"""What was typed into the form of a rule set becomes its JSON, and values of the JSON become what inputs show.

What cannot be read stays as it was typed: the rules say what is wrong with it, and the page shows it again.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from portal.tenders.checks import CHECKS
from portal.web import commission_fields
from portal.web.commission_fields import VIEW
from portal.web.rule_fields import (
    DATE,
    FLAG,
    MAYBE_NUMBER,
    MAYBE_WHOLE,
    MOST_ROWS,
    NUMBER,
    SECTIONS,
    TIE_CHOICES,
    WHOLE,
    WORDS,
    YEARS,
    Rows,
)


def read_section(name: str, form: Mapping[str, str], content: Mapping[str, Any]) -> dict[str, Any]:
    """The rule set with one section replaced by what was typed."""
    changed: dict[str, Any] = copy.deepcopy(dict(content))
    section = SECTIONS[name]
    for column in section.scalars:
        _put(changed, column.name, _typed(column.kind, form.get(column.input, "")))
    for rows in section.rows:
        changed[rows.name] = read_rows(rows, form)
    if name == "commission":
        held = commission_fields.nested(changed.pop(VIEW))
        changed.pop("commission", None)
        if held is not None:
            changed["commission"] = held
    if name == "money":
        for term in ("smallest_part", "offer_days"):
            if changed[term] is None:
                del changed[term]
    if name == "criteria":
        _criteria(changed, form)
    if name == "procedure":
        ties = [form.get(f"tie_rules-{place}", "") for place in range(len(TIE_CHOICES))]
        changed["tie_rules"] = [tie for tie in ties if tie]
    return changed


def read_rows(rows: Rows, form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The entries of a list as they were typed, without those that are empty or to be removed."""
    return [_row(rows, prefix, form) for prefix in _prefixes(rows.name, form)]


def shown(value: Any) -> str:
    """A value of the JSON as the text of its input."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    text = str(value)
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text)
    return f"{found[3]}.{found[2]}.{found[1]}" if found else text


def at(row: Any, path: str) -> Any:
    """The value at a dotted path of a row, None where there is none."""
    for name in path.split("."):
        row = row.get(name) if isinstance(row, Mapping) else None
    return row


def _put(row: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        row = row.setdefault(name, {})
    row[last] = value


def _typed(kind: int, text: str) -> Any:
    text = text.strip()
    if kind in (MAYBE_NUMBER, MAYBE_WHOLE) and not text:
        return None
    if kind in (NUMBER, MAYBE_NUMBER):
        return re.sub(r"\s", "", text).replace(",", ".")
    if kind in (WHOLE, MAYBE_WHOLE):
        return _whole(text)
    if kind == DATE:
        try:
            return datetime.strptime(text, "%d.%m.%Y").date().isoformat()  # noqa: DTZ007 - a date only
        except ValueError:
            return text
    if kind == FLAG:
        return text == "yes"
    if kind in (YEARS, WORDS):
        words = [word for word in re.split(r"[\s,;]+", text) if word]
        return [_whole(word) for word in words] if kind == YEARS else [word.lower() for word in words]
    return text


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII) else text


def _prefixes(name: str, form: Mapping[str, str]) -> Iterator[str]:
    """The rows of a list that were filled in and are not to be removed, in their order."""
    pattern = re.compile(re.escape(name) + r"-(\d{1,3})-")
    numbers = sorted({int(found[1]) for key in form if (found := pattern.match(key))})
    for number in numbers[:MOST_ROWS]:
        prefix = f"{name}-{number}"
        named = (
            "code",
            "title-ru",
            "title-en",
            "statement-ru",
            "statement-en",
            "metric",
            "least",
            "text-ru",
            "text-en",
            "tie",
        )
        filled = any(form.get(f"{prefix}-{key}", "").strip() for key in named)
        if filled and not form.get(f"{prefix}-remove"):
            yield prefix


def _row(rows: Rows, prefix: str, form: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in rows.columns:
        text = form.get(f"{prefix}-{column.input}", "")
        _put(row, column.name, _typed(column.kind, text))
    if rows.name == "eligibility":
        needed = sorted(CHECKS.get(row["check"], ()))
        row["params"] = {name: _parameter(name, form.get(f"{prefix}-params-{name}", "")) for name in needed}
    return row


def _parameter(name: str, text: str) -> str:
    return text.strip() if name == "document" else str(_typed(NUMBER, text))


def _criteria(changed: dict[str, Any], form: Mapping[str, str]) -> None:
    """The criteria, and the lanes with the aspects that were chosen for them; rules without lanes do not name any."""
    prefixes = list(_prefixes("criteria", form))
    changed["criteria"] = [_criterion(prefix, form) for prefix in prefixes]
    if not changed["lanes"]:
        del changed["lanes"]
        return
    for lane in changed["lanes"]:
        lane["aspects"] = []
    by_code = {lane["code"]: lane for lane in reversed(changed["lanes"])}
    for prefix, criterion in zip(prefixes, changed["criteria"], strict=True):
        for inner, aspect in zip(_prefixes(f"{prefix}-aspects", form), criterion["aspects"], strict=True):
            chosen = by_code.get(form.get(f"{inner}-lane", "").strip())
            if chosen is not None:
                chosen["aspects"].append(f"{criterion['code']}-{aspect['code']}")


def lane_of(content: Mapping[str, Any], criterion: Any, aspect: Any) -> str:
    """The code of the lane that scores an aspect, both as JSON."""
    key = f"{at(criterion, 'code')}-{at(aspect, 'code')}"
    return next((str(lane["code"]) for lane in content.get("lanes") or () if key in lane["aspects"]), "")


def _criterion(prefix: str, form: Mapping[str, str]) -> dict[str, Any]:
    def text(name: str) -> str:
        return form.get(f"{prefix}-{name}", "").strip()

    return {
        "code": text("code"),
        "title": {"ru": text("title-ru"), "en": text("title-en")},
        "weight": _typed(NUMBER, text("weight")),
        "source": text("source"),
        "components": [_component(inner, form) for inner in _prefixes(f"{prefix}-components", form)],
        "aspects": [_aspect(inner, form) for inner in _prefixes(f"{prefix}-aspects", form)],
    }


def _aspect(prefix: str, form: Mapping[str, str]) -> dict[str, Any]:
    """An aspect; one without anchors does not name any."""
    aspect: dict[str, Any] = {"code": form.get(f"{prefix}-code", "").strip(), "title": _texts(f"{prefix}-title", form)}
    anchors = [
        {
            "least": _typed(WHOLE, form.get(f"{inner}-least", "")),
            "most": _typed(WHOLE, form.get(f"{inner}-most", "")),
            "text": _texts(f"{inner}-text", form),
        }
        for inner in _prefixes(f"{prefix}-anchors", form)
    ]
    return {**aspect, "anchors": anchors} if anchors else aspect


def _texts(prefix: str, form: Mapping[str, str]) -> dict[str, str]:
    return {language: form.get(f"{prefix}-{language}", "").strip() for language in ("ru", "en")}


def _component(prefix: str, form: Mapping[str, str]) -> dict[str, Any]:
    kind = form.get(f"{prefix}-scale-kind", "")
    scale: dict[str, Any] = {"kind": kind}
    if kind == "yes_no":
        scale |= {name: _typed(NUMBER, form.get(f"{prefix}-scale-{name}", "")) for name in ("yes", "no")}
    else:
        pairs = (
            [_typed(NUMBER, form.get(f"{prefix}-scale-points-{place}-{side}", "")) for side in (0, 1)]
            for place in range(MOST_ROWS)
            if f"{prefix}-scale-points-{place}-0" in form
        )
        scale["points" if kind == "linear" else "bands"] = [pair for pair in pairs if any(pair)]
    return {
        "metric": form.get(f"{prefix}-metric", ""),
        "share": _typed(NUMBER, form.get(f"{prefix}-share", "1")),
        "scale": scale,
    }
