"""What a state is called and in which colour, for the pills of all pages.

``kind`` names the thing, because the same state reads differently for an application and for an invitation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from markupsafe import Markup

from portal.core.language import N_, Message, render
from portal.web.language import locale

WORDS: Final[Mapping[str, Mapping[str, tuple[Message, str]]]] = {
    "application": {
        "draft": (N_("Draft"), "grey"),
        "sealed": (N_("Sealed"), "purple"),
        "submitted": (N_("Submitted"), "blue"),
        "withdrawn": (N_("Withdrawn"), "grey"),
        "returned": (N_("Returned for rework"), "yellow"),
        "rejected": (N_("Not admitted"), "red"),
        "formal_check": (N_("In formal check"), "blue"),
        "expertise": (N_("In expertise"), "blue"),
        "commission": (N_("With the commission"), "purple"),
        "awarded": (N_("Awarded"), "green"),
        "reserve": (N_("Reserve list"), "purple"),
        "declined": (N_("Not supported"), "red"),
        "renounced": (N_("Refused by the initiator"), "grey"),
    },
    "participant": {
        "invited": (N_("Invited"), "yellow"),
        "accepted": (N_("Takes part"), "blue"),
        "declined": (N_("Declined the invitation"), "red"),
        "removed": (N_("Removed"), "grey"),
        "confirmed": (N_("Signed"), "green"),
        "outdated": (N_("Must sign again"), "yellow"),
    },
    "membership": {
        "requested": (N_("Awaits confirmation"), "yellow"),
        "confirmed": (N_("Cluster member"), "green"),
        "refused": (N_("Membership refused"), "red"),
        "left": (N_("Left the cluster"), "grey"),
    },
    "tender": {
        "draft": (N_("In preparation"), "grey"),
        "announced": (N_("Announced"), "purple"),
        "scheduled": (N_("Announced"), "purple"),
        "open": (N_("Applications are open"), "green"),
        "closed": (N_("Intake closed"), "blue"),
        "evaluation": (N_("Evaluation"), "blue"),
        "decided": (N_("Decided"), "green"),
        "finished": (N_("Completed"), "grey"),
        "cancelled": (N_("Cancelled"), "red"),
    },
    "check": {
        "admitted": (N_("Admitted"), "green"),
        "returned": (N_("Returned for rework"), "yellow"),
        "refused": (N_("Not admitted"), "red"),
    },
    "assignment": {
        "assigned": (N_("Assigned"), "yellow"),
        "conflict": (N_("Conflict of interest"), "red"),
        "open": (N_("In progress"), "blue"),
        "submitted": (N_("Review handed in"), "green"),
        "revoked": (N_("Assignment revoked"), "grey"),
    },
    "inquiry": {
        "asked": (N_("With the officer"), "yellow"),
        "passed": (N_("Asked of the participants"), "blue"),
        "declined": (N_("Not passed on"), "grey"),
        "answered": (N_("Answered"), "green"),
    },
    "award": {
        "award": (N_("To be awarded"), "green"),
        "reserve": (N_("Reserve list"), "purple"),
        "decline": (N_("Not to be supported"), "red"),
    },
    "agreement": {
        "draft": (N_("Draft"), "grey"),
        "signed": (N_("Signed"), "green"),
        "ended": (N_("Ended"), "blue"),
        "discarded": (N_("Discarded"), "grey"),
    },
    "tranche": {
        "open": (N_("Planned"), "blue"),
        "overdue": (N_("Overdue"), "red"),
        "paid": (N_("Paid"), "green"),
        "cancelled": (N_("Cancelled"), "grey"),
    },
    "budget_order": {
        "waiting": (N_("Waits for the second signature"), "yellow"),
        "signed": (N_("Signed and booked"), "green"),
        "discarded": (N_("Discarded"), "grey"),
    },
    "appeal": {
        "filed": (N_("Filed"), "yellow"),
        "admitted": (N_("Admitted"), "blue"),
        "inadmissible": (N_("Not admitted for examination"), "red"),
        "upheld": (N_("Upheld"), "green"),
        "dismissed": (N_("Dismissed"), "red"),
    },
    "offer": {
        "unsent": (N_("Not asked yet"), "grey"),
        "open": (N_("Waits for the answer"), "yellow"),
        "accepted": (N_("Agreed"), "green"),
        "refused": (N_("Not agreed"), "red"),
        "expired": (N_("Not answered in time"), "red"),
        "withdrawn": (N_("Offer withdrawn"), "grey"),
    },
    "meeting": {
        "planned": (N_("Planned"), "yellow"),
        "open": (N_("Going on"), "blue"),
        "closed": (N_("Held"), "green"),
    },
    "agenda": {
        "waiting": (N_("Not voted on yet"), "grey"),
        "voting": (N_("The vote is going on"), "blue"),
        "tied": (N_("The chair decides"), "yellow"),
        "adopted": (N_("Adopted"), "green"),
        "rejected": (N_("Not adopted"), "red"),
        "no_quorum": (N_("No quorum"), "red"),
        "withdrawn": (N_("Taken off the agenda"), "grey"),
    },
    "treasury": {
        "matched": (N_("Matches"), "blue"),
        "differing": (N_("Differs"), "yellow"),
        "unmatched": (N_("Matches nothing"), "red"),
        "booked": (N_("Booked"), "green"),
    },
    "task": {
        "done": (N_("Done"), "green"),
        "in_progress": (N_("In progress"), "blue"),
        "not_started": (N_("Not started"), "grey"),
        "error": (N_("Has errors"), "red"),
        "unavailable": (N_("Not available yet"), "grey"),
    },
    "job": {
        "queued": (N_("Queued"), "grey"),
        "waiting": (N_("Queued"), "grey"),
        "running": (N_("Running"), "blue"),
        "retrying": (N_("To be tried again"), "yellow"),
        "done": (N_("Finished"), "green"),
        "failed": (N_("Failed"), "red"),
        "parked": (N_("Stopped after errors"), "red"),
    },
    "paper": {
        "missing": (N_("Not given yet"), "grey"),
        "given": (N_("Attached"), "green"),
        "pending": (N_("Being checked"), "blue"),
        "expiring": (N_("Soon too old"), "yellow"),
        "undated": (N_("Date is missing"), "yellow"),
        "expired": (N_("Too old"), "red"),
        "refused": (N_("Refused"), "red"),
    },
    "scan": {
        "unscanned": (N_("Not scanned for viruses"), "grey"),
        "pending": (N_("Virus check is running"), "blue"),
        "clean": (N_("No viruses found"), "green"),
        "refused": (N_("Refused by the virus check"), "red"),
    },
    "answer": {
        "yes": (N_("Yes"), "green"),
        "no": (N_("No"), "red"),
        "met": (N_("Met"), "green"),
        "not_met": (N_("Not met"), "red"),
        "unknown": (N_("Not filled in yet"), "grey"),
    },
}


def status_pill(state: object, kind: str = "application", label: str = "") -> Markup:
    """The state as a coloured pill: its word carries the meaning, the colour helps. An unknown state shows itself."""
    return _pill(locale(), kind, str(state), str(label))


@lru_cache(2048)
def _pill(language: str, kind: str, state: str, label: str) -> Markup:
    word, colour = WORDS.get(kind, {}).get(state, (None, "grey"))
    said = label or (render(word, language) if word else state)
    return Markup('<strong class="govuk-tag govuk-tag--{}">{}</strong>').format(colour, said)
