"""A frozen package as titled blocks of text: what officers and reviewers read of an application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel import Locale
from flask import Response, request
from flask_babel import gettext as _
from markupsafe import Markup

from portal.applications.drafts import questions
from portal.applications.drafts.project_fields import Field
from portal.applications.drafts.sections import BY_NAME, SECTIONS, Section, place_of
from portal.applications.drafts.values import Kind
from portal.applications.figures.grids import Grid
from portal.applications.papers import downloads
from portal.applications.papers.downloads import Reader
from portal.core import regions
from portal.core.canonical import digest
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.figures import decimal_of
from portal.core.formats import format_date, format_money, format_number, format_percent
from portal.core.language import Message
from portal.review import blind_copies
from portal.review.blind_models import BlindCopy
from portal.review.queries import Case
from portal.review.redaction import Redaction
from portal.review.sheet import part_place
from portal.tenders.ruleset import RuleSet, Text
from portal.web import files
from portal.web.language import locale, say
from portal.web.page import current_actor
from portal.web.question_words import chosen
from portal.web.templating import localised


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers by row and column, ready to be drawn by ``data_table``."""

    columns: list[Any]
    rows: list[list[str]]
    total: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A section of the application: answers, or a table; ``place`` as in :func:`portal.review.sheet.places`."""

    title: str
    place: str
    answers: list[tuple[str, Any]] | None = None
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A document that was frozen with the application; ``closed``: why this reader does not get it."""

    code: str
    title: str
    name: str
    size: int
    sha256: str
    issued_on: str
    file_id: str
    closed: str = ""

    @property
    def place(self) -> str:
        return f"file-{self.file_id}"


@dataclass(frozen=True, slots=True)
class Part:
    """A participant's part of the package."""

    name: str
    role: str
    facts: list[tuple[str, Any]]
    blocks: list[Block]
    documents: list[Given]


@dataclass(frozen=True, slots=True)
class Frozen:
    """The whole package. ``intact``: its digest is the one that was taken at submission."""

    blocks: list[Block]
    parts: list[Part]
    documents: list[Given]
    sha256: str
    intact: bool


def frozen(case: Case) -> Frozen:
    """The package of a case for reading, in the reader's language."""
    intact = digest(case.package) == case.submission.sha256
    return laid_out(case.package, case.rules, case.submission.sha256, intact=intact)


def redacted(case: Case, redaction: Redaction) -> Frozen:
    """The package for a reader from whom it is hidden who applies; of its files the copies are given."""
    intact = digest(case.package) == case.submission.sha256
    shown = laid_out(redaction.package(), case.rules, case.submission.sha256, intact=intact)
    copies = blind_copies.copies_of(session(), case.submission.id)

    def copied(given: Iterable[Given]) -> list[Given]:
        return [_copied(item, copies.get(UUID(item.file_id)) if item.file_id else None) for item in given]

    parts = [replace(part, documents=copied(part.documents)) for part in shown.parts]
    return replace(shown, documents=copied(shown.documents), parts=parts)


def _copied(item: Given, copy: BlindCopy | None) -> Given:
    reason = blind_copies.word_of(copy)
    file = copy.copy if copy is not None else None
    return replace(item, closed=say(reason) if reason else "", size=file.size if file else item.size, sha256="")


def laid_out(package: Mapping[str, Any], rules: RuleSet, sha256: str, *, intact: bool = True) -> Frozen:
    """Any package for reading, a draft's too."""
    return Frozen(
        blocks=_blocks(package, rules),
        parts=[_part(package, item, rules, number) for number, item in enumerate(package.get("participants") or (), 1)],
        documents=_documents(package.get("documents"), rules),
        sha256=sha256,
        intact=intact,
    )


def places(shown: Frozen) -> dict[str, dict[str, str]]:
    """What a justification may cite, by group, then place, with the words of the reader's page."""
    found = {_("Project as a whole"): _places(shown.blocks, shown.documents)}
    return found | {part.name: _places(part.blocks, part.documents) for part in shown.parts}


def _places(blocks: Iterable[Block], documents: Iterable[Given]) -> dict[str, str]:
    named = {block.place: block.title for block in blocks}
    return named | {item.place: f"{item.code} {item.name}".strip() for item in documents}


def place_words(shown: Frozen) -> dict[str, str]:
    """The same without the groups: the words of each place, a participant's with its name."""
    found = _places(shown.blocks, shown.documents)
    for part in shown.parts:
        found |= {place: f"{part.name}: {words}" for place, words in _places(part.blocks, part.documents).items()}
    return found


