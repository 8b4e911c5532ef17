"""Who tries scenarios: the commission and those who prepare its decision; nobody with an interest in the track.

A scenario is its author's own until it is shared. The object of the rules is a :class:`Placed`: how the reader is
placed to the track, and the scenario where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, false, or_, select

from portal.awards.scenarios.models import Scenario
from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import FUND, HIDDEN, YES, Actor, Decision, Permission, no, rule, scope_of

EDITORS: Final = (Role.CHAIR, Role.COMMISSION, Role.OFFICER)
VIEWERS: Final = (*EDITORS, Role.AUDITOR)
_OTHER_ROLE: Final = N_("Your role does not include this.")


@dataclass(frozen=True, slots=True)
class Placed:
    """How a reader is placed to a track: takes part in it, still reviews in it, or has a conflict of interest there."""

    tied: bool = False
    reviewing: bool = False
    barred: bool = False
    scenario: Scenario | None = None


def _placed(actor: Actor, obj: Placed | None) -> Decision:
    if obj is None:
        return YES
    if obj.tied:
        return no(N_("You belong to an organisation that takes part in a project of this track."))
    if obj.reviewing:
        return no(N_("You review in this track: its scenarios open to you when your reviews are handed in."))
    if obj.barred:
        return no(N_("You have a conflict of interest with a project of this track, so its scenarios are not for you."))
    held = obj.scenario
    if held is not None and held.shared_at is None and held.author_id != actor.user_id:
        return HIDDEN
    return YES


@rule(Permission.SCENARIO_VIEW)
def _view(actor: Actor, obj: Placed | None) -> Decision:
    if not actor.has(*VIEWERS):
        return no(_OTHER_ROLE) if actor.has(*FUND) else HIDDEN
    return _placed(actor, obj)


@rule(Permission.SCENARIO_EDIT)
def _edit(actor: Actor, obj: Placed | None) -> Decision:
    if not actor.has(*EDITORS):
        return no(_OTHER_ROLE) if actor.has(*FUND) else HIDDEN
    placed = _placed(actor, obj)
    if placed and obj is not None and obj.scenario is not None and obj.scenario.author_id != actor.user_id:
        return no(N_("Only its author changes a scenario. Make a copy and change that."))
    return placed


@rule(Permission.SCENARIO_ADOPT)
def _adopt(actor: Actor, obj: Placed | None) -> Decision:
    if not actor.has(Role.CHAIR):
        return no(_OTHER_ROLE) if actor.has(*FUND) else HIDDEN
    return _placed(actor, obj)


@scope_of(Scenario)
def _scenarios(actor: Actor) -> Select[Any]:
    live = select(Scenario).where(Scenario.discarded_at.is_(None))
    if actor.system:
        return live
    if not actor.has(*VIEWERS):
        return live.where(false())
    return live.where(or_(Scenario.shared_at.is_not(None), Scenario.author_id == actor.user_id))
