"""The staff list of applications: one statement of plain columns, rows of plain texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, Row, Select, and_, func, literal_column, or_, select, union_all
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.clusters.models import Cluster
from portal.core.clock import MOSCOW
from portal.core.formats import NBSP
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize
from portal.scoring.models import Score
from portal.tenders.models import Tender, Track
from portal.web.paging import Page, keyset

MAX_WORDS: Final = 100
_APPLICATION: Final = Application.metadata.tables["application"].c
_ORGANISATION: Final = Organisation.metadata.tables["organisation"].c
_SCORE: Final = Score.metadata.tables["score"].c
_TENDER: Final = Tender.metadata.tables["tender"].c
_CLUSTER: Final = Cluster.metadata.tables["cluster"].c
ORDER: Final = (_APPLICATION.received_at, _APPLICATION.id)


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
            (_APPLICATION.tender_id, self.tender_id),
            (_APPLICATION.track, self.track),
            (_APPLICATION.state, self.state),
            (_APPLICATION.cluster_id, self.cluster_id),
        ):
            if wanted:
                held.append(column == wanted)
        if self.words:
            start = self.words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            held.append(
                or_(
                    _APPLICATION.number.like(start.upper()),
                    func.lower(_APPLICATION.title_ru).like(start.lower()),
                    func.lower(_APPLICATION.title_en).like(start.lower()),
                )
            )
        return held


def listed(session: Session, actor: Actor, filters: Filters, cursor: str | None, locale: str) -> Page[Row[Any]]:
    """One page, newest first, in one statement: id, received_at, number, title, initiator, track,
    requested_total, state, score, objective. Titles and names in ``locale`` where they exist."""
    authorize(actor, Permission.APPLICATION_LIST_ALL)
    statement = _columns(locale).where(*filters.conditions())
    return keyset(session, statement, ORDER, lambda row: (row.received_at, row.id), cursor)


@lru_cache(maxsize=2)
def _columns(locale: str) -> Select[Any]:
    """Every submitted application, which is what a reader of the whole list may read, with plain columns."""
    score = and_(_SCORE.submission_id == _APPLICATION.submission_id, _SCORE.current)
    return (
        select(
            _APPLICATION.id,
            _APPLICATION.received_at,
            _APPLICATION.number,
            _in(locale, _APPLICATION.title_ru, _APPLICATION.title_en).label("title"),
            _in(locale, _ORGANISATION.name_ru, _ORGANISATION.name_en).label("initiator"),
            _APPLICATION.track,
            _APPLICATION.requested_total,
            _APPLICATION.state,
            _SCORE.total.label("score"),
            _SCORE.objective,
        )
        .join_from(Application.__table__, Organisation.__table__, _ORGANISATION.id == _APPLICATION.initiator_id)
        .outerjoin(Score.__table__, score)
        .where(_APPLICATION.submission_id.is_not(None), _APPLICATION.received_at.is_not(None), ~_APPLICATION.sealed)
    )


def _in(locale: str, russian: Any, english: Any) -> ColumnElement[str]:
    wanted, other = (russian, english) if locale == "ru" else (english, russian)
    return func.coalesce(func.nullif(wanted, ""), other)


def choices(session: Session, locale: str) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Published tenders, newest first, and clusters by name, as (id, label); one statement. Both are public."""
    rows = session.execute(_choices(locale)).all()
    return [row for row in rows if row.kind == "tender"], [row for row in rows if row.kind == "cluster"]


@lru_cache(maxsize=2)
def _choices(locale: str) -> Select[Any]:
    name = _in(locale, _CLUSTER.name_ru, _CLUSTER.name_en)
    both = union_all(
        select(
            literal_column("'tender'").label("kind"),
            _TENDER.id,
            _in(locale, _TENDER.title_ru, _TENDER.title_en).label("label"),
            func.to_char(9999 - _TENDER.year, "0000").label("place"),
        ).where(_TENDER.published_at.is_not(None)),
        select(literal_column("'cluster'"), _CLUSTER.id, name, func.replace(func.lower(name), "ё", "е")),
    ).subquery()
    return select(both.c.kind, both.c.id, both.c.label).order_by(both.c.kind, both.c.place, both.c.id)


class Line(NamedTuple):
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
    State.RENOUNCED: "grey",
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
        State.RENOUNCED: _("Refused by the initiator"),
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
