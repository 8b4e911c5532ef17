"""The sentences of an allocation, by code: a result keeps codes and figures, never sentences. Decision 17."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from portal.awards.allocation.problem import PROJECTS, Outcome, Policy
from portal.core.figures import number, roubles
from portal.core.language import N_, Message

POLICY_NAMES: Final[Mapping[Policy, Message]] = {
    Policy.STRICT: N_("Rank order, stopping at the first that does not fit"),
    Policy.SKIPPING: N_("Rank order, passing over what does not fit"),
    Policy.PARTIAL: N_("Rank order with partial funding"),
    Policy.BEST_TOTAL: N_("Best total of points"),
}

Values = Mapping[str, Any]


def told(outcome: Outcome, limits: Mapping[str, Message] | None = None) -> Message:
    """Why a project is in or out. ``limits``: the names of the limits by code; without one the code is said."""
    return _WORDING[outcome.code](outcome.values, limits or {})


def amount_of(values: Values) -> object:
    """The bound of a limit as it is said: so many projects, or so many roubles."""
    most = Decimal(values["most"])
    return number(most) if values["unit"] == PROJECTS else roubles(most)


def _name(values: Values, limits: Mapping[str, Message]) -> object:
    return limits.get(values["limit"], values["limit"])


def _whole(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_("Place %(place)s: the whole request fits into the budget of every year.", place=values["place"])


def _part(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_(
        "Place %(place)s: gets the part that the money is left for, with the consent of its initiator.",
        place=values["place"],
    )


def _after(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_("After %(other)s, which did not fit into the budget: reserve list.", other=values["other"])


def _year(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_(
        "In %(year)s it asks for %(asked)s, but %(left)s is left: reserve list.",
        year=values["year"],
        asked=roubles(Decimal(values["asked"])),
        left=roubles(Decimal(values["left"])),
    )


def _limit(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_(
        "Passed over by the limit “%(limit)s”: no more than %(most)s.",
        limit=_name(values, limits),
        most=amount_of(values),
    )


def _never(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_(
        "Would not fit even alone: in %(year)s it asks for %(asked)s, and the envelope has %(envelope)s.",
        year=values["year"],
        asked=roubles(Decimal(values["asked"])),
        envelope=roubles(Decimal(values["envelope"])),
    )


def _never_limit(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_(
        "Would break the limit “%(limit)s” even alone: no more than %(most)s.",
        limit=_name(values, limits),
        most=amount_of(values),
    )


def _needed(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_(
        "In, at place %(place)s: without it the best total would be at least %(points)s points lower.",
        place=values["place"],
        points=number(Decimal(values["points"])),
    )


def _chosen(values: Values, limits: Mapping[str, Message]) -> Message:
    return N_("In, at place %(place)s: it belongs to the set with the best total.", place=values["place"])


def _costs(values: Values, limits: Mapping[str, Message]) -> Message:
    price = _price(values)
    if "year" in values:
        return N_(
            "Out although it ranks %(place)s: in %(year)s it asks for %(asked)s, %(left)s is left, and %(price)s",
            place=values["place"],
            year=values["year"],
            asked=roubles(Decimal(values["asked"])),
            left=roubles(Decimal(values["left"])),
            price=price,
        )
    if "limit" in values:
        return N_(
            "Out although it ranks %(place)s: the limit “%(limit)s” allows no more than %(most)s, and %(price)s",
            place=values["place"],
            limit=_name(values, limits),
            most=amount_of(values),
            price=price,
        )
    return N_("Out although it ranks %(place)s: %(price)s", place=values["place"], price=price)


def _price(values: Values) -> Message:
    least, most = Decimal(values["cost"]), values.get("cost_most")
    if most is not None and Decimal(most) == least:
        if not least:
            return N_("another set without it has the same total; the better ranked set was taken.")
        return N_("taking it would cost %(points)s points elsewhere.", points=number(least))
    if most is None:
        if not least:
            return N_("taking it would not bring a better total.")
        return N_("taking it would cost at least %(points)s points elsewhere.", points=number(least))
    return N_(
        "taking it would cost between %(least)s and %(most)s points elsewhere.",
        least=number(least),
        most=number(Decimal(most)),
    )


_WORDING: Final[Mapping[str, Callable[[Values, Mapping[str, Message]], Message]]] = {
    "whole": _whole,
    "part": _part,
    "after": _after,
    "year": _year,
    "limit": _limit,
    "never": _never,
    "never_limit": _never_limit,
    "needed": _needed,
    "chosen": _chosen,
    "costs": _costs,
}