def send_frozen(case: Case, file_id: UUID, reader: Reader, redaction: Redaction | None = None) -> Response:
    """A file that was frozen with the application, noted as read; :class:`NotFound` for any other.

    ``redaction``: for a reader from whom it is hidden who applies, a copy without properties and a name that does
    not tell.
    A download; with ``?view=1`` a PDF or a picture is shown by the browser instead.
    """
    package = case.package
    given = [*(package.get("documents") or ())]
    for part in package.get("participants") or ():
        given.extend(part.get("documents") or ())
    if str(file_id) not in {str(item.get("file_id")) for item in given}:
        raise NotFound
    viewed = request.args.get("view") == "1"
    file = downloads.frozen_file(session(), current_actor(), application_id=case.application.id, file_id=file_id)
    name = ""
    if redaction:
        name = redaction.file_name(str(file_id), file.name)
        file = blind_copies.copy_for(session(), case, file_id)
    answer = files.show(file, name) if viewed else files.send(file, name)
    if files.begins(answer):
        downloads.record_frozen(
            session(),
            current_actor(),
            application_id=case.application.id,
            file_id=file_id,
            reader=reader,
            viewed=viewed and file.content_type in files.SHOWN,
        )
    return answer


def _part(package: Mapping[str, Any], part: Mapping[str, Any], rules: RuleSet, number: int) -> Part:
    organisation = part.get("organisation") or {}
    region = regions.find(organisation.get("region") or "")
    sizes = {
        "micro": _("Micro enterprise"),
        "small": _("Small enterprise"),
        "medium": _("Medium enterprise"),
        "none": _("Not a small or medium enterprise"),
    }
    facts = [
        (_("INN"), organisation.get("inn")),
        (_("KPP"), organisation.get("kpp") or "—"),
        (_("OGRN"), organisation.get("ogrn")),
        (_("OKVED 2"), organisation.get("okved2")),
        (_("Region"), region.name_in(locale()) if region else organisation.get("region")),
        (_("Size"), sizes.get(organisation.get("sme") or "", "")),
    ]
    return Part(
        name=localised({"name_ru": "", "name_en": "", **organisation}, "name"),
        role=_("Initiator") if part.get("role") == "initiator" else _("Participant"),
        facts=facts,
        blocks=_blocks(package, rules, part, number),
        documents=_documents(part.get("documents"), rules),
    )


def _blocks(
    package: Mapping[str, Any], rules: RuleSet, part: Mapping[str, Any] | None = None, number: int = 0
) -> list[Block]:
    """The sections of the project or of a part; extra questions that were not asked are left out."""
    held = package if part is None else part
    asked = questions.asked(package, rules, part)
    return [
        _block(item, held.get(item.path) or {}, rules, asked, part_place(number, item.name) if number else item.name)
        for item in SECTIONS
        if item.each is (part is not None) and item.present(rules) and not (item.optional and not held.get(item.path))
    ]


def answers(project: Mapping[str, Any], names: Iterable[str], rules: RuleSet) -> list[tuple[str, Any]]:
    """Some of the project's answers with their questions, in the order of the form."""
    fields = [each for item in SECTIONS if item.path == "project" and item.fields for each in item.fields(rules)]
    return [(_word(each.label), _shown(each.kind, project.get(each.name))) for each in fields if each.name in names]


def _block(section: Section, values: Mapping[str, Any], rules: RuleSet, asked: frozenset[str], place: str) -> Block:
    title = say(section.title)
    if section.grid is not None:
        return Block(title, place, table=_table(section.grid(rules), values))
    fields = section.fields(rules) if section.fields else ()
    answers = [
        (_word(each.label), _answer(each, values.get(each.name)))
        for each in fields
        if each.question is None or (each.name in asked and each.kind is not Kind.FILE)
    ]
    return Block(title, place, answers=answers)


def _answer(field: Field, value: Any) -> Any:
    if field.question is not None and field.kind in (Kind.CHOICE, Kind.CHOICES):
        return chosen(field.question, value)
    return _shown(field.kind, value)


