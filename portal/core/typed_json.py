"""Reading frozen dataclasses from JSON and writing them back, without loss and with all problems at once.

The shape is told by the annotations: str, int, bool, Decimal (a string or a whole number, never a float),
date (ISO), Enum, tuple[X, ...], tuple[X, Y], dict[str, X], X | None, and other dataclasses. In a union of
dataclasses each has a class attribute ``kind`` that is written beside its fields.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from portal.core.canonical import plain_decimal
from portal.core.errors import Problem
from portal.core.figures import decimal_of
from portal.core.language import N_, Message


class Unreadable(Exception):
    """Raised inside, after the problem has been noted, so that the rest can still be read."""


def write(value: object) -> Any:
    """The JSON of a dataclass or of anything it holds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data = {name: write(getattr(value, name)) for name in _fields(type(value))}
        kind = getattr(value, "kind", None)
        return {"kind": kind, **data} if kind is not None and "kind" not in data else data
    if isinstance(value, (tuple, list)):
        return [write(item) for item in value]
    if isinstance(value, Mapping):
        return {key: write(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def read(kind: Any, value: object, path: str, problems: list[Problem]) -> Any:
    """A value of type ``kind`` from JSON; every fault is appended to ``problems`` with its dotted path.

    Raises :class:`Unreadable` when no value could be made; ``problems`` then tells why.
    """
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path, problems)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), value, path, problems)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, path, problems)
    if origin is dict:
        return _read_dict(get_args(kind)[1], value, path, problems)
    return _read_scalar(kind, value, path, problems)


def _refuse(problems: list[Problem], code: str, path: str, message: Message) -> Unreadable:
    problems.append(Problem(code, path, message))
    return Unreadable(path)


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


@lru_cache(maxsize=256)
def _fields(cls: type) -> dict[str, tuple[Any, bool]]:
    """Name of each field to its type and whether it must be there."""
    hints = get_type_hints(cls)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
    }


def _read_dataclass(cls: Any, value: object, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping):
        raise _refuse(problems, "not_an_object", path, N_("This must be an object with named fields."))
    fields = _fields(cls)
    known = set(fields) | ({"kind"} if hasattr(cls, "kind") else set())
    for name in sorted(set(map(str, value)) - known):
        problems.append(Problem("unknown", _join(path, name), N_("This field is not known.")))
    found: dict[str, Any] = {}
    whole = True
    for name, (kind, needed) in fields.items():
        try:
            if name in value:
                found[name] = read(kind, value[name], _join(path, name), problems)
            elif needed:
                raise _refuse(problems, "required", _join(path, name), N_("This field is required."))
        except Unreadable:
            whole = False
    if not whole:
        raise Unreadable(path)
    return cls(**found)


def _read_union(kinds: tuple[Any, ...], value: object, path: str, problems: list[Problem]) -> Any:
    if value is None and type(None) in kinds:
        return None
    options = [kind for kind in kinds if kind is not type(None)]
    if len(options) == 1:
        return read(options[0], value, path, problems)
    named = {option.kind: option for option in options}
    name = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or name not in named:
        known = ", ".join(sorted(named))
        raise _refuse(
            problems,
            "unknown_kind",
            _join(path, "kind"),
            N_("The kind must be one of: %(known)s.", known=known),
        )
    return read(named[name], value, path, problems)


def _read_tuple(kinds: tuple[Any, ...], value: object, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _refuse(problems, "not_a_list", path, N_("This must be a list."))
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    elif len(kinds) != len(value):
        raise _refuse(problems, "wrong_length", path, N_("This list must have %(count)s entries.", count=len(kinds)))
    items: list[Any] = []
    for place, (kind, item) in enumerate(zip(kinds, value, strict=True)):
        try:
            items.append(read(kind, item, _join(path, place), problems))
        except Unreadable:
            continue
    if len(items) < len(value):
        raise Unreadable(path)
    return tuple(items)


def _read_dict(kind: Any, value: object, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping):
        raise _refuse(problems, "not_an_object", path, N_("This must be an object with named fields."))
    return {str(key): read(kind, item, _join(path, key), problems) for key, item in value.items()}


def _read_scalar(kind: Any, value: object, path: str, problems: list[Problem]) -> Any:
    if kind is str and isinstance(value, str):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is Decimal and (number := decimal_of(value)) is not None:
        return number
    if kind is date and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in kind)
            raise _refuse(
                problems, "not_allowed", path, N_("The value must be one of: %(known)s.", known=known)
            ) from None
    raise _refuse(problems, f"not_{_NAMES[kind]}", path, _REFUSALS[kind])


_NAMES: dict[Any, str] = {str: "text", bool: "flag", int: "whole_number", Decimal: "number", date: "date"}
_REFUSALS: dict[Any, Message] = {
    str: N_("This must be a text."),
    bool: N_("This must be true or false."),
    int: N_("This must be a whole number."),
    Decimal: N_("This must be a number, written as text."),
    date: N_("This must be a date such as 2018-08-31."),
}
