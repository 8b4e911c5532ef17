"""Whether the portal can work: database, Redis, workers. For load balancers and people on call."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from redis import Redis
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.core.db import session
from portal.core.jobs import waiting
from portal.identity.policy import Permission
from portal.web.page import page

pages = Blueprint("health", __name__)


@page(pages, "/healthz", get=Permission.PUBLIC)
def healthz() -> ResponseReturnValue:
    """200 with the state of each part; 503 without the database. Redis and workers may be away: work waits."""
    database = _database()
    redis, workers = _redis()
    state = {
        "status": "ok"
        if database["ok"] and redis["ok"] and workers["ok"]
        else "degraded"
        if database["ok"]
        else "down",
        "database": database,
        "redis": redis,
        "workers": workers,
    }
    return jsonify(state), 200 if database["ok"] else 503


def _database() -> dict[str, object]:
    try:
        revision = session().scalar(text("select version_num from alembic_version"))
        return {"ok": True, "revision": revision, "tasks_waiting": waiting(session())}
    except SQLAlchemyError as error:
        session().rollback()
        return {"ok": False, "error": type(error).__name__}


def _redis() -> tuple[dict[str, object], dict[str, object]]:
    url = current_app.extensions["portal"].redis_url
    try:
        with Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as redis:
            redis.ping()
            count = Worker.count(connection=redis)
    except RedisError as error:
        return {"ok": False, "error": type(error).__name__}, {"ok": False, "count": 0}
    return {"ok": True}, {"ok": count > 0, "count": count}
