"""The inputs of what a rule set says of the commission: flat where the rules nest, empty where they ask for none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask_babel import lazy_gettext as _l

from portal.core.language import N_
from portal.core.typed_json import write
from portal.tenders.rulebook import load_commission
from portal.tenders.ruleset import Ballot, Office

VIEW: Final = "commission_view"
"""Where the flat values stand while the section is edited; never in a rule set."""
BALLOTS: Final = {Ballot.OPEN: N_("Open vote"), Ballot.CLOSED: N_("Secret ballot")}
OFFICES: Final = {
    Office.DIRECTOR: _l("Director of the department"),
    Office.CHAIR: _l("Chair of the commission"),
    Office.FINANCE: _l("Finance officer"),
}


def flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """The section's values, from the JSON of a rule set; what was typed wrongly is shown as it was typed.

    Where the rules ask for no commission, what the rulebook proposes.
    """
    on = isinstance(content.get("commission"), Mapping)
    held = content["commission"] if on else write(load_commission())
    parts, of = (*held["quorum"], None, None)[:2]
    above = {item["office"]: item["above"] for item in held["sign_offs"]}
    return {
        "on": on,
        "ballot": held["ballot"],
        "parts": parts,
        "of": of,
        **{str(office): above.get(office) for office in Office},
        "held": held["letters_held_minutes"],
        "appeal": held["appeal_days"],
    }


def nested(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON of the commission from the section's values; None where the rules ask for none."""
    if not values["on"]:
        return None
    signing = [(office, values[office]) for office in Office]
    return {
        "ballot": values["ballot"],
        "quorum": [values["parts"], values["of"]],
        "sign_offs": [{"office": str(office), "above": above} for office, above in signing if above is not None],
        "letters_held_minutes": values["held"],
        "appeal_days": values["appeal"],
    }
