"""The documents of the demo initiator's draft: some given, one replaced, one soon too old, one too old."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from portal.applications.following.dossier import load
from portal.applications.papers import attachments
from portal.core.clock import MOSCOW
from portal.demo.moments import moment
from portal.demo.papers import paper
from portal.demo.people import People

# Code, the name of the file, and how many days ago it was issued (0: it has no date), in the order of giving.
OWN: Final = (("DOC-11", "Выписка из ЕГРЮЛ.pdf", 41), ("DOC-12", "Справка КНД 1120101.pdf", 24))
PROJECT: Final = (("DOC-07", "Соглашение участников.pdf", 0), ("DOC-02", "Бизнес-план.pdf", 0))


def hand_in(people: People, application_id: UUID, given: datetime, replaced: datetime) -> None:
    """Give the documents at ``given`` and a new version of the business plan at ``replaced``."""
    with moment(given) as session:
        dossier = load(session, application_id)
        actor = people.owner(session, dossier.initiator.organisation)
        subject = dossier.application.title_en or "Draft"
        plan = None
        for owner, papers in ((dossier.initiator.id, OWN), (None, PROJECT)):
            for code, name, age in papers:
                issued = (given.astimezone(MOSCOW) - timedelta(days=age)).date() if age else None
                plan = attachments.attach(
                    session,
                    actor,
                    application_id=application_id,
                    participant_id=owner,
                    code=code,
                    name=name,
                    stream=io.BytesIO(paper(f"{code}, first version", subject)),
                    issued_on=issued.isoformat() if issued else "",
                )
        assert plan is not None
        plan_id = plan.id
    with moment(replaced) as session:
        attachments.attach(
            session,
            actor,
            application_id=application_id,
            participant_id=None,
            code="DOC-02",
            name="Бизнес-план, правка после стратегической сессии.pdf",
            stream=io.BytesIO(paper("DOC-02, second version", subject)),
            replaces=plan_id,
        )
