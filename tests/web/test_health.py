"""What load balancers and people on call see."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_state_of_each_part(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["database"]["ok"] is True
    assert answer.json["redis"] == {"ok": True}
    assert answer.json["workers"] == {"ok": False, "count": 0}
    assert answer.json["status"] == "degraded"
