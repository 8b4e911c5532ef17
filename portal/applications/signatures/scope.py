"""What a participant signs, and the manifest that lists it.

Pure. A signature binds what the whole project says, the signer's own part, and of every other partner what all
share: who takes part in which role, what each asks for, and the sums of the project (decision 6). The cost lines,
answers, papers and profile of another partner are that partner's own and bind only its own signature.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portal.applications.figures.facts import Facts, ParticipantFacts, facts
from portal.applications.submissions.changes import Change, differences, leaves, papers
from portal.core.canonical import canonical_json, digest
from portal.tenders.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Binding:
    """What a side would sign now: the parts, and the manifest that lists them."""

    scope: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest's canonical JSON: what is signed."""
        return digest(self.manifest)


FORMAT: Final = "joint-projects-portal/manifest/1"
_NOT_SIGNED: Final = frozenset(
    {"format", "signatures", "initiator_applications", "participants", "documents", "letter_of_fit"}
)
_IDENTITY: Final = ("id", "inn", "kpp", "ogrn", "name_ru")
_CALL: Final = ("id", "code")
_CLUSTER: Final = ("id", "name_ru")


def scope_of(
    package: Mapping[str, Any],
    rules: RuleSet,
    rules_digest: str,
    participant_id: str,
    seen: Collection[str],
    figures: Facts | None = None,
) -> dict[str, Any]:
    """The parts that bind the participant, by name, each plain JSON.

    ``seen`` are the ids of the participants whose figures the signer may see: of the others no totals are listed,
    because the digest of a number that can be guessed would tell it. ``figures``: the package's facts, where they are
    known already.
    """
    figures = figures or facts(package, rules)
    own = next(part for part in package["participants"] if part["id"] == participant_id)
    scope: dict[str, Any] = {
        "tender": {**_picked(package["tender"], _CALL), "track": package["track"]},
        "rules": {"version": rules.version, "sha256": rules_digest},
        "cluster": _picked(package["cluster"], _CLUSTER),
    }
    for name, content in package.items():
        if name not in _NOT_SIGNED and name not in ("tender", "track", "cluster"):
            scope[name] = content
    scope["participants"] = [_identity(part) for part in package["participants"]]
    scope["totals"] = _totals(figures)
    scope["own"] = {name: value for name, value in own.items() if name not in ("documents", "cluster_member")}
    for item in figures.participants:
        if item.id != participant_id:
            scope[f"partner:{item.id}"] = _face(item, item.id in seen)
    scope["documents"] = package["documents"]
    scope["own_documents"] = own["documents"]
    return _without_gaps(scope)


def letter_scope(package: Mapping[str, Any]) -> dict[str, Any]:
    """What the specialised organisation's letter of fit is about: the project, its product, its participants."""
    scope = {
        "tender": {**_picked(package["tender"], _CALL), "track": package["track"]},
        "cluster": _picked(package["cluster"], _CLUSTER),
        "project": _picked(package["project"], LETTER_FIELDS),
        "participants": [_identity(part) for part in package["participants"]],
    }
    return _without_gaps(scope)


def letter_binds(letter: Mapping[str, Any], package: Mapping[str, Any]) -> bool:
    """Whether a signed letter still says what the package says."""
    return digest(letter["scope"]) == digest({**letter_scope(package), "statement": letter["scope"]["statement"]})


LETTER_FIELDS: Final = ("name_ru", "name_en", "summary", "product_name", "okpd2", "tn_ved", "final_product")


def manifest(scope: Mapping[str, Any], application_id: object, organisation: Mapping[str, Any]) -> dict[str, Any]:
    """The SHA-256 of each part of a scope, of each document its own; small enough to be signed at home.

    ``organisation``: who signs, with ``name_ru`` and ``inn``.
    """
    listed = [
        {"part": name, "sha256": digest(content)}
        for name, content in scope.items()
        if name not in ("documents", "own_documents")
    ]
    return {
        "format": FORMAT,
        "application": str(application_id),
        "signs": _picked(organisation, ("inn", "name_ru")),
        "parts": listed,
        "documents": [
            {
                "of": whose,
                "code": item["code"],
                "name": item["name"],
                "issued_on": item.get("issued_on"),
                "sha256": item["sha256"],
            }
            for whose, name in (("project", "documents"), ("own", "own_documents"))
            for item in scope.get(name) or ()
        ],
    }


def manifest_bytes(content: Mapping[str, Any]) -> bytes:
    """The manifest as the file that is signed: canonical JSON, one line, no line end."""
    return canonical_json(content)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The fields in which two scopes of one signer differ; who came or went is one change."""
    found = differences(dict(_flat(before)), dict(_flat(after)))
    moved = {item.path.removeprefix("participants.") for item in found if item.path.startswith("participants.")}
    return [item for item in found if item.path.split(".")[:2] not in [["participant", key] for key in moved]]


def _flat(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    own = str((scope.get("own") or {}).get("id", ""))
    for name, content in scope.items():
        if name == "own":
            yield from leaves(f"participant.{own}", {key: value for key, value in content.items() if key != "id"})
        elif name == "own_documents":
            yield from papers(f"participant.{own}.documents", content)
        elif name == "documents":
            yield from papers("documents", content)
        elif name == "participants":
            for part in content:
                yield f"participants.{part['id']}", True
                yield from leaves(f"participant.{part['id']}", {name: part[name] for name in part if name != "id"})
        elif name.startswith("partner:"):
            yield from leaves(f"participant.{name.removeprefix('partner:')}.shared", content)
        else:
            yield from leaves(name, content)


def _identity(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": part["id"], "role": part["role"], "organisation": _picked(part["organisation"], _IDENTITY)}


def _totals(figures: Facts) -> dict[str, Any]:
    return {
        "costs_total": _sum(figures.costs_total),
        "eligible": _sum(figures.eligible),
        "subsidy": {year: _sum(amount) for year, amount in figures.subsidy_by_year.items()},
    }


def _face(item: ParticipantFacts, seen: bool) -> dict[str, Any]:
    face: dict[str, Any] = {"subsidy": {year: _sum(amount) for year, amount in item.subsidy_by_year.items()}}
    if seen:
        face |= {"costs_total": _sum(item.costs_total), "financing_total": _sum(item.financing_total)}
    return face


def _without_gaps(scope: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _bare(content) for name, content in scope.items()}


def _bare(content: Any) -> Any:
    """Without gaps: an empty field and a field that is not there are the same."""
    if not isinstance(content, Mapping):
        return [_bare(item) for item in content] if isinstance(content, list) else content
    kept = {name: _bare(value) for name, value in content.items()}
    return {name: value for name, value in kept.items() if value is not None and value != {}}


def _sum(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, ".2f")


def _picked(source: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: source.get(name) for name in names}
