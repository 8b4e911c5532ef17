"""The functional map of a cluster, its requirements and yearly figures; for its keepers, entering them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField, StringField

from portal.applications.partners import prospects
from portal.clusters import columns, cooperation, functional_map, profile_queries, queries
from portal.clusters.models import ClusterMember
from portal.clusters.profile_queries import Ledger, MapLine
from portal.clusters.requirements import Edition, check, edition_on, editions
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.core.figures import two_places
from portal.identity.models import Organisation
from portal.identity.policy import Permission, allowed, authorize, find
from portal.web.cluster_frame import frame, opened, organisation_name
from portal.web.forms import ActionForm, PortalForm, as_choices
from portal.web.language import locale
from portal.web.map_picture import Flow, Member, draw
from portal.web.page import page
from portal.web.register import as_table
from portal.web.templating import localised

pages = Blueprint("cluster_map", __name__, url_prefix="/clusters/<uuid:cluster_id>")

MOST_DRAWN: Final = 200
MILLION: Final = Decimal(1_000_000)


class SupplyForm(PortalForm):
    """A line of the functional map as texts."""

    supplier_id = SelectField(_l("Supplier"), validate_choice=False)
    buyer_id = SelectField(_l("Buyer"), validate_choice=False)
    product_ru = StringField(_l("Product in Russian"))
    product_en = StringField(_l("Product in English"))
    okpd2 = StringField(_l("OKPD 2"), description=_l("For example 28.14.13"))
    year = StringField(_l("Year"), render_kw={"inputmode": "numeric"})
    volume = StringField(_l("Volume without VAT, roubles"), render_kw={"inputmode": "decimal"})


class FiguresForm(PortalForm):
    """A member's figures of a year as texts."""

    organisation_id = SelectField(_l("Member"), validate_choice=False)
    year = StringField(_l("Year"), render_kw={"inputmode": "numeric"})
    output = StringField(_l("Output without VAT, roubles"), render_kw={"inputmode": "decimal"})
    exports = StringField(_l("Of it exports, roubles"), render_kw={"inputmode": "decimal"})
    jobs = StringField(_l("Jobs"), render_kw={"inputmode": "numeric"})
    hp_jobs = StringField(_l("Of them high-productivity"), render_kw={"inputmode": "numeric"})
    value_added = StringField(
        _l("Value added, roubles"), render_kw={"inputmode": "decimal"}, description=_l("May be left empty")
    )


class RegionForm(PortalForm):
    """With what the members' productivity is compared."""

    year = StringField(_l("Year"), id="region-year", render_kw={"inputmode": "numeric"})
    productivity = StringField(
        _l("Productivity of the region's industry, roubles a person"), render_kw={"inputmode": "decimal"}
    )


class MarksForm(PortalForm):
    """What Decree 779 asks of single members."""

    final_producer = BooleanField(_l("It makes the cluster's final product"))
    special_territory = BooleanField(_l("It works in a special economic zone, a monotown or the like"))
    spic = BooleanField(_l("It is party to a special investment contract"))
    starting = BooleanField(_l("It has not begun to produce yet"))


@page(pages, "/map", get=Permission.PUBLIC)
def show(cluster_id: UUID) -> ResponseReturnValue:
    """Who supplies whom: the picture, and the table with volumes for those who may see them."""
    actor, cluster = opened(cluster_id)
    current = session()
    ledger = profile_queries.ledger(current, cluster)
    year = _year(ledger.years)
    lines = profile_queries.map_lines(current, ledger, year) if year else []
    sees = allowed(actor, Permission.CLUSTER_FIGURES, ledger.circle)
    figures = {row.year: row for row in profile_queries.open_sums(ledger.history())}
    return render_template(
        "cluster_map/show.html",
        **frame(actor, cluster, "map"),
        years=ledger.years,
        year=year,
        lines=lines,
        shares=_shares(ledger, year, lines) if sees and year else [],
        picture=_picture(ledger, lines, sees),
        sees=sees,
        drafts=[row for row in prospects.open_drafts(current, actor) if row.cluster_id == cluster_id] if sees else [],
        level=figures[year].level if year in figures else None,
        action=ActionForm(formdata=None),
    )


