"""The results bundle of a tender with limits over both tracks: one allocation, computed anew from both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from portal.tenders.ruleset import Allotment
from tests.factories import proof

LIMIT = {
    "code": "L1",
    "title": {"ru": "Проектов одного региона", "en": "Projects of one region"},
    "field": "region",
    "value": "*",
    "least": None,
    "most": "3",
    "unit": "projects",
}
PLACE = "tracks/{}/allocation.json"


def test_both_tracks_are_computed_anew_within_the_limits_over_them(session: Session, tmp_path: Path) -> None:
    """A changed limit is named, also when everything that covers it is signed again."""
    tender = proof.decided_together(session, [LIMIT], allotment=Allotment.BEST_TOTAL, count=2)
    content = proof.bundled(session, tender)
    code, said = proof.checked(content, tmp_path)
    assert code == 0, said
    assert "Limits over the tracks: 1, over tracks: 2" in said
    files = proof.unpacked(content)
    assert (files["tender.json"]["format"], files["joint_limits.json"]) == (3, [LIMIT])
    won = [line["outcome"] for name in ("export", "import_substitution") for line in _lines(files, name)]
    assert (won.count("award"), won.count("reserve")) == (3, 1)

    files["joint_limits.json"][0]["most"] = "4"
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, said.partition("The first difference: ")[2].startswith("joint_limits.json: ")) == (1, True), said
    for name in ("export", "import_substitution"):
        held = files[PLACE.format(name)]
        held["covered"]["joint_limits"] = proof.verify.digest(files["joint_limits.json"])
        held["digest"] = proof.verify.digest(held["covered"])
    code, said = proof.checked(proof.forged(files), tmp_path)
    assert (code, "best total" in said, "digest (awards:decision:publish)" in said) == (1, True, True), said

    missing = json.loads(json.dumps(proof.unpacked(content)))
    del missing["joint_limits.json"]
    code, said = proof.checked(proof.forged(missing), tmp_path)
    assert (code, "joint_limits.json: " in said) == (1, True), said


def _lines(files: dict[str, Any], track: str) -> list[dict[str, Any]]:
    return list(files[PLACE.format(track)]["covered"]["lines"])
