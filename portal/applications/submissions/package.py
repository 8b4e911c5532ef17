"""The package: one project's whole content as plain JSON, the same shape for drafts and submissions.

A draft has gaps (None, or no key); what cannot be read is a gap too, and a :class:`Problem` that names its
field. Money has two decimals, other numbers are plain decimals, both are strings; dates are ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from portal.applications.drafts import questions
from portal.applications.drafts.sections import BY_NAME, EACH, PROJECT, Section
from portal.applications.drafts.values import Kind, Unreadable
from portal.applications.models import Application, Attachment, Participant, ParticipantRole, ParticipantState
from portal.clusters.models import Cluster
from portal.core.canonical import digest, plain_decimal
from portal.core.errors import Problem
from portal.core.figures import decimal_of
from portal.core.money import MAX_MONEY
from portal.identity.models import Organisation
from portal.tenders.ruleset import RuleSet

FORMAT: Final = 1

Typed = Mapping[tuple[UUID | None, str], Mapping[str, str]]
"""What was typed: (participant, or None for the project; section) -> key -> text."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A package, what of it could not be read, and its digest."""

    content: dict[str, Any]
    problems: tuple[Problem, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the package's canonical JSON: what participants confirm and a submission freezes."""
        return digest(self.content)


def assemble(
    application: Application,
    typed: Typed,
    attachments: Iterable[Attachment],
    members: frozenset[UUID],
    rules: RuleSet,
    on: date,
) -> Assembled:
    """The package of an application with tender, cluster and participants' organisations loaded.

    ``members`` are the organisations whose membership in the cluster is confirmed, ``on`` the day on which
    the entry in the register is looked up. Only participants that have accepted are part of the package.
    """
    problems: list[Problem] = []
    papers = sorted((item for item in attachments if item.removed_at is None), key=lambda item: item.id)
    project: dict[str, Any] = {}
    for section in PROJECT:
        if section.path == "project":
            project |= _values(section, typed.get((None, section.name), {}), rules, None, problems)
    participants = [
        {
            "id": str(part.id),
            "role": part.role,
            "organisation": _organisation(part.organisation),
            "cluster_member": part.organisation_id in members,
            **dict(_parts(part.id, typed, rules, problems)),
            "documents": _papers(papers, part.id),
        }
        for part in accepted(application.participants)
    ]
    kpi = BY_NAME["kpi"]
    tender = application.tender
    content = {
        "format": FORMAT,
        "tender": {"id": str(tender.id), "code": tender.code, "year": tender.year},
        "track": application.track,
        "cluster": _cluster(application.cluster, on),
        "project": project,
        "participants": participants,
        "kpi": _nested(_values(kpi, typed.get((None, "kpi"), {}), rules, None, problems)),
        "documents": _papers(papers, None),
    }
    flows = _nested(_values(BY_NAME["cashflow"], typed.get((None, "cashflow"), {}), rules, None, problems))
    if flows:
        content["cashflow"] = flows
    if rules.questions:
        _answer(content, typed, rules, problems)
    return Assembled(content, tuple(problems))


def part_of(part: Participant, typed: Typed, attachments: Iterable[Attachment], rules: RuleSet) -> dict[str, Any]:
    """One participant's part as in the package, whether it takes part or not any more."""
    papers = [item for item in attachments if item.removed_at is None]
    return {
        "id": str(part.id),
        "role": part.role,
        "organisation": _organisation(part.organisation),
        **dict(_parts(part.id, typed, rules, [])),
        "documents": _papers(papers, part.id),
    }


def accepted(participants: Iterable[Participant]) -> list[Participant]:
    """Those who take part, the initiator first, then in the order of their invitations."""
    taking = [part for part in participants if part.state == ParticipantState.ACCEPTED]
    return sorted(taking, key=lambda part: (part.role != ParticipantRole.INITIATOR, part.id))


def _parts(participant_id: UUID, typed: Typed, rules: RuleSet, problems: list[Problem]) -> Iterable[tuple[str, Any]]:
    for section in EACH:
        if section.name == questions.EACH:
            continue
        values = _values(section, typed.get((participant_id, section.name), {}), rules, participant_id, problems)
        given = {key: value for key, value in values.items() if value is not None}
        if given or not section.optional:
            yield section.path, _nested(given)


def _answer(content: dict[str, Any], typed: Typed, rules: RuleSet, problems: list[Problem]) -> None:
    """Answers to the extra questions, and the files among them: only to questions that are asked."""
    section = BY_NAME[questions.PROJECT]
    unreadable: list[Problem] = []
    content[questions.PROJECT] = _nested(_values(section, typed.get((None, section.name), {}), rules, None, unreadable))
    codes = questions.asked(content, rules)
    _keep(content, section.path, codes, rules)
    problems += [problem for problem in unreadable if problem.field.removeprefix(section.prefix()) in codes]
    section = BY_NAME[questions.EACH]
    for part in content["participants"]:
        key, unreadable = UUID(part["id"]), []
        part[section.path] = _nested(_values(section, typed.get((key, section.name), {}), rules, key, unreadable))
        codes = questions.asked(content, rules, part)
        _keep(part, section.path, codes, rules)
        problems += [problem for problem in unreadable if problem.field.removeprefix(section.prefix(key)) in codes]


def _keep(held: dict[str, Any], path: str, codes: frozenset[str], rules: RuleSet) -> None:
    held[path] = {code: value for code, value in held[path].items() if code in codes}
    held["documents"] = [
        item for item in held["documents"] if item["code"] in codes or rules.question(item["code"]) is None
    ]


def _values(
    section: Section,
    data: Mapping[str, str],
    rules: RuleSet,
    participant_id: UUID | None,
    problems: list[Problem],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, kind in section.keys(rules):
        text = data.get(key)
        if not text:  # most cells of a table: nothing is read from them
            values[key] = None
            continue
        try:
            values[key] = section.read(key, kind, text, rules)
        except Unreadable as error:
            values[key] = None
            problems.append(Problem(error.code, section.prefix(participant_id) + key, error.message))
    return values


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """``{"CC-01.2018": "5.00"}`` -> ``{"CC-01": {"2018": "5.00"}}``, without the empty cells."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        row, dot, column = key.partition(".")
        if dot:
            nested.setdefault(row, {})[column] = value
        else:
            nested[row] = value
    return nested


def _organisation(row: Organisation) -> dict[str, Any]:
    share = row.offshore_share
    return {
        "id": str(row.id),
        "name_ru": row.name_ru,
        "name_en": row.name_en,
        "inn": row.inn,
        "kpp": row.kpp,
        "ogrn": row.ogrn,
        "okved2": row.okved2,
        "region": row.region,
        "sme": row.sme,
        "offshore_share": None if share is None else plain_decimal(share),
    }


def _cluster(row: Cluster, on: date) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name_ru": row.name_ru,
        "name_en": row.name_en,
        "in_register": row.in_register(on),
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "regions": list(row.regions),
    }


def _papers(attachments: Iterable[Attachment], participant_id: UUID | None) -> list[dict[str, Any]]:
    return [
        {
            "code": item.code,
            "file_id": str(item.file_id),
            "name": item.file.name,
            "sha256": item.file.sha256,
            "size": item.file.size,
            "issued_on": item.issued_on.isoformat() if item.issued_on else None,
        }
        for item in attachments
        if item.participant_id == participant_id
    ]


def requested(typed: Typed, participants: Iterable[Participant], rules: RuleSet) -> Decimal | None:
    """The subsidy asked for by all participants together, roubles; None where nothing readable is asked."""
    grid = BY_NAME["subsidy"]
    ignored: list[Problem] = []
    amounts = [
        decimal_of(value)
        for part in accepted(participants)
        for value in _values(grid, typed.get((part.id, "subsidy"), {}), rules, part.id, ignored).values()
    ]
    known = [amount for amount in amounts if amount is not None]
    total = sum(known, Decimal("0.00"))
    return total if known and total <= MAX_MONEY else None


def unpack(package: Mapping[str, Any], rules: RuleSet) -> dict[tuple[str | None, str], dict[str, str]]:
    """What would have to be typed to get ``package``: the inverse of :func:`assemble`, documents aside."""
    typed: dict[tuple[str | None, str], dict[str, str]] = {}
    for section in PROJECT:
        source = package.get(section.path) or {}
        if section.present(rules) and (source or not section.optional):
            typed[None, section.name] = _typed(section, source, rules)
    for part in package.get("participants") or ():
        for section in EACH:
            source = part.get(section.path) or {}
            if section.present(rules) and (source or not section.optional):
                typed[str(part["id"]), section.name] = _typed(section, source, rules)
    return typed


def _typed(section: Section, source: Mapping[str, Any], rules: RuleSet) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, kind in section.keys(rules):
        row, dot, column = key.partition(".")
        value = (source.get(row) or {}).get(column) if dot else source.get(key)
        if value is not None:
            texts[key] = _text(kind, value)
    return texts


def _text(kind: Kind, value: Any) -> str:
    if kind in (Kind.YES_NO, Kind.FLAG):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)
