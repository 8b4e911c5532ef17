"""What templates may use: filters for money, numbers and dates, the reader's language, rights, and navigation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, current_app, request, url_for

from portal.awards import grounds
from portal.core import formats
from portal.core.clock import MOSCOW
from portal.core.language import Message
from portal.identity.policy import Permission, allowed
from portal.tenders.joint_limits import limits_of as joint_limits_of
from portal.tenders.ruleset import Text
from portal.tenders.wording import limit_group
from portal.web.language import language_url, locale, say
from portal.web.page import current_actor, unread
from portal.web.static_files import version
from portal.web.status_words import status_pill


def _both(texts: Message | Text | Mapping[str, str]) -> str:
    """What is there in both languages, in that of the page."""
    if isinstance(texts, Message):
        return say(texts)
    if isinstance(texts, Text):
        return texts[locale()]
    return texts.get(locale()) or texts.get("ru") or ""


def init_templating(app: Flask) -> None:
    """Register filters and globals."""
    app.jinja_env.filters.update(
        money=lambda value: formats.format_money(value, locale()),
        amount=lambda value: formats.format_amount(value, locale()),
        money_short=lambda value: formats.format_money_short(value, locale()),
        number=lambda value: formats.format_number(value, locale()),
        percent=lambda value: formats.format_percent(value, locale()),
        date=_date,
        datetime=instant,
        say=say,
        localised=localised,
        both=_both,
    )
    app.jinja_env.globals.update(
        example_day=formats.EXAMPLE_DAY,
        zip=zip,
        Permission=Permission,
        localised=localised,
        language_url=language_url,
        say=say,
        grounds_told=grounds.told,
        joint_limits_of=joint_limits_of,
        limit_group=limit_group,
        can=can,
        asset=asset,
        href=href,
        status_pill=status_pill,
        corrections_here=_corrections_here,
        corrections_read=_corrections_read,
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_context)


@lru_cache
def _asset(script_root: str, filename: str) -> str:
    folder = Path(current_app.static_folder or "")
    if not (folder / filename).is_file():
        raise FileNotFoundError(filename)
    return url_for("static", filename=f"{version(folder)}/{filename}")


def asset(filename: str) -> str:
    """The address of a file of ours; it changes with the program, so that browsers may keep it for a year."""
    return _asset(request.script_root, filename)


@lru_cache
def _href(script_root: str, endpoint: str) -> str:
    return url_for(endpoint)


def href(endpoint: str) -> str:
    """The address of an endpoint without arguments: every page asks for the same dozen."""
    return _href(request.script_root, endpoint)


def can(permission: Permission, obj: Any = None) -> bool:
    """Whether the reader may; the same predicate guards the verb."""
    return allowed(current_actor(), permission, obj)


def localised(obj: Any, field: str) -> str:
    """``field_ru`` or ``field_en`` of an object or mapping; the other language where this one is empty."""
    wanted, other = (f"{field}_{locale()}", f"{field}_{'en' if locale() == 'ru' else 'ru'}")
    get = obj.get if isinstance(obj, dict) else lambda name: getattr(obj, name)
    return str(get(wanted) or get(other) or "")


def _date(value: date | str | None) -> str:
    """A day; of an instant the one in Moscow."""
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        value = value.astimezone(MOSCOW).date()
    return formats.format_date(date.fromisoformat(value) if isinstance(value, str) else value, locale())


def instant(value: datetime | None, zone: str | None = None) -> str:
    """An instant in a zone, Moscow's if none is given; "" for none."""
    if value is None:
        return ""
    return formats.format_datetime(value, ZoneInfo(zone) if zone else MOSCOW, locale())


def _corrections_here() -> Any:
    from portal.web.application_following import corrections_here

    return corrections_here()


def _corrections_read() -> Any:
    from portal.web.application_following import corrections_read

    return corrections_read()


def _context() -> dict[str, Any]:
    from portal.web.acting import acting_words
    from portal.web.nav import navigation

    actor = current_actor()
    return {
        "locale": locale(),
        "actor": actor,
        "nav": navigation(actor),
        "organisation_name": acting_words(actor),
        "home_url": href("public.home"),
        "unread": unread(),
    }
