"""What differs between two versions of an application, as lines for reading; for applicants and officers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.applications.following.corrections import split
from portal.applications.models import CorrectionRequest
from portal.applications.submissions import changes
from portal.core.language import Message
from portal.tenders.ruleset import RuleSet
from portal.web.frozen import shown_at


@dataclass(frozen=True, slots=True)
class Line:
    """One field that differs. ``request`` asked for it, where something was asked for."""

    label: Message
    before: Any
    after: Any
    request: CorrectionRequest | None


def lines(
    before: Mapping[str, Any], after: Mapping[str, Any], rules: RuleSet, requests: Sequence[CorrectionRequest] = ()
) -> list[Line]:
    """The differences of two packages in the reader's language, in the order of the package."""
    names = {**_names(before), **_names(after)}
    return [
        Line(
            changes.label(change.path, rules, names),
            shown_at(change.path, change.before, rules),
            shown_at(change.path, change.after, rules),
            request,
        )
        for change, request in split(changes.compare(before, after), requests)
    ]


def _names(package: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        str(part.get("id")): {
            locale: str((part.get("organisation") or {}).get(f"name_{locale}") or "") for locale in ("ru", "en")
        }
        for part in package.get("participants") or ()
    }
