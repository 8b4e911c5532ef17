"""Who may start scoring and read scores: the fund's people who decide, never reviewers, never applicants.

Who may read scores may have them computed again, which writes nothing but the answer; trying other rules is for
those who prepare them.
"""

from __future__ import annotations

from portal.identity.models import Role
from portal.identity.policy import Permission, by_role, rule

rule(Permission.SCORE_RUN)(by_role(Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR))
rule(Permission.SCORE_CHECK)(by_role(Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR))
rule(Permission.SCORE_DRY_RUN)(by_role(Role.OFFICER, Role.ADMINISTRATOR))
rule(Permission.SCORE_VIEW)(by_role(Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.ADMINISTRATOR, Role.AUDITOR))
