"""Navigation as data: where each kind of reader can go; an entry shows only to those who may open it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import current_app, request

from portal.core.language import N_, Message, render
from portal.identity.policy import FUND, Actor, Permission, allowed
from portal.web.language import locale
from portal.web.page import unread, waiting
from portal.web.templating import href


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation; ``section``: the blueprints, by blanks, in which it is marked as the present one.

    ``unread_of``: the kind of notices whose unread ones are counted beside it.
    """

    label: Message
    endpoint: str
    permission: Permission
    section: str
    unread_of: str = ""
    """The kind of notices whose unread ones stand beside the link."""


CLUSTERS: Final = "clusters cluster_map cluster_imports cluster_profile cluster_roadmap board spec_org spec_org_letters"
PUBLIC: Final = (
    Entry(N_("Tenders"), "public.home", Permission.PUBLIC, "public"),
    Entry(N_("Calendar"), "calendar.index", Permission.PUBLIC, "calendar"),
    Entry(N_("Clusters"), "clusters.register", Permission.PUBLIC, CLUSTERS),
    Entry(N_("Calculator"), "calculator.show", Permission.PUBLIC, "calculator"),
    Entry(
        N_("My applications"),
        "applications.index",
        Permission.APPLICATION_LIST_OWN,
        "applications own_agreement offers",
    ),
    Entry(N_("Organisations"), "organisations.index", Permission.SIGNED_IN, "organisations"),
    Entry(N_("Workspace"), "staff.home", Permission.STAFF_HOME, "staff"),
    Entry(N_("Demo mail"), "mail.index", Permission.DEMO_MAIL, "mail"),
)
STAFF: Final = (
    Entry(N_("Overview"), "staff.home", Permission.STAFF_HOME, "staff"),
    Entry(N_("Applications"), "officer.index", Permission.APPLICATION_LIST_ALL, "officer"),
    Entry(N_("Messages"), "staff_messages.index", Permission.MESSAGE_LIST, "staff_messages", unread_of="message"),
    Entry(N_("Questions"), "question_inbox.index", Permission.QUESTION_VIEW, "question_inbox"),
    Entry(N_("Similar projects"), "similar.index", Permission.REVIEW_SIMILAR_VIEW, "similar"),
    Entry(N_("Reviewers"), "assignment.index", Permission.REVIEW_POOL_VIEW, "assignment reviewer_pool"),
    Entry(N_("Conflicts of interest"), "conflicts.index", Permission.CONFLICT_VIEW, "conflicts"),
    Entry(N_("My reviews"), "reviews.index", Permission.REVIEW_WRITE, "reviews"),
    Entry(N_("My ties"), "ties.index", Permission.TIE_DECLARE, "ties"),
    Entry(N_("Scores and ranking"), "scoring.index", Permission.SCORE_VIEW, "scoring evaluation draws"),
    Entry(
        N_("Decisions"),
        "awards.index",
        Permission.AWARD_VIEW,
        "awards award_changes allocations scenarios scenario_chances",
    ),
    Entry(N_("Appeals"), "award_appeals.index", Permission.APPEAL_VIEW, "award_appeals"),
    Entry(N_("Agreements"), "agreements.index", Permission.AGREEMENT_VIEW, "agreements agreement_payments"),
    Entry(N_("Meetings"), "meetings.index", Permission.MEETING_VIEW, "meetings meeting_paper"),
    Entry(
        N_("Budget"),
        "budget.index",
        Permission.BUDGET_VIEW,
        "budget budget_orders budget_room budget_statement treasury",
    ),
    Entry(N_("Tenders and rules"), "tenders.index", Permission.TENDER_VIEW, "tenders"),
    Entry(N_("Register of clusters"), "register.index", Permission.CLUSTER_IMPORT, "register"),
    Entry(N_("People and roles"), "users.index", Permission.USER_MANAGE, "users"),
    Entry(N_("Background work"), "jobs.index", Permission.JOBS_MANAGE, "jobs"),
    Entry(N_("Audit trail"), "audit.index", Permission.AUDIT_READ, "audit"),
)

OPEN: Final = ("public", "amendments", "calendar", "tender_questions", *CLUSTERS.split(), "calculator", "mail")


def navigation(actor: Actor) -> list[dict[str, Any]]:
    """The reader's entries: ``{label, href, current, badge}``. Staff get the workspace's, others the public ones."""
    entries = STAFF if actor.has(*FUND) and request.blueprint not in OPEN else PUBLIC
    waits = waiting()
    demo, reading = current_app.extensions["portal"].demo, locale()
    views, here = current_app.view_functions, request.blueprint
    return [
        {
            "label": render(entry.label, reading),
            "href": href(entry.endpoint),
            "current": here in entry.section.split(),
            "badge": unread(entry.unread_of) if entry.unread_of else waits.get(entry.endpoint, 0),
        }
        for entry in entries
        if entry.endpoint in views
        and allowed(actor, entry.permission)
        and (actor.is_authenticated or entry.permission in (Permission.PUBLIC, Permission.DEMO_MAIL))
        and (demo or entry.permission is not Permission.DEMO_MAIL)
    ]