@page(pages, "/map/table.<extension>", get=Permission.CLUSTER_FIGURES)
def table(cluster_id: UUID, extension: str) -> ResponseReturnValue:
    """The functional map of a year as CSV or XLSX, with the columns of the import."""
    actor, cluster = opened(cluster_id)
    current = session()
    ledger = profile_queries.ledger(current, cluster)
    authorize(actor, Permission.CLUSTER_FIGURES, ledger.circle)
    year = _year(ledger.years)
    lines = profile_queries.map_lines(current, ledger, year) if year else []
    head = [column.name(locale()) for column in columns.SUPPLIES]
    rows = [
        [
            line.supplier.inn,
            line.supplier.kpp or "",
            line.buyer.inn,
            line.buyer.kpp or "",
            line.supply.okpd2,
            line.supply.product_ru,
            line.supply.product_en,
            str(line.supply.year),
            str(line.supply.volume),
        ]
        for line in lines
    ]
    return as_table([head, *rows], f"{cluster.code}-{year or ''}", extension)


@page(pages, "/map/supplies", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def enter(cluster_id: UUID) -> ResponseReturnValue:
    """Enter a line of the map, or change the one with the same parties, product and year."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form, status = SupplyForm(), 200
    members = _members(cluster_id)
    form.supplier_id.choices = form.buyer_id.choices = as_choices([("", _("Choose a member")), *members])
    if form.validate_on_submit():
        try:
            row = functional_map.enter_supply(
                session(),
                actor,
                cluster_id=cluster_id,
                supplier_id=_key(form.supplier_id.data),
                buyer_id=_key(form.buyer_id.data),
                values=_texts(form, ("okpd2", "product_ru", "product_en", "year", "volume")),
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The line is in the functional map."), "success")
            return redirect(url_for(".show", cluster_id=cluster_id, year=row.year), 303)
    elif form.is_submitted():
        status = 422
    return render_template("cluster_map/enter.html", form=form, **frame(actor, cluster, "map")), status


@page(pages, "/map/supplies/<uuid:supply_id>/remove", post=Permission.CLUSTER_KEEP)
def remove(cluster_id: UUID, supply_id: UUID) -> ResponseReturnValue:
    """Take a line out of the map."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    functional_map.remove_supply(session(), actor, cluster_id=cluster_id, supply_id=supply_id)
    flash(_("The line is taken out of the functional map."), "success")
    return redirect(url_for(".show", cluster_id=cluster_id), 303)


@page(pages, "/figures", get=Permission.PUBLIC)
def figures(cluster_id: UUID) -> ResponseReturnValue:
    """The requirements with value, limit and verdict; the history by year; for insiders each member's figures."""
    actor, cluster = opened(cluster_id)
    current = session()
    variables = frame(actor, cluster, "figures")
    ledger = profile_queries.ledger(current, cluster)
    history = ledger.history()
    shown = profile_queries.open_sums(history)
    edition = _edition(variables["today"])
    sees = allowed(actor, Permission.CLUSTER_FIGURES, ledger.circle)
    year = _year([row.year for row in reversed(history)])
    return render_template(
        "cluster_map/figures.html",
        **variables,
        edition=edition,
        editions=editions(),
        checks=check(profile_queries.case_of(current, ledger, shown, variables["today"]), edition),
        history=shown,
        charts=_charts(shown),
        sees=sees,
        year=year,
        years=[row.year for row in reversed(history)],
        rows=ledger.figures_of(year) if sees and year else [],
        members=ledger.confirmed if variables["keeps"] else [],
    )


@page(pages, "/figures/enter", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def enter_figures(cluster_id: UUID) -> ResponseReturnValue:
    """Enter or change a member's figures of a year."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form, status = FiguresForm(), 200
    form.organisation_id.choices = as_choices([("", _("Choose a member")), *_members(cluster_id)])
    names = ("year", "output", "exports", "jobs", "hp_jobs", "value_added")
    if form.validate_on_submit():
        try:
            row = functional_map.enter_figures(
                session(),
                actor,
                cluster_id=cluster_id,
                organisation_id=_key(form.organisation_id.data),
                values=_texts(form, names),
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The figures are saved."), "success")
            return redirect(url_for(".figures", cluster_id=cluster_id, year=row.year), 303)
    elif form.is_submitted():
        status = 422
    return render_template("cluster_map/enter_figures.html", form=form, **frame(actor, cluster, "figures")), status


@page(pages, "/figures/region", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def region(cluster_id: UUID) -> ResponseReturnValue:
    """Enter the productivity of the region's industry."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form, status = RegionForm(), 200
    if form.validate_on_submit():
        try:
            functional_map.enter_region(
                session(),
                actor,
                cluster_id=cluster_id,
                year=form.year.data or "",
                productivity=form.productivity.data or "",
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The figures are saved."), "success")
            return redirect(url_for(".figures", cluster_id=cluster_id), 303)
    elif form.is_submitted():
        status = 422
    return render_template("cluster_map/region.html", form=form, **frame(actor, cluster, "figures")), status


@page(pages, "/members/<uuid:member_id>/marks", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def marks(cluster_id: UUID, member_id: UUID) -> ResponseReturnValue:
    """Set the marks of a member that the requirements ask for."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    row = queries.with_names(session(), find(session(), actor, ClusterMember, member_id))
    if row.cluster_id != cluster_id:
        raise NotFound
    form = MarksForm(obj=row)
    if form.validate_on_submit():
        chosen = {field.name: bool(field.data) for field in form if isinstance(field, BooleanField)}
        functional_map.mark_member(session(), actor, member_id=member_id, marks=chosen)
        flash(_("The member's marks are saved."), "success")
        return redirect(url_for(".figures", cluster_id=cluster_id) + "#members", 303)
    return render_template("cluster_map/marks.html", form=form, member=row, **frame(actor, cluster, "figures"))


def _year(years: Sequence[int]) -> int | None:
    asked = request.args.get("year", "")
    if asked.isascii() and asked.isdigit() and int(asked) in years:
        return int(asked)
    return years[0] if years else None


def _edition(today: date) -> Edition:
    asked = request.args.get("edition", "")
    return next((row for row in editions() if row.since.isoformat() == asked), edition_on(today))


def _shares(ledger: Ledger, year: int, lines: Sequence[MapLine]) -> list[Decimal | None]:
    outputs = [cooperation.Output(row.organisation_id, row.output) for row in ledger.figures if row.year == year]
    found = cooperation.shares(
        outputs,
        [cooperation.Shipment(line.supply.supplier_id, line.supply.buyer_id, line.supply.volume) for line in lines],
    )
    return [two_places(share) if share is not None else None for share in found]


def _picture(ledger: Ledger, lines: Sequence[MapLine], sees: bool) -> Any:
    """The drawing of the map; those who may not see volumes get lines of one width."""
    final = {row.organisation_id for row in ledger.confirmed if row.final_producer}
    parties: dict[UUID, Organisation] = {}
    volumes: dict[tuple[UUID, UUID], Decimal] = {}
    for line in lines:
        parties |= {line.supplier.id: line.supplier, line.buyer.id: line.buyer}
        pair = (line.supplier.id, line.buyer.id)
        volumes[pair] = volumes.get(pair, Decimal(0)) + (line.supply.volume if sees else Decimal(1))
    largest = sorted(volumes.items(), key=lambda item: (-item[1], item[0][0].hex, item[0][1].hex))[:MOST_DRAWN]
    members = [
        Member(key, localised(row, "name"), key in final)
        for key, row in sorted(parties.items(), key=lambda item: (item[1].name_ru, item[0].hex))
    ]
    flows = [Flow(*pair, volume if sees else Decimal(1)) for pair, volume in largest]
    return draw(members, flows) if flows else None


def _charts(history: Sequence[cooperation.YearFigures]) -> list[dict[str, Any]]:
    """Groups for ``column_chart``: each chart has figures of one unit."""
    level = [(str(row.year), [row.level.percent or Decimal(0), row.hp_share or Decimal(0)]) for row in history]
    money = [(str(row.year), [row.output / MILLION, row.exports / MILLION]) for row in history]
    jobs = [(str(row.year), [Decimal(row.jobs), Decimal(row.hp_jobs)]) for row in history]
    lp = [(str(row.year), [(row.productivity or Decimal(0)) / 1000]) for row in history]
    return [
        _chart(
            _("Co-operation level and high-productivity jobs, percent"),
            level,
            (_("Co-operation level"), _("High-productivity jobs")),
        ),
        _chart(_("Output and exports, million roubles"), money, (_("Output"), _("Exports"))),
        _chart(_("Jobs"), jobs, (_("All jobs"), _("High-productivity jobs"))),
        _chart(_("Labour productivity, thousand roubles of value added a job"), lp, (_("Labour productivity"),)),
    ]


def _chart(caption: str, groups: list[tuple[str, list[Decimal]]], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "caption": caption,
        "groups": [{"label": label, "values": [two_places(value) for value in values]} for label, values in groups],
        "series": [{"label": name, "css": css} for name, css in zip(names, ("jp-fill-2", "jp-fill-4"), strict=False)],
    }


def _members(cluster_id: UUID) -> list[tuple[str, str]]:
    rows = queries.confirmed_members(session(), cluster_id)
    return [(str(row.organisation_id), organisation_name(row.organisation)) for row in rows]


def _texts(form: PortalForm, names: tuple[str, ...]) -> dict[str, str]:
    return {name: form[name].data or "" for name in names}


def _key(text: str | None) -> UUID:
    """The chosen key; one that nobody has for what is none, so that the verb says what is wrong."""
    try:
        return UUID(text or "")
    except ValueError:
        return UUID(int=0)
