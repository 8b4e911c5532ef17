"""The rule set as a form: which inputs each section has; :mod:`portal.web.rule_input` reads what was typed.

An input is named by the path of its value in the JSON with dashes for dots (``criteria-3-weight``), so that the
problems of :func:`portal.tenders.ruleset.from_json` find their inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_babel import lazy_gettext as _l

from portal.core.formats import EXAMPLE_DAY
from portal.core.language import N_, Message
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

LIMITS: Final = Rows(
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
)
"""Limits on who gets money, of a rule set and over all tracks of a tender."""

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
        rows=(LIMITS,),
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
