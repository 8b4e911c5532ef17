"""The applicants' side: my applications, starting one, the overview of one, and its self-check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flask import flash, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.agreements.queries import on_application
from portal.applications import service
from portal.applications.figures.economics import economics
from portal.applications.figures.facts import facts
from portal.applications.following import track
from portal.applications.following.corrections import may_answer, requests_of
from portal.applications.following.dossier import Dossier
from portal.applications.models import Application, CorrectionRequest, ParticipantRole, State
from portal.applications.queries import (
    initiator_applications,
    open_tracks,
    own_parts,
    own_select,
    startable,
)
from portal.applications.rules import EDITABLE, public_state
from portal.applications.signatures.signing import unconfirmed
from portal.applications.submissions.closing_exceptions import of_application
from portal.applications.submissions.submission import Standing, standing
from portal.awards.commission import appeals
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import AwardOffer, OfferState
from portal.awards.results import revisions
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.identity.models import Organisation
from portal.identity.policy import Permission, allowed
from portal.review.queries import checks_of
from portal.scoring.advice import Step, steps
from portal.scoring.engine import score
from portal.scoring.wording import written
from portal.tenders.metrics import METRICS
from portal.tenders.rules import TRACK_NAMES
from portal.web import (
    application_documents,
    application_estimate,
    application_files,
    application_following,
    application_messages,
    application_paper,
    application_participants,
    application_proof,
    application_prospects,
    application_scores,
    application_sealed,
    application_sections,
    application_signing,
    application_submission,
    application_tables,
    application_uploads,
    wishes,
)
from portal.web.acting import acting_for, acting_name
from portal.web.application_asks import asked_of_me
from portal.web.application_following import history_of
from portal.web.application_frame import (
    Tasks,
    blueprint,
    confirmations,
    hrefs,
    labelled,
    opened,
    section_url,
    where,
    wording,
)
from portal.web.forms import ActionForm
from portal.web.history_words import for_applicants
from portal.web.language import say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.score_words import lines_above, said

LATEST: Final = 6
"""Lines of the history on the overview."""

_DECIDED: Final = (State.AWARDED, State.RESERVE, State.DECLINED)
"""What the public may know of: a decision against which one may appeal."""

_ANSWERED: Final = (State.RETURNED, State.REJECTED)
"""Where the formal check has something to tell the applicant."""

pages = blueprint
TOPICS = (
    application_documents,
    application_estimate,
    application_files,
    application_following,
    application_messages,
    application_paper,
    application_participants,
    application_proof,
    application_prospects,
    application_scores,
    application_sealed,
    application_sections,
    application_signing,
    application_submission,
    application_tables,
    application_uploads,
)


@page(blueprint, "/", get=Permission.APPLICATION_LIST_OWN)
def index() -> ResponseReturnValue:
    """The applications of the reader's organisations, newest first, and the invitations that wait."""
    found: Page[Application] = keyset(
        session(),
        own_select(g.actor, acting_for(g.actor)),
        (Application.__table__.c.id,),
        lambda row: (row.id,),
        request.args.get("cursor"),
    )
    return render_template(
        "applications/index.html",
        page=found,
        parts=own_parts(session(), g.actor, found.rows),
        offers=offer_queries.awaited(session(), g.actor),
        public_state=public_state,
        track_names=TRACK_NAMES,
        can_start=bool(g.actor.memberships),
        acting=acting_name(g.actor),
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """An organisation with a cluster in which it may start an application; ``value`` is sent by the form."""

    organisation: Organisation
    cluster: Any

    @property
    def value(self) -> str:
        return f"{self.organisation.id}:{self.cluster.id}"


@page(blueprint, "/start", get=Permission.APPLICATION_START, post=Permission.APPLICATION_START)
def start() -> ResponseReturnValue:
    """A new application: on which track, for which organisation."""
    if request.method == "GET":
        return _start()
    track_id = _uuid(request.form.get("track", ""))
    organisation_id, _sign, cluster_id = request.form.get("organisation", "").partition(":")
    problems = []
    if track_id is None:
        problems.append(Problem("required", "track", service.CHOOSE_TRACK))
    if _uuid(organisation_id) is None or _uuid(cluster_id) is None:
        problems.append(Problem("required", "organisation", service.CHOOSE_ORGANISATION))
    if problems:
        return _start(problems), 422
    try:
        application = service.start(
            session(),
            g.actor,
            track_id=UUID(str(track_id)),
            organisation_id=UUID(organisation_id),
            cluster_id=UUID(cluster_id),
        )
    except Problems as refused:
        return _start(list(refused.problems)), 422
    wishes.fulfilled()
    flash(_("The draft has been made. Fill in its sections in any order."), "success")
    return redirect(f"{request.script_root}/applications/{application.id}", 303)


def _start(problems: list[Problem] | None = None) -> str:
    writing = [key for key in g.actor.memberships if allowed(g.actor, Permission.APPLICATION_START, Key(key))]
    choices = [Choice(*row) for row in startable(session(), writing)]
    return render_template(
        "applications/start.html",
        tracks=open_tracks(session(), writing),
        choices=choices,
        problems=problems or [],
        chosen_track=request.values.get("track") or wishes.track(),
        chosen=request.form.get("organisation", "") or _first_choice(choices),
        track_names=TRACK_NAMES,
        action_form=ActionForm(formdata=None),
    )


def _first_choice(choices: list[Choice]) -> str:
    """The only one, or that of the organisation for which the reader acts."""
    acting = acting_for(g.actor)
    fitting = choices if len(choices) == 1 else [choice for choice in choices if choice.organisation.id == acting]
    return fitting[0].value if fitting else ""


@dataclass(frozen=True, slots=True)
class Key:
    """An organisation known by its key alone, for the rule that asks no more."""

    id: UUID


@page(blueprint, "/<uuid:application_id>", get=Permission.APPLICATION_VIEW)
def overview(application_id: UUID) -> ResponseReturnValue:
    """Where the application stands, who must do what, and what comes next."""
    dossier = opened(application_id)
    application = dossier.application
    editing = application.state in EDITABLE
    stands = standing(dossier)
    tasks = Tasks(dossier, stands)
    state = public_state(application, application.tender)
    requests = requests_of(session(), application_id) if application.number else []
    awarded = application.state == State.AWARDED
    agreed, agreement = on_application(session(), g.actor, application.id) if awarded else (False, False)
    offer = _offer(application)
    told = application_scores.published(dossier)
    decided = appeals.standing(session(), application, dossier.rules) if state in _DECIDED else None
    listed = offer_queries.STANDS[OfferState(offer.state)] if offer is not None else None
    return render_template(
        "applications/overview.html",
        steps=track.steps(state, _dates(dossier), dossier.rules, agreed=agreed, listed=listed),
        asks=asked_of_me(dossier, stands, tasks, requests),
        requests=requests,
        lines=for_applicants(session().scalars(history_of(application).limit(LATEST))),
        dossier=dossier,
        application=application,
        state=state,
        editing=editing,
        standing=stands,
        unconfirmed=unconfirmed(dossier) if editing else [],
        project_tasks=tasks.project(),
        part_tasks={part.id: tasks.part(part) for part in dossier.accepted},
        confirmations=confirmations(dossier),
        filed=bool(application.number),
        checks=checks_of(session(), application_id) if application.state in _ANSWERED else [],
        # A later closing is of no use any more when the fund has decided.
        exceptions=of_application(session(), dossier) if application.tender.exceptions and not told else [],
        result=told.sheet if told else None,
        above=lines_above(told, decided) if told else [],
        agreed=agreed,
        agreement=agreed and agreement,
        offer=offer,
        revised=revisions(session(), application.id) if decided and decided.decision.number > 1 else [],
        appeal=decided if decided and allowed(g.actor, Permission.APPEAL_FILE, application) else None,
        next_step=_next_step(dossier, stands, tasks, requests),
        track_names=TRACK_NAMES,
        Role=ParticipantRole,
        wording=wording,
    )


def _offer(application: Application) -> AwardOffer | None:
    """The last offer of a part while the list is not decided, for the people of the initiator."""
    if application.state != State.EXPERTISE or not g.actor.acts_for(application.initiator_id):
        return None
    return offer_queries.last_offer(session(), application)


def _dates(dossier: Dossier) -> track.Dates:
    application, tender = dossier.application, dossier.application.tender
    return track.Dates(
        dossier.closes_at,
        application.received_at,
        tender.results_published_at,
        application.correction_due,
        dossier.zone,
    )


def _next_step(dossier: Dossier, stands: Standing, tasks: Tasks, requests: list[CorrectionRequest]) -> dict[str, str]:
    """The one thing the reader can do now: ``label`` and ``href``; empty when it is others' turn."""
    application = dossier.application
    if application.state not in EDITABLE:
        return {}
    mine = tasks.mine()
    unfinished = next((task for task in mine if task.state not in ("done", "optional")), None)
    lacking = any(tasks.problems(task.section, task.participant_id) for task in mine)
    if unfinished is not None and lacking:
        return {"label": _("Continue: %(section)s", section=unfinished.label), "href": unfinished.href}
    if stands.problems:
        return {"label": _("See what is missing"), "href": _page_url(dossier, "check")}
    if any(row.answer is None and may_answer(g.actor, dossier, row) for row in requests):
        return {"label": _("Answer the requests"), "href": _page_url(dossier, "corrections")}
    if unconfirmed(dossier):
        return {"label": _("Read and sign"), "href": section_url(dossier, "confirmation", None)}
    if allowed(g.actor, Permission.APPLICATION_SUBMIT, application):
        return {"label": _("Submit the application"), "href": _page_url(dossier, "submit")}
    return {}


@page(blueprint, "/<uuid:application_id>/check", get=Permission.APPLICATION_VIEW)
def check(application_id: UUID) -> ResponseReturnValue:
    """The self-check: every rule with value, limit and reason, the indicative score, and what is missing."""
    dossier = opened(application_id)
    stands = standing(dossier, initiator_applications=initiator_applications(session(), dossier.application))
    content = dossier.package.content
    figures = facts(content, dossier.rules)
    return render_template(
        "applications/check.html",
        dossier=dossier,
        application=dossier.application,
        standing=stands,
        labelled=labelled(dossier, stands.problems),
        hrefs=hrefs(dossier, stands.problems),
        rule_hrefs={
            outcome.code: where(dossier, outcome.field)
            for outcome in stands.outcomes
            if outcome.field and outcome.holds is not True
        },
        sheet=score(content, figures, dossier.rules, outcomes=stands.outcomes).told,
        advice=[(step, wording_of(step)) for step in steps(figures, dossier.rules)],
        economics=economics(content, dossier.rules),
        figures=figures,
        rules=dossier.rules,
        wording=wording,
    )


def wording_of(step: Step) -> dict[str, str]:
    """A step as its table shows it: the metric, its value now, and the one to reach."""
    metric = METRICS[step.metric]
    return {
        "metric": say(metric.title),
        "now": "" if step.value is None else said(written(metric, step.value)),
        "target": said(written(metric, step.target)),
    }


def _page_url(dossier: Dossier, name: str) -> str:
    return f"{section_url(dossier, 'overview', None)}/{name}"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
