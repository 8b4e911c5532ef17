"""Parts of the money within limits over both tracks: an answer on one track moves the list of the other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from portal.awards import service
from portal.awards.offers import service as offers
from portal.budget import queries as budget
from portal.core.errors import Conflict
from portal.tenders.models import Track
from tests.awards.test_joint import REGION, drafted
from tests.awards.test_offers import answered, listed
from tests.factories import awards
from tests.factories import tenders as tenders_factory
from tests.factories.awards import Stage, over_both, ruled

MONEY = {**REGION, "title": {"ru": "Средства региона", "en": "Money of a region"}, "most": "120", "unit": "roubles"}


@pytest.fixture
def pair(session: Session) -> tuple[Stage, Stage]:
    """Of 120 for the region 100 go to the first of each track; the second of export may have 20 of its 30 then, and
    the second of import substitution, which asks for 50, nothing that would be a part."""
    tender = tenders_factory.closed_tender(session, **over_both([MONEY]))
    awards.own_programme(session, tender)
    imports = awards.stage(session, [{2018: 60}, {2018: 50}], {2018: 90}, tender=tender)
    exports = awards.stage(session, [{2019: 40}, {2019: 30}], {2019: 90}, tender=tender, track=Track.EXPORT)
    for stage in (imports, exports):
        ruled(stage, allotment="partial", smallest_part="40")
    return imports, exports


def left(stage: Stage) -> dict[int, Decimal]:
    return budget.available(stage.session, stage.tender.programme_id, stage.track.track)


def test_after_a_yes_both_lists_take_effect_together(session: Session, pair: tuple[Stage, Stage]) -> None:
    imports, exports = pair
    first, second = drafted(imports), drafted(exports)
    assert listed(imports, first) == [("award", {2018: 60}), ("reserve", {})]
    assert listed(exports, second) == [("award", {2019: 40}), ("award", {2019: 20})]
    service.sign(session, imports.member, first.id)
    (offer,) = offers.send(session, exports.officer, second.id)
    assert offer.application_id == exports.applications[1]
    with pytest.raises(Conflict, match="to agree to a part"), session.begin_nested():
        service.sign(session, exports.member, second.id)
    assert (imports.states(), left(imports)) == (["expertise"] * 2, {2018: 90})
    answered(exports, agree=True)
    service.sign(session, exports.member, second.id)
    assert None not in (first.signed_at, second.signed_at)
    assert (imports.states(), exports.states()) == (["awarded", "reserve"], ["awarded", "awarded"])
    assert (left(imports), left(exports)) == ({2018: 30}, {2019: 30})
    service.publish(session, imports.chair, first.id)
    assert None not in (first.published_at, second.published_at)


def test_a_no_on_one_track_gives_a_part_to_the_other(session: Session, pair: tuple[Stage, Stage]) -> None:
    imports, exports = pair
    first, second = drafted(imports), drafted(exports)
    service.sign(session, imports.member, first.id)
    offers.send(session, exports.officer, second.id)
    answered(exports, agree=False)
    again = service.redraft(session, exports.chair, second.id)
    assert listed(exports, again) == [("award", {2019: 40}), ("reserve", {})]
    with (
        pytest.raises(Conflict, match="The list of the other track has to be drafted and signed anew first"),
        session.begin_nested(),
    ):
        service.sign(session, exports.member, again.id)
    anew = service.redraft(session, imports.chair, first.id)
    assert listed(imports, anew) == [("award", {2018: 60}), ("award", {2018: 20})]
    # What one list needs of its own initiators does not keep the other from its signatures, but from taking effect.
    service.sign(session, exports.member, again.id)
    assert (again.signed_at, exports.states()) == (None, ["expertise"] * 2)
    with pytest.raises(Conflict, match="ask its initiator first"), session.begin_nested():
        service.sign(session, imports.member, anew.id)
    offers.send(session, imports.officer, anew.id)
    answered(imports, agree=True)
    service.sign(session, imports.member, anew.id)
    assert (imports.states(), exports.states()) == (["awarded", "awarded"], ["awarded", "reserve"])
    assert (left(imports), left(exports)) == ({2018: 10}, {2019: 50})
