"""An adopted scenario on paper: the addendum that the decision cites, as PDF in the reader's language."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.awards.scenarios.changes import Changes, Place, read_changes, read_result
from portal.awards.scenarios.models import Scenario
from portal.awards.scenarios.queries import Standing, room, scenario_of, standing
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.formats import format_datetime, format_money, format_number
from portal.documents import pdf
from portal.identity.policy import Permission
from portal.scoring import evaluation
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web import scenario_picture as picture
from portal.web.files import disposition
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.templating import localised

pages = Blueprint("addendum_paper", __name__, url_prefix="/staff/scenarios")
DASH: Final = "—"


@page(pages, "/<uuid:scenario_id>/addendum.pdf", get=Permission.SCENARIO_VIEW)
def as_pdf(scenario_id: UUID) -> ResponseReturnValue:
    """The addendum as PDF; NotFound for a scenario that is not adopted."""
    current = session()
    scenario = scenario_of(current, g.actor, scenario_id)
    place = room(current, g.actor, scenario.tender_track_id, Permission.SCENARIO_VIEW)
    held = standing(current, place)
    if scenario.adopted_at is None or held is None:
        raise NotFound
    response = Response(pdf.render("addendum", paper_data(scenario, place, held)), mimetype="application/pdf")
    name = f"{place.code}-{place.track}-addendum-{scenario.addendum}.pdf"
    response.headers["Content-Disposition"] = disposition("attachment", name)
    return response


def paper_data(scenario: Scenario, place: evaluation.Place, held: Standing) -> dict[str, Any]:
    """What the paper says, as plain JSON in the present language: what was kept with the scenario, and names."""
    assert scenario.adopted_at is not None
    assert scenario.adopter is not None
    changes, result, zone = read_changes(scenario.changes), read_result(scenario.result), ZoneInfo(place.zone)
    adopted = scenario.adopted_at.astimezone(zone)
    return {
        "locale": locale(),
        "portal": _("Joint Projects Portal"),
        "title": _("Addendum %(number)s to the decision", number=scenario.addendum),
        "day": [adopted.year, adopted.month, adopted.day],
        "head": [
            [_("Tender"), localised(place, "tender")],
            [_("Track"), say(TRACK_NAMES[Track(place.track)])],
            [_("Scenario"), scenario.name],
            [_("Author"), scenario.author.full_name or scenario.author.email],
            [_("Adopted by"), scenario.adopter.full_name or scenario.adopter.email],
            [_("Adopted"), format_datetime(adopted, zone, locale())],
        ],
        "words_title": _("What the commission concludes from it"),
        "words": scenario.adoption,
        "effect": _(
            "An addendum changes no score, no weight, no money and no list. The next draft of the decision cites it."
        ),
        "changes_title": _("What it changes"),
        "changes_columns": [_("What is changed"), _("As it is"), _("Here")],
        "changes": [list(row) for row in picture.told(held.ground, changes)],
        "said": _said(changes) if changes != Changes() else [_("Nothing: this is the list as it is now.")],
        "list_title": _("The list that would follow"),
        "list_columns": [
            _("Place"),
            _("Application"),
            _("Project"),
            _("Total points"),
            _("Outcome"),
            _("Amount, all years"),
        ],
        "list": [_line(each, held) for each in result.places],
        "digests_title": _("Digests"),
        "digests": [
            [_("What it stands on (SHA-256)"), scenario.ground_digest],
            [_("What it changes (SHA-256)"), scenario.changes_digest],
            [_("The list that follows (SHA-256)"), scenario.result_digest],
        ],
    }


def _said(changes: Changes) -> list[str]:
    """Money, policy, limits and single scores that are supposed; what they are now may be something else since."""
    money = [
        _("Money for %(year)s: %(amount)s", year=year, amount=format_money(amount, locale()))
        for year, amount in sorted(changes.available.items())
    ]
    scores = [
        _(
            "%(number)s, %(criterion)s: %(points)s points. %(reason)s",
            number=number,
            criterion=code,
            points=format_number(each.points, locale()),
            reason=each.reason,
        )
        for number, held in changes.scores.items()
        for code, each in held.items()
    ]
    return [*money, *picture.limits_told(changes), *scores]


def _line(place: Place, held: Standing) -> list[str]:
    named = held.names.get(place.number)
    total = sum(place.amounts.values(), Decimal(0))
    return [
        str(place.place),
        place.number,
        localised(named, "title") if named is not None else DASH,
        DASH if place.total is None else format_number(place.total, locale()),
        picture.outcome_name(place.outcome),
        format_money(total, locale()) if total else DASH,
    ]
