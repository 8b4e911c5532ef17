"""The rule set as a form: which inputs each section has, and how what was typed becomes the JSON of the rules.

An input is named by the path of its value in the JSON with dashes for dots (``criteria-3-weight``), so that the
problems of :func:`portal.tenders.ruleset.from_json` find their inputs. What cannot be read stays as it was typed:
the rules say what is wrong with it, and the page shows it again.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask_babel import lazy_gettext as _l

from portal.core.formats import EXAMPLE_DAY
from portal.core.language import N_, Message
from portal.tenders.checks import CHECKS
from portal.tenders.metrics import METRICS
from portal.tenders.ruleset import (
    OFFER_DAYS,
    SMALLEST_PART,
    Allotment,
    Blindness,
    Direction,
    ExpertMean,
    Giver,
    LimitField,
    LimitUnit,
    Need,
    Severity,
    Sight,
    Source,
    TieRule,
)
from portal.tenders.wording import (
    ALLOTMENTS,
    BLINDNESS,
    CHECK_NAMES,
    CONFLICT_TIES,
    EXPERT_MEANS,
    GIVERS,
    LIMIT_FIELDS,
    LIMIT_UNITS,
    NEEDS,
    SEVERITIES,
    SIGHTS,
    TIE_EFFECTS,
    TIES,
)
from portal.web import commission_fields
from portal.web.commission_fields import BALLOTS, OFFICES, VIEW

MOST_ROWS: Final = 200
TEXT, NUMBER, MAYBE_NUMBER, WHOLE, MAYBE_WHOLE, DATE, YEARS, WORDS, FLAG, CHOICE = range(10)


@dataclass(frozen=True, slots=True)
class Column:
    """An input: ``name`` is the path within its row, ``choices`` (value, wording) make it a select."""

    name: str
    label: Any
    kind: int = TEXT
    choices: tuple[tuple[str, Any], ...] = ()
    hint: Any = ""

    @property
    def input(self) -> str:
        """The input's name; ``version`` is what the form calls the row's own version."""
        return "rules-version" if self.name == "version" else self.name.replace(".", "-")

    @property
    def wide(self) -> bool:
        return self.kind == TEXT and self.name not in ("code", "version")


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of the rule set; a row without code and texts is not there."""

    name: str
    title: Any
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A page of the editor."""

    title: Any
    scalars: tuple[Column, ...] = ()
    rows: tuple[Rows, ...] = ()


def _chosen(words: Mapping[Any, Message], *empty: Message) -> tuple[tuple[str, Any], ...]:
    """The choices of a select, the empty one first where there is one: a row without it is none."""
    return (*(("", said) for said in empty), *((str(item), said) for item, said in words.items()))


_CODE: Final = Column("code", _l("Code"))
_TITLE: Final = (Column("title.ru", _l("In Russian")), Column("title.en", _l("In English")))
SOURCE: Final = Column("source", _l("Source"), CHOICE, tuple((str(item), item.wording) for item in Source))
_DAYS: Final = {
    "notice_days": _l("Notice before the opening"),
    "formal_check_days": _l("Formal check"),
    "correction_days": _l("Correction by the applicant"),
    "refusal_notice_days": _l("Notice of refusal"),
    "review_days": _l("Expert review"),
    "commission_days": _l("Meeting of the commission"),
    "minutes_days": _l("Minutes"),
    "order_days": _l("Order on the winners"),
    "publication_days": _l("Publication of the results"),
    "agreement_days": _l("Agreement"),
}

SECTIONS: Final[dict[str, Section]] = {
    "general": Section(
        _l("General limits"),
        (
            *_TITLE,
            Column("version", _l("Version")),
            Column("years", _l("Years of the subsidy"), YEARS, hint=_l("For example 2018, 2019, 2020")),
            Column(
                "costs_from", _l("First day of allowed costs"), DATE, hint=_l("For example, %(day)s", day=EXAMPLE_DAY)
            ),
            Column("min_participants", _l("Fewest participants"), WHOLE),
            Column("cap_share", _l("Largest share of eligible costs, %"), NUMBER),
            Column(
                "project_cap",
                _l("Largest subsidy for one project, RUB"),
                MAYBE_NUMBER,
                hint=_l("Empty: no limit"),
            ),
            Column("own_share_of_subsidy", _l("Own funds, per cent of the subsidy"), NUMBER),
            Column(
                "confidential_parts",
                _l("Costs and papers of a participant are seen by"),
                CHOICE,
                tuple((str(item), SIGHTS[item]) for item in Sight),
            ),
        ),
    ),
    "eligibility": Section(
        _l("Who may apply"),
        rows=(
            Rows(
                "eligibility",
                _l("Eligibility rules"),
                (
                    _CODE,
                    Column("check", _l("Check"), CHOICE, tuple(CHECK_NAMES.items())),
                    Column(
                        "severity",
                        _l("If it does not hold"),
                        CHOICE,
                        tuple((str(item), SEVERITIES[item]) for item in Severity),
                    ),
                    SOURCE,
                    *_TITLE,
                ),
            ),
        ),
    ),
    "costs": Section(
        _l("Costs"),
        rows=(
            Rows(
                "categories",
                _l("Cost categories and caps"),
                (
                    _CODE,
                    Column("cap", _l("At most, per cent of eligible costs"), MAYBE_NUMBER, hint=_l("Empty: no limit")),
                    Column("eligible", _l("Reimbursed"), FLAG),
                    SOURCE,
                    *_TITLE,
                ),
            ),
            Rows("exclusions", _l("Never reimbursed"), (_CODE, SOURCE, *_TITLE)),
        ),
    ),
    "criteria": Section(
        _l("Criteria"),
        rows=(
            Rows(
                "lanes",
                _l("Lanes of the expertise"),
                (_CODE, Column("reviewers", _l("Reviewers per application"), WHOLE), *_TITLE),
            ),
        ),
    ),
    "documents": Section(
        _l("Documents"),
        rows=(
            Rows(
                "documents",
                _l("Documents"),
                (
                    _CODE,
                    Column("need", _l("Needed"), CHOICE, tuple((str(item), NEEDS[item]) for item in Need)),
                    Column("giver", _l("Given by"), CHOICE, tuple((str(item), GIVERS[item]) for item in Giver)),
                    Column("formats", _l("Formats"), WORDS, hint=_l("For example pdf, docx")),
                    Column(
                        "max_age_days",
                        _l("Not older than, days"),
                        MAYBE_WHOLE,
                        hint=_l("Empty: no limit"),
                    ),
                    SOURCE,
                    *_TITLE,
                ),
            ),
        ),
    ),
    "kpis": Section(
        _l("Target indicators"),
        rows=(
            Rows(
                "kpis",
                _l("Target indicators"),
                (
                    _CODE,
                    Column("unit.ru", _l("Unit in Russian")),
                    Column("unit.en", _l("Unit in English")),
                    Column(
                        "direction",
                        _l("Better"),
                        CHOICE,
                        ((str(Direction.UP), _l("higher")), (str(Direction.DOWN), _l("lower"))),
                    ),
                    Column("cumulative", _l("Counted cumulatively"), FLAG),
                    Column("required", _l("Required"), FLAG),
                    *_TITLE,
                ),
            ),
        ),
    ),
    "declarations": Section(
        _l("Declarations"),
        rows=(
            Rows(
                "declarations",
                _l("Declarations of each participant"),
                (
                    _CODE,
                    Column("statement.ru", _l("In Russian")),
                    Column("statement.en", _l("In English")),
                ),
            ),
            Rows("refusal_reasons", _l("Reasons of refusal"), (_CODE, *_TITLE)),
        ),
    ),
    "money": Section(
        _l("Giving out the money"),
        (
            Column(
                "allotment",
                _l("Who gets money"),
                CHOICE,
                tuple((str(item), ALLOTMENTS[item]) for item in Allotment),
            ),
            Column(
                "smallest_part",
                _l("Smallest part that is offered, percent of each year"),
                MAYBE_NUMBER,
                hint=_l("For partial funding. Empty: %(share)s %%", share=SMALLEST_PART),
            ),
            Column(
                "offer_days",
                _l("Time to answer the offer of a part"),
                MAYBE_WHOLE,
                hint=_l("Working days, for partial funding. Empty: %(days)s", days=OFFER_DAYS),
            ),
        ),
        rows=(
            Rows(
                "limits",
                _l("Limits of the programme"),
                (
                    _CODE,
                    Column(
                        "field",
                        _l("Counted by"),
                        CHOICE,
                        tuple((str(item), LIMIT_FIELDS[item]) for item in LimitField),
                    ),
                    Column("value", _l("Which one"), hint=_l("* for each that occurs; nothing for SMEs")),
                    Column("least", _l("At least"), MAYBE_NUMBER, hint=_l("Empty: no limit")),
                    Column("most", _l("At most"), MAYBE_NUMBER, hint=_l("Empty: no limit")),
                    Column("unit", _l("Unit"), CHOICE, tuple((str(item), LIMIT_UNITS[item]) for item in LimitUnit)),
                    *_TITLE,
                ),
            ),
        ),
    ),
    "procedure": Section(
        _l("Procedure"),
        (
            Column("threshold", _l("Threshold, points of 100"), NUMBER),
            Column(
                "reviewers_per_application",
                _l("Reviewers per application"),
                WHOLE,
                hint=_l("Where the criteria have no lanes"),
            ),
            Column("spread_limit", _l("Largest difference between reviewers, points"), NUMBER),
            Column(
                "expert_mean",
                _l("What counts of several reviews"),
                CHOICE,
                tuple((str(item), EXPERT_MEANS[item]) for item in ExpertMean),
            ),
            Column(
                "blindness",
                _l("What reviewers know of the applicants"),
                CHOICE,
                tuple((str(item), BLINDNESS[item]) for item in Blindness),
            ),
            Column("intake_calendar_days", _l("Intake, calendar days"), WHOLE),
            *(Column(name, label, WHOLE, hint=_l("Working days")) for name, label in _DAYS.items()),
        ),
        rows=(
            Rows(
                "conflict_ties",
                _l("Ties of reviewers that mean something else here than usual"),
                (
                    Column("tie", _l("Tie"), CHOICE, _chosen(CONFLICT_TIES, N_("none"))),
                    Column("effect", _l("Effect"), CHOICE, _chosen(TIE_EFFECTS)),
                ),
            ),
        ),
    ),
    "commission": Section(
        _l("Commission"),
        (
            Column(f"{VIEW}.on", _l("A commission adopts the decision"), FLAG),
            Column(f"{VIEW}.ballot", _l("Ballot"), CHOICE, _chosen(BALLOTS)),
            Column(f"{VIEW}.parts", _l("Quorum: parts"), WHOLE, hint=_l("2 of 3 is two thirds")),
            Column(f"{VIEW}.of", _l("Quorum: of so many"), WHOLE),
            *(
                Column(
                    f"{VIEW}.{office}",
                    words,
                    MAYBE_NUMBER,
                    hint=_l("Signs above, roubles; 0 always, empty never"),
                )
                for office, words in OFFICES.items()
            ),
            Column(f"{VIEW}.held", _l("Letters are held for so many minutes"), WHOLE),
            Column(f"{VIEW}.appeal", _l("Time to appeal"), WHOLE, hint=_l("Working days")),
        ),
    ),
}
"""Section -> its inputs; criteria and the order of equal totals have pages of their own shape."""

SCALES: Final = (
    ("linear", _l("straight lines between points")),
    ("bands", _l("steps")),
    ("yes_no", _l("yes or no")),
)
TIE_CHOICES: Final = tuple((str(item), TIES[item]) for item in TieRule)
METRIC_CHOICES: Final = tuple((name, metric.title) for name, metric in METRICS.items())


def read_section(name: str, form: Mapping[str, str], content: Mapping[str, Any]) -> dict[str, Any]:
    """The rule set with one section replaced by what was typed."""
    changed: dict[str, Any] = copy.deepcopy(dict(content))
    section = SECTIONS[name]
    for column in section.scalars:
        _put(changed, column.name, _typed(column.kind, form.get(column.input, "")))
    for rows in section.rows:
        changed[rows.name] = [_row(rows, prefix, form) for prefix in _prefixes(rows.name, form)]
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