def _table(grid: Grid, values: Mapping[str, Any]) -> Table:
    columns = [_period(column) for column in grid.columns]
    rows, sums = [], dict.fromkeys(grid.columns, Decimal(0))
    for row in grid.rows:
        held = values if not row.code else values.get(row.code) or {}
        figures = {column: decimal_of(held.get(column)) for column in grid.columns}
        if all(value is None for value in figures.values()):
            continue
        published = row.code if row.code.isupper() else ""  # "CC-04" stands in the rules, "own" only in the database
        label = f"{published} {_word(row.title)}".strip()
        cells = [_figure(grid.kind_of(row), value) for value in figures.values()]
        if grid.sums:
            added = [value for value in figures.values() if value is not None]
            cells.append(_figure(grid.kind, sum(added, Decimal(0))))
            for column, value in figures.items():
                sums[column] += value or 0
        rows.append([label, *cells])
    head: list[Any] = [_("Item"), *({"label": label, "numeric": True} for label in columns)]
    if not grid.sums:
        return Table(head, rows)
    head.append({"label": _("Total"), "numeric": True})
    every = [_figure(grid.kind, value) for value in (*sums.values(), sum(sums.values(), Decimal(0)))]
    return Table(head, rows, [_("Total"), *every] if len(rows) > 1 else None)


def _period(column: str) -> str:
    year, half, number = column.partition("H")
    return _("%(half)s half of %(year)s", half=number, year=year) if half else column


def _documents(given: Any, rules: RuleSet) -> list[Given]:
    found = []
    for item in given or ():
        wanted = rules.document(item.get("code") or "")
        issued = item.get("issued_on")
        found.append(
            Given(
                code=item.get("code") or "",
                title=wanted.title[locale()] if wanted else "",
                name=item.get("name") or "",
                size=int(item.get("size") or 0),
                sha256=item.get("sha256") or "",
                issued_on=_date(issued),
                file_id=str(item.get("file_id") or ""),
            )
        )
    return found


def _word(text: Message | Text) -> str:
    return text[locale()] if isinstance(text, Text) else say(text)


def _figure(kind: Kind, value: Decimal | None) -> str:
    if value is None:
        return "—"
    if kind in (Kind.MONEY, Kind.SIGNED_MONEY):
        return format_number(value, locale())
    return format_number(value, locale(), 4)


def _date(text: Any) -> str:
    try:
        return format_date(date.fromisoformat(text), locale()) if text else ""
    except (TypeError, ValueError):
        return str(text)


def _shown(kind: Kind, value: Any) -> Any:
    """A value as the reader expects it; texts keep their lines."""
    if value is None or value == "" or value == []:
        return None
    if kind is Kind.YES_NO:
        return _("Yes") if value else _("No")
    if kind is Kind.COUNTRIES:
        names = Locale.parse(locale()).territories
        return ", ".join(names.get(code, code) for code in value)
    if kind is Kind.REGION:
        region = regions.find(str(value))
        return region.name_in(locale()) if region else value
    if kind is Kind.DATE:
        return _date(value)
    number = decimal_of(value) if kind not in (Kind.TEXT, Kind.LONG, Kind.OKPD2, Kind.TN_VED) else None
    if number is None:
        return Markup("<br>").join(str(value).split("\n"))
    if kind in (Kind.MONEY, Kind.SIGNED_MONEY):
        return format_money(number, locale())
    if kind in (Kind.PERCENT, Kind.SIGNED_PERCENT):
        return format_percent(number, locale())
    return format_number(number, locale())


def shown_at(path: str, value: Any, rules: RuleSet) -> Any:
    """The value at a path of a package (see ``submissions/changes.py``) as the reader expects it; None: nothing."""
    place = place_of(path)
    if place.section == "documents":
        return Markup("<br>").join(_paper(item) for item in value or ()) or None
    section = BY_NAME.get(place.section)
    if section is None:
        return _shown(Kind.YES_NO if isinstance(value, bool) else Kind.LONG, value)
    kinds = dict(section.keys(rules))
    kind = kinds.get(place.key, kinds.get(path.removeprefix(section.prefix(place.participant_id)), Kind.LONG))
    question = rules.question(place.key)
    if question is not None and kind is Kind.CHOICE:
        return chosen(question, value)
    if kind is Kind.NUMBER and decimal_of(value) is not None:
        return _figure(kind, decimal_of(value))
    return _shown(Kind.YES_NO if kind is Kind.FLAG else kind, value)


def _paper(item: list[Any]) -> Markup:
    """A file of the comparison: its name and the beginning of its SHA-256."""
    name, sha256, issued_on = item
    dated = Markup(", {}").format(_date(issued_on)) if issued_on else ""
    return Markup('{}{} <code class="jp-code">{}…</code>').format(name, dated, str(sha256)[:12])
