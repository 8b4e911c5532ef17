"""The staff list of applications: one statement of plain columns, rows of plain texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.clusters.models import Cluster
from portal.core.clock import MOSCOW
from portal.core.formats import NBSP
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.scoring.models import Score
from portal.tenders.models import Tender, Track
from portal.web.paging import Page, keyset

MAX_WORDS: Final = 100
ORDER: Final[tuple[ColumnElement[Any], ...]] = (
    Application.received_at.expression,
    Application.id.expression,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the officer narrows the list by; ``words`` is the beginning of a number or of a title."""

    tender_id: UUID | None = None
    track: str = ""
    state: str = ""
    cluster_id: UUID | None = None
    words: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        held: list[ColumnElement[bool]] = []
        for column, wanted in (
            (Application.tender_id, self.tender_id),
            (Application.track, self.track),
            (Application.state, self.state),
            (Application.cluster_id, self.cluster_id),
        ):
            if wanted:
                held.append(column == wanted)
        if self.words:
            start = self.words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            held.append(
                or_(
                    Application.number.like(start.upper()),
                    Application.title_ru.ilike(start),
                    Application.title_en.ilike(start),
                )
            )
        return held


def listed(
    session: Session, actor: Actor, filters: Filters, cursor: str | None, locale: str
) -> Page[Row[*tuple[Any, ...]]]:
    """One page, newest first: id, number, title, initiator, track, requested_total, state, score, objective,
    received_at. One statement; titles in ``locale`` where they exist."""
    authorize(actor, Permission.APPLICATION_LIST_ALL)
    statement = (
        scope(actor, Application)
        .with_only_columns(
            Application.id,
            Application.received_at,
            Application.number,
            _in(locale, Application.title_ru, Application.title_en).label("title"),
            _in(locale, Organisation.name_ru, Organisation.name_en).label("initiator"),
            Application.track,
            Application.requested_total,
            Application.state,
            Score.total.label("score"),
            Score.objective,
        )
        .join(Organisation, Organisation.id == Application.initiator_id)
        .outerjoin(Score, and_(Score.submission_id == Application.submission_id, Score.current))
        .where(Application.received_at.is_not(None), *filters.conditions())
    )
    return keyset(session, cast("Select[Any]", statement), ORDER, lambda row: (row.received_at, row.id), cursor)


def _in(locale: str, russian: Any, english: Any) -> ColumnElement[str]:
    wanted, other = (russian, english) if locale == "ru" else (english, russian)
    return func.coalesce(func.nullif(wanted, ""), other)


def choices(session: Session, actor: Actor, locale: str) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Tenders, newest first, and clusters by name, as (id, label) for the filters; one statement."""
    tenders: Select[Any] = (
        scope(actor, Tender)
        .where(Tender.published_at.is_not(None))
        .with_only_columns(
            literal("tender").label("kind"),
            Tender.id,
            _in(locale, Tender.title_ru, Tender.title_en).label("label"),
            func.to_char(literal(9999) - Tender.year, "0000").label("place"),
        )
    )
    name = _in(locale, Cluster.name_ru, Cluster.name_en)
    used = select(Application.cluster_id).where(Application.submission_id.is_not(None))
    clusters = (
        scope(actor, Cluster)
        .where(Cluster.id.in_(used))
        .with_only_columns(literal("cluster"), Cluster.id, name, func.replace(func.lower(name), "ё", "е"))
    )
    rows = session.execute(union_all(tenders, clusters).order_by("kind", "place", "id")).all()
    return [row for row in rows if row.kind == "tender"], [row for row in rows if row.kind == "cluster"]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list as it is drawn: texts only."""

    id: str
    number: str
    title: str
    initiator: str
    track: str
    requested: str
    word: str
    colour: str
    score: str
    partial: bool
    day: str
    time: str


_COLOURS: Final = {
    State.SUBMITTED: "blue",
    State.WITHDRAWN: "grey",
    State.RETURNED: "yellow",
    State.REJECTED: "red",
    State.EXPERTISE: "blue",
    State.AWARDED: "green",
    State.RESERVE: "purple",
    State.DECLINED: "red",
}


def state_words() -> dict[str, str]:
    """The states an application may have once it was sent, in the reader's language."""
    return {
        State.SUBMITTED: _("Submitted"),
        State.EXPERTISE: _("In expertise"),
        State.RETURNED: _("Returned for rework"),
        State.REJECTED: _("Not admitted"),
        State.WITHDRAWN: _("Withdrawn"),
        State.AWARDED: _("Awarded"),
        State.RESERVE: _("Reserve list"),
        State.DECLINED: _("Not supported"),
    }


def track_words() -> dict[str, str]:
    return {Track.IMPORT_SUBSTITUTION: _("Import substitution"), Track.EXPORT: _("Export")}


def lines(rows: Any, locale: str, states: dict[str, str], tracks: dict[str, str]) -> list[Line]:
    """The rows with amounts, points and times written out; each word is looked up once for the page."""
    mark, gap = (",", NBSP) if locale == "ru" else (".", ",")
    made = []
    for key, received, number, title, initiator, track, requested, state, score, objective in rows:
        points = objective if score is None else score
        moment = received.astimezone(MOSCOW)
        made.append(
            Line(
                id=str(key),
                number=number,
                title=title,
                initiator=initiator,
                track=tracks[track],
                requested="—" if requested is None else _amount(requested, mark, gap),
                word=states.get(state, state),
                colour=_COLOURS.get(state, "grey"),
                score="—" if points is None else f"{points:.2f}".replace(".", mark),
                partial=score is None and points is not None,
                day=f"{moment:%d.%m.%Y}",
                time=f"{moment:%H:%M}",
            )
        )
    return made


def _amount(value: Any, mark: str, gap: str) -> str:
    """Whole roubles without kopecks where there are none: subsidies are asked in whole roubles."""
    whole = value == value.to_integral_value()
    text = f"{value:,.0f}" if whole else f"{value:,.2f}"
    return text.replace(",", "\0").replace(".", mark).replace("\0", gap)
