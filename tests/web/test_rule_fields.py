"""What the editor of rules makes of its inputs. No database."""

from __future__ import annotations

import pytest

from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import Tie, TieEffect, TieRuling, from_json, to_json
from portal.web.rule_fields import SECTIONS
from portal.web.rule_input import at, read_section, shown


def procedure(**more: str) -> dict[str, str]:
    """The form of the section as it is shown for the official rules."""
    content = to_json(load_rulebook("export"))
    form = {column.input: shown(at(content, column.name)) for column in SECTIONS["procedure"].scalars}
    form |= {"confidential_parts": "", "expert_mean": "raw", "blindness": "open"}
    form |= {f"tie_rules-{place}": tie for place, tie in enumerate(content["tie_rules"])}
    return {**form, **more}


@pytest.mark.parametrize(
    ("typed", "rulings"),
    [
        ({"conflict_ties-0-tie": "", "conflict_ties-0-effect": "bars"}, ()),
        (
            {"conflict_ties-0-tie": "cluster", "conflict_ties-0-effect": "none"},
            (TieRuling(Tie.CLUSTER, TieEffect.NONE),),
        ),
        (
            {
                "conflict_ties-0-tie": "cluster",
                "conflict_ties-0-effect": "none",
                "conflict_ties-0-remove": "y",
                "conflict_ties-1-tie": "supply",
                "conflict_ties-1-effect": "decided",
            },
            (TieRuling(Tie.SUPPLY, TieEffect.DECIDED),),
        ),
    ],
)
def test_ties_of_reviewers(typed: dict[str, str], rulings: tuple[TieRuling, ...]) -> None:
    content = to_json(load_rulebook("export"))
    rules = from_json(read_section("procedure", procedure(**typed), content))
    assert rules.conflict_ties == rulings
    assert ("conflict_ties" in to_json(rules)) is bool(rulings)
