"""The peer of the staff list: Flask and SQLAlchemy, no rights, no language, 25 of the same rows."""

from __future__ import annotations

import os

from flask import Flask, render_template_string
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from portal.applications.models import Application

PAGE = """<!doctype html><title>Applications</title><table>{% for row in rows %}
<tr><td>{{ row.number }}<td>{{ row.title_ru }}<td>{{ row.track }}<td>{{ row.requested_total }}<td>{{ row.state }}
<td>{{ row.received_at }}{% endfor %}</table>"""

app = Flask(__name__)
engine = create_engine(os.environ["DATABASE_URL"], pool_size=8, max_overflow=4)


@app.get("/")
def index() -> str:
    statement = select(Application).order_by(Application.received_at.desc(), Application.id.desc()).limit(25)
    with Session(engine) as session:
        return render_template_string(PAGE, rows=session.scalars(statement).all())
