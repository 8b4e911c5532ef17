"""What the demo shows of following an application: a return with requests, messages, and notices that were read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, update

from portal.applications.following import corrections, messages
from portal.applications.following.corrections import Wish
from portal.demo.filing import Desk, Plan, scaled
from portal.demo.moments import moment
from portal.demo.people import People
from portal.demo.projects import PROJECTS
from portal.demo.reviewing import Fund
from portal.notifications.models import Notice

READ_AFTER: Final = timedelta(hours=3)
REQUESTS: Final = (
    Wish("project.summary", "Демо: напишите, кто и в каком объёме будет покупать изделие."),
    Wish("project.risks", "Демо: добавьте риск срыва поставки литья и что вы будете делать."),
    Wish("kpi.K1", "Демо: значения за второе полугодие ниже первого. Проверьте или поясните."),
)


def load(people: People, desk: Desk, opens: datetime, now: datetime) -> None:
    """The initiator's own application of the open tender comes back; it has answered one request and asks something."""
    project = scaled(
        PROJECTS["P01"],
        "P90",
        "0.5",
        "Блок управления обвязкой скважин",
        "Control unit for well piping",
        members=2,
    )
    step = (now - opens) / 10
    filed = desk.file(Plan(project, 1, started=opens + step, submitted=opens + step * 3))
    with moment(opens + step * 5) as session:
        Fund(people).give_back(session, filed, REQUESTS)
    with moment(opens + step * 6) as session:
        actor = people.actor(session, "initiator")
        row = corrections.requests_of(session, filed.id)[-1]
        corrections.answer(
            session,
            actor,
            application_id=filed.id,
            request_id=row.id,
            choice="explained",
            explanation="Демо: во втором полугодии запланирован ремонт печи, поэтому объём ниже.",
        )
        text = "Демо-вопрос: можно ли приложить письма покупателей одним файлом?"
        messages.send(session, actor, application_id=filed.id, text=text)
    with moment(opens + step * 7) as session:
        text = "Демо-ответ: да, одним файлом PDF. Укажите в описании, от кого каждое письмо."
        officer = people.actor(session, "officer")
        messages.send(session, officer, application_id=filed.id, text=text, for_fund=True)
    with moment(opens + step * 8) as session:
        text = "Демо-вопрос: до какого часа принимается исправленная заявка?"
        messages.send(session, people.actor(session, "initiator"), application_id=filed.id, text=text)


def read_old_notices(opens: datetime) -> None:
    """What came before the open tender was read at the time."""
    with moment(opens) as session:
        session.execute(
            update(Notice)
            .where(Notice.created_at < func.portal_now(), Notice.read_at.is_(None))
            .values(read_at=Notice.created_at + READ_AFTER)
        )
