"""What differs between two packages, or between two scopes of a signature, field by field.

Pure. A path is the name that problems carry (``project.name_ru``, ``participant.<id>.costs.CC-01.2018``,
``documents.DOC-02``), so that :func:`portal.applications.drafts.sections.place_of` finds where it is filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from portal.applications.drafts.sections import BY_NAME, Section, place_of
from portal.core.language import N_, Message
from portal.tenders.ruleset import RuleSet, Text

Flat = Mapping[str, Any]
"""Path -> value; a list of codes counts as one value."""

_IGNORED: Final = frozenset({"format", "signatures", "initiator_applications", "letter_of_fit"})


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; None stands for "not there"."""

    path: str
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "before": self.before, "after": self.after}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The changes between two packages of one application, in the order of the package."""
    return differences(flat(before), flat(after))


def differences(before: Flat, after: Flat) -> list[Change]:
    """The changes between two flat contents; gaps and missing keys are the same."""
    names = [*before, *(name for name in after if name not in before)]
    return [Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def flat(package: Mapping[str, Any]) -> dict[str, Any]:
    """A package by paths; the organisations' profiles are ``participant.<id>.organisation.<key>``."""
    found: dict[str, Any] = {}
    for name, content in package.items():
        if name == "participants":
            for part in content or ():
                found |= flat_part(part)
        elif name == "documents":
            found |= dict(papers("documents", content))
        elif name not in _IGNORED:
            found |= dict(leaves(name, content))
    return found


def flat_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A participant's part by paths."""
    prefix = f"participant.{part.get('id')}"
    found: dict[str, Any] = {}
    for name, content in part.items():
        if name == "documents":
            found |= dict(papers(f"{prefix}.documents", content))
        elif name != "id":
            found |= dict(leaves(f"{prefix}.{name}", content))
    return found


def leaves(prefix: str, content: Any) -> Iterator[tuple[str, Any]]:
    """The values below ``prefix``; mappings are walked, anything else is a value. Gaps are left out."""
    if isinstance(content, Mapping):
        for name, inner in content.items():
            yield from leaves(f"{prefix}.{name}", inner)
    elif content is not None:
        yield prefix, content


def papers(prefix: str, content: Any) -> Iterator[tuple[str, Any]]:
    """The documents by code: all files of a code together are one value."""
    by_code: dict[str, list[Any]] = {}
    for item in content or ():
        told = [str(item.get("name", "")), str(item.get("sha256", "")), item.get("issued_on")]
        by_code.setdefault(str(item.get("code")), []).append(told)
    for code, items in by_code.items():
        yield f"{prefix}.{code}", sorted(items, key=str)


_PROFILE: Final[Mapping[str, Message]] = {
    "name_ru": N_("Name in Russian"),
    "name_en": N_("Name in English"),
    "inn": N_("INN"),
    "kpp": N_("KPP"),
    "ogrn": N_("OGRN"),
    "okved2": N_("OKVED 2"),
    "region": N_("Region"),
    "sme": N_("Size of the enterprise"),
    "offshore_share": N_("Share of offshore companies"),
}
_TOTALS: Final[Mapping[str, Message]] = {
    "costs_total": N_("Costs of the whole project"),
    "eligible": N_("Reimbursable costs of the whole project"),
    "subsidy": N_("Requested subsidy of the whole project"),
}
_FACE: Final[Mapping[str, Message]] = {
    "costs_total": N_("Costs in total"),
    "financing_total": N_("Financing in total"),
    "subsidy": N_("Requested subsidy"),
    "role": N_("Role in the project"),
    "cluster_member": N_("Membership in the cluster"),
}


def label(path: str, rules: RuleSet, names: Mapping[str, Mapping[str, str]]) -> Message:
    """The field in words: whose, which section, which question. ``names``: participant's id -> ru, en."""
    head, _, rest = path.partition(".")
    if head == "participant":
        key, _, inner = rest.partition(".")
        whose = names.get(key) or {"ru": "?", "en": "?"}
        return N_("%(whose)s: %(what)s", whose=whose, what=_of_part(path, inner, rules))
    if head == "totals":
        return _with_year(_TOTALS.get(rest.partition(".")[0], N_("Totals")), rest)
    if head == "cluster":
        return N_("Cluster")
    if head in ("tender", "track", "rules"):
        return N_("Tender and its rules")
    return _question(path, rules)


def _of_part(path: str, inner: str, rules: RuleSet) -> Message:
    name, _, key = inner.partition(".")
    if name == "organisation":
        return N_("profile of the organisation, %(field)s", field=_PROFILE.get(key, Message(key)))
    if name == "shared":
        return _with_year(_FACE.get(key.partition(".")[0], N_("Totals")), key)
    if name in _FACE and not key:
        return _FACE[name]
    return _question(path, rules)


def _with_year(title: Message, path: str) -> Message:
    year = path.rpartition(".")[2]
    return N_("%(title)s, %(year)s", title=title, year=year) if year.isdecimal() else title


def _question(path: str, rules: RuleSet) -> Message:
    place = place_of(path)
    if place.section == "documents":
        paper = rules.document(place.key)
        title = {"ru": paper.title.ru, "en": paper.title.en} if paper else place.key
        return N_("Document %(code)s (%(title)s)", code=place.key, title=title)
    definition = BY_NAME.get(place.section)
    if definition is None:
        return (
            N_("Participants of the project")
            if place.section == "participants"
            else Message("%(path)s", {"path": path})
        )
    key = path.removeprefix(definition.prefix(place.participant_id))
    return N_("%(section)s, %(question)s", section=definition.title, question=_asked(definition, key, rules))


def _asked(definition: Section, key: str, rules: RuleSet) -> Message | dict[str, str] | str:
    if definition.fields is not None:
        labels = {item.name: item.label for item in definition.fields(rules)}
        found = labels.get(key) or labels.get(key.partition(".")[0])
        return found.both() if isinstance(found, Text) else (found or key)
    assert definition.grid is not None
    code, _, column = key.partition(".")
    for row in definition.grid(rules).rows:
        if row.code and row.code == code:
            title: object = row.title.both() if isinstance(row.title, Text) else row.title
            return N_("%(title)s, %(year)s", title=title, year=column)
    return key
