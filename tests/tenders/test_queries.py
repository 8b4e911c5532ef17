from sqlalchemy.orm import Session

from tests.factories.tenders import TRACKS, open_tender


def test_open_tender_has_both_tracks_frozen(session: Session) -> None:
    tender = open_tender(session)
    assert tuple(track.track for track in tender.tracks) == TRACKS
    assert all(track.rule_set.digest for track in tender.tracks)
