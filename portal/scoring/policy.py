"""Who may start scoring and read scores: the fund's people who decide, never reviewers, never applicants.

Who may read scores may have them computed again, which writes nothing but the answer; trying other rules is for
those who prepare them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import FUND, HIDDEN, YES, Actor, Decision, Permission, by_role, no, rule

rule(Permission.SCORE_RUN)(by_role(Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR))
rule(Permission.SCORE_CHECK)(by_role(Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR))
rule(Permission.SCORE_DRY_RUN)(by_role(Role.OFFICER, Role.ADMINISTRATOR))
rule(Permission.DRAW_HOLD)(by_role(Role.OFFICER))
rule(Permission.SCORE_VIEW)(
    by_role(Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.ADMINISTRATOR, Role.AUDITOR, Role.DIRECTOR, Role.FINANCE)
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A track's evaluation as its reader is placed to it: takes part in it, or still has a review to hand in."""

    tied: bool = False
    reviewing: bool = False


EVALUATORS: Final = (Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR)


@rule(Permission.EVALUATION_VIEW)
def _evaluation(actor: Actor, held: Evaluated | None) -> Decision:
    """Never a reviewer's business, whatever other roles they have, until their own reviews are in."""
    if not actor.has(*EVALUATORS):
        return no(N_("Your role does not include this.")) if actor.has(*FUND) else HIDDEN
    if held is not None and held.tied:
        return no(N_("You belong to an organisation that takes part in a project of this track."))
    if held is not None and held.reviewing:
        return no(N_("You review in this track: the evaluation opens to you when your reviews are handed in."))
    return YES
