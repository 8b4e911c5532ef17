"""Navigation as data: where each kind of reader can go; an entry shows only to those who may open it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from flask import current_app, request, url_for
from flask_babel import lazy_gettext

from portal.identity.policy import FUND, Actor, Permission, allowed


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation; ``section`` are the blueprints in which it is marked as the present one."""

    label: Any
    endpoint: str
    permission: Permission
    section: str


PUBLIC: Final = (
    Entry(lazy_gettext("Tenders"), "public.home", Permission.PUBLIC, "public"),
    Entry(lazy_gettext("Clusters"), "clusters.register", Permission.PUBLIC, "clusters"),
    Entry(lazy_gettext("My applications"), "applications.index", Permission.APPLICATION_LIST_OWN, "applications"),
    Entry(lazy_gettext("Organisations"), "organisations.index", Permission.SIGNED_IN, "organisations"),
    Entry(lazy_gettext("Workspace"), "staff.home", Permission.STAFF_HOME, "staff"),
    Entry(lazy_gettext("Demo mail"), "mail.index", Permission.DEMO_MAIL, "mail"),
)
STAFF: Final = (
    Entry(lazy_gettext("Overview"), "staff.home", Permission.STAFF_HOME, "staff"),
    Entry(lazy_gettext("Applications"), "officer.index", Permission.APPLICATION_LIST_ALL, "officer"),
    Entry(lazy_gettext("My reviews"), "reviews.index", Permission.REVIEW_WRITE, "reviews"),
    Entry(lazy_gettext("Scores and ranking"), "scoring.index", Permission.SCORE_VIEW, "scoring"),
    Entry(lazy_gettext("Decisions"), "awards.index", Permission.AWARD_VIEW, "awards"),
    Entry(lazy_gettext("Budget"), "budget.index", Permission.BUDGET_VIEW, "budget"),
    Entry(lazy_gettext("Tenders and rules"), "tenders.index", Permission.TENDER_VIEW, "tenders"),
    Entry(lazy_gettext("Register of clusters"), "register.index", Permission.CLUSTER_IMPORT, "register"),
    Entry(lazy_gettext("People and roles"), "users.index", Permission.USER_MANAGE, "users"),
    Entry(lazy_gettext("Background work"), "jobs.index", Permission.JOBS_MANAGE, "jobs"),
    Entry(lazy_gettext("Audit trail"), "audit.index", Permission.AUDIT_READ, "audit"),
)

OPEN: Final = ("public", "clusters", "mail")


def navigation(actor: Actor) -> list[dict[str, Any]]:
    """The reader's entries: ``{label, href, current}``. Staff get the workspace's, others the public ones."""
    entries = STAFF if actor.has(*FUND) and request.blueprint not in OPEN else PUBLIC
    demo = current_app.extensions["portal"].demo
    return [
        {
            "label": str(entry.label),
            "href": _href(request.script_root, entry.endpoint),
            "current": request.blueprint == entry.section,
        }
        for entry in entries
        if entry.endpoint in current_app.view_functions
        and allowed(actor, entry.permission)
        and (actor.is_authenticated or entry.permission in (Permission.PUBLIC, Permission.DEMO_MAIL))
        and (demo or entry.permission is not Permission.DEMO_MAIL)
    ]


@lru_cache
def _href(script_root: str, endpoint: str) -> str:
    """The address of an endpoint without arguments: every page asks for the same dozen."""
    return url_for(endpoint)
