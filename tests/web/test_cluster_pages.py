"""Pages of a cluster: overview, functional map, requirements and figures, roadmap, profile."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.service import start
from portal.clusters import functional_map, roadmap
from portal.clusters.models import Cluster, ClusterMember, RegisterImport
from portal.clusters.profile_models import ClusterDocument, ClusterProgramme, InfrastructureObject, Supply
from portal.identity.models import Organisation, OrgRole, Role, User
from portal.identity.policy import Actor
from tests.clusters.test_functional_map import FIGURES, HEAD, SUPPLY
from tests.clusters.test_roadmap import ACTION
from tests.conftest import form
from tests.documents.samples import PDF
from tests.factories import applications, clusters, identity, tenders

SignIn = Callable[[User], FlaskClient]
VOLUME = "31415926.53"


@dataclass
class Stage:
    cluster: Cluster
    keeper: User
    actor: Actor
    members: list[Organisation]
    rows: list[ClusterMember]

    @property
    def url(self) -> str:
        return f"/clusters/{self.cluster.id}"


@pytest.fixture
def stage(session: Session) -> Stage:
    spec_org = identity.organisation(session)
    cluster = clusters.cluster(session, name_en="Valves", spec_org=spec_org)
    members = [identity.organisation(session, name=f"Demo Member {place}") for place in range(3)]
    rows = [clusters.membership(session, cluster, row) for row in members]
    keeper = identity.member(session, spec_org)
    made = Stage(cluster, keeper, identity.actor(session, keeper), members, rows)
    for row in members:
        functional_map.enter_figures(
            session,
            made.actor,
            cluster_id=cluster.id,
            organisation_id=row.id,
            values={**FIGURES, "output": "100000000"},
        )
    supply(session, made, 0, 1)
    session.commit()
    return made


def supply(session: Session, stage: Stage, supplier: int, buyer: int, **changes: str) -> Supply:
    return functional_map.enter_supply(
        session,
        stage.actor,
        cluster_id=stage.cluster.id,
        supplier_id=stage.members[supplier].id,
        buyer_id=stage.members[buyer].id,
        values={**SUPPLY, "volume": VOLUME, **changes},
    )


def test_everybody_sees_who_supplies_whom_and_the_circle_sees_how_much(
    session: Session, stage: Stage, client: FlaskClient, sign_in: SignIn
) -> None:
    insider = sign_in(identity.member(session, stage.members[2], OrgRole.VIEWER))
    outsider = sign_in(identity.member(session, identity.organisation(session)))
    reviewer = sign_in(identity.user(session, Role.REVIEWER))
    session.commit()
    for reader, sees in ((client, False), (outsider, False), (reviewer, False), (insider, True)):
        for path in ("map", "figures"):
            page = reader.get(f"{stage.url}/{path}?lang=en")
            assert page.status_code == 200
            assert ("31,415,926" in page.text) is sees
        assert "castings" in reader.get(f"{stage.url}/map?lang=en").text
        assert reader.get(f"{stage.url}/map/table.csv").status_code == (
            200 if sees else 302 if reader is client else 403
        )
    assert VOLUME in insider.get(f"{stage.url}/map/table.csv").text
    picture = client.get(f"{stage.url}/map?lang=en").text
    assert "<title" in picture
    assert "<desc" in picture
    assert "Demo Member 0" in picture


def test_sums_of_few_members_are_not_told(session: Session, stage: Stage, client: FlaskClient) -> None:
    assert "History by year" in client.get(f"{stage.url}/figures?lang=en").text
    assert "10.47%" in client.get(f"{stage.url}/figures?lang=en").text.replace("\u00a0", "")
    for row in session.scalars(select(functional_map.MemberYear).limit(1)):
        session.delete(row)
    session.commit()
    page = client.get(f"{stage.url}/figures?lang=en").text
    assert "No figures so far" in page
    assert "CL-05" in page


def test_editions_and_years_can_be_chosen(session: Session, stage: Stage, client: FlaskClient) -> None:
    supply(session, stage, 1, 2, year="2016", product_en="forgings")
    session.commit()
    assert "forgings" not in client.get(f"{stage.url}/map?lang=en").text
    assert "forgings" in client.get(f"{stage.url}/map?lang=en&year=2016").text
    assert "castings" in client.get(f"{stage.url}/map?lang=en&year=9999").text
    assert "No 905" in client.get(f"{stage.url}/figures?lang=en&edition=2018-08-02").text
    assert "No 1585" in client.get(f"{stage.url}/figures?lang=en&edition=x").text


def test_a_keeper_enters_map_figures_and_marks(session: Session, stage: Stage, sign_in: SignIn) -> None:
    client = sign_in(stage.keeper)
    first, second = stage.members[1], stage.members[2]
    empty = client.post(f"{stage.url}/map/supplies", data=form())
    assert empty.status_code == 422
    assert 'href="#supplier_id"' in empty.text
    fields = {**SUPPLY, "supplier_id": str(first.id), "buyer_id": str(second.id)}
    assert client.post(f"{stage.url}/map/supplies", data=form(**fields)).status_code == 303
    row = session.scalars(select(Supply).where(Supply.supplier_id == first.id)).one()
    assert client.post(f"{stage.url}/map/supplies/{row.id}/remove", data=form()).status_code == 303
    figures = {**FIGURES, "year": "2016", "organisation_id": str(first.id)}
    assert client.post(f"{stage.url}/figures/enter", data=form(**figures)).status_code == 303
    assert client.post(f"{stage.url}/figures/enter", data=form(year="2016")).status_code == 422
    region = {"year": "2017", "productivity": "1 000 000"}
    assert client.post(f"{stage.url}/figures/region", data=form(**region)).status_code == 303
    assert client.post(f"{stage.url}/figures/region", data=form(year="x")).status_code == 422
    marks = f"{stage.url}/members/{stage.rows[0].id}/marks"
    assert client.post(marks, data=form(spic="y")).status_code == 303
    session.expire_all()
    assert stage.rows[0].spic
    assert client.get(marks).status_code == 200
    assert client.get(f"/clusters/{clusters_other(session)}/members/{stage.rows[0].id}/marks").status_code in (403, 404)


def clusters_other(session: Session) -> Any:
    other = clusters.cluster(session)
    session.commit()
    return other.id


def test_an_import_of_the_map_from_upload_to_report(session: Session, stage: Stage, sign_in: SignIn) -> None:
    client = sign_in(stage.keeper)
    line = ";".join([stage.members[1].inn, stage.members[2].inn, "24.51", "отливки", "2017", "5"])
    table = (";".join(HEAD) + "\n" + line + "\n").encode()
    answer = client.post(f"{stage.url}/import/", data=form(kind="supplies", file=(io.BytesIO(table), "map.csv")))
    assert answer.status_code == 303
    assert client.get(answer.location).status_code == 200
    row = session.scalars(select(RegisterImport)).one()
    assert client.get(f"{stage.url}/import/{row.id}/progress").status_code == 200
    assert client.get(f"{stage.url}/import/{row.id}/faults.csv").status_code == 200
    assert client.get(f"/register/import/{row.id}").status_code == 404
    assert client.post(f"{stage.url}/import/", data=form()).status_code == 422
    for kind, extension, status in (("supplies", "csv", 200), ("figures", "xlsx", 200), ("members", "csv", 404)):
        assert client.get(f"{stage.url}/import/template/{kind}.{extension}").status_code == status


def test_the_roadmap_from_draft_to_difference(
    session: Session, stage: Stage, client: FlaskClient, sign_in: SignIn
) -> None:
    keeper, url = sign_in(stage.keeper), f"{stage.url}/roadmap"
    assert "no roadmap yet" in client.get(f"{url}?lang=en").text
    assert client.get(f"{url}/changes").status_code == 404
    assert keeper.post(f"{url}/new", data=form(reason_ru="", reason_en="")).status_code == 303
    assert keeper.post(f"{url}/publish", data=form()).status_code == 422
    assert keeper.post(f"{url}/actions/new", data=form(**{**ACTION, "title_ru": ""})).status_code == 422
    assert keeper.post(f"{url}/actions/new", data=form(**ACTION)).status_code == 303
    assert "A common route" not in client.get(f"{url}?lang=en").text
    assert keeper.post(f"{url}/publish", data=form()).status_code == 303
    assert "A common route" in client.get(f"{url}?lang=en").text
    assert keeper.post(f"{url}/new", data=form(reason_ru=" ")).status_code == 422
    assert keeper.post(f"{url}/new", data=form(reason_ru="Сессия", reason_en="Session of July")).status_code == 303
    assert keeper.get(f"{url}/actions/RM-01?lang=en").status_code == 200
    changed = {**ACTION, "title_en": "A better route"}
    assert keeper.post(f"{url}/actions/RM-01", data=form(**changed)).status_code == 303
    assert keeper.get(f"{url}/actions/RM-07").status_code == 404
    assert "A better route" not in client.get(f"{url}?lang=en&version=draft").text
    assert "Session of July" not in client.get(f"{url}?lang=en&version=2").text
    assert client.get(f"{url}/changes").status_code == 404
    assert "A better route" in keeper.get(f"{url}/changes?lang=en").text
    assert keeper.post(f"{url}/publish", data=form()).status_code == 303
    page = client.get(f"{url}/changes?lang=en").text
    assert "A common route</del>" in page
    assert "A better route</ins>" in page
    assert "Session of July" in page
    assert keeper.post(f"{url}/actions/RM-01/remove", data=form()).status_code == 409


def test_the_profile_is_kept_and_shown(session: Session, stage: Stage, client: FlaskClient, sign_in: SignIn) -> None:
    keeper = sign_in(stage.keeper)
    texts = {"about_en": "Valves for everybody", "facts_en": "First\nSecond", "rcc_since": "01.10.2018", "version": "0"}
    assert keeper.post(f"{stage.url}/profile", data=form(**texts)).status_code == 303
    assert keeper.post(f"{stage.url}/profile", data=form(**texts)).status_code == 409
    assert keeper.post(f"{stage.url}/profile", data=form(rcc_since="soon", version="1")).status_code == 422
    bad = keeper.post(f"{stage.url}/infrastructure", data=form(name_ru=""))
    assert bad.status_code == 422
    thing = {"kind": "education", "name_ru": "Университет", "name_en": "Demo University", "region": "36"}
    assert keeper.post(f"{stage.url}/infrastructure", data=form(**thing)).status_code == 303
    assert keeper.post(f"{stage.url}/documents", data=form(kind="programme", title="x")).status_code == 422
    paper = {"kind": "programme", "title": "Programme of the cluster", "issued_on": "15.06.2017"}
    sent = keeper.post(f"{stage.url}/documents", data=form(**paper, file=(io.BytesIO(PDF), "p.pdf")))
    assert sent.status_code == 303
    page = client.get(f"{stage.url}?lang=en").text
    for text in ("Valves for everybody", "Second", "competence centre", "Demo University", "Programme of the cluster"):
        assert text in page
    document = session.scalars(select(ClusterDocument)).one()
    download = client.get(f"{stage.url}/documents/{document.id}")
    assert (download.status_code, download.data) == (200, PDF)
    assert download.headers["Content-Disposition"].startswith("attachment")
    assert keeper.post(f"{stage.url}/documents/{document.id}/remove", data=form()).status_code == 303
    assert client.get(f"{stage.url}/documents/{document.id}").status_code == 404
    thing_row = session.scalars(select(InfrastructureObject)).one()
    assert keeper.post(f"{stage.url}/infrastructure/{thing_row.id}/remove", data=form()).status_code == 303


def test_programmes_are_noted_by_the_administrator_and_filter_the_list(
    session: Session, stage: Stage, client: FlaskClient, sign_in: SignIn
) -> None:
    administrator = sign_in(identity.user(session, Role.ADMINISTRATOR))
    clusters.cluster(session, name_en="Another one", sector_ru="химия", sector_en="chemistry", registered_on=None)
    session.commit()
    assert administrator.post(f"{stage.url}/programmes", data=form(programme="leading")).status_code == 422
    body = form(programme="leading", since="19.10.2016", until="31.12.2020")
    assert sign_in(stage.keeper).post(f"{stage.url}/programmes", data=body).status_code in (403, 404)
    assert administrator.post(f"{stage.url}/programmes", data=body).status_code == 303
    for query, names in (
        ("programme=leading", {"Valves"}),
        ("programme=industrial", {"Valves"}),
        ("programme=x", {"Valves", "Another one"}),
        ("sector=химия", {"Another one"}),
    ):
        page = client.get(f"/clusters/?lang=en&{query}").text
        assert {name for name in ("Valves", "Another one") if f">{name}<" in page} == names, query
    assert "Leading cluster" in client.get(f"{stage.url}?lang=en").text
    row = session.scalars(select(ClusterProgramme)).one()
    assert administrator.post(f"{stage.url}/programmes/{row.id}/remove", data=form()).status_code == 303
    assert client.get("/clusters/programmes?lang=en").status_code == 200


def test_the_list_is_read_in_pages_by_name(session: Session, client: FlaskClient) -> None:
    for number in range(27):
        clusters.cluster(session, name_en=f"Cluster {number:02}")
    session.commit()
    first = client.get("/clusters/?lang=en").text
    assert first.index("Cluster 00") < first.index("Cluster 24")
    assert "Cluster 25" not in first
    cursor = first.split("cursor=")[1].split('"')[0].split("&")[0]
    second = client.get(f"/clusters/?lang=en&cursor={cursor}").text
    assert "Cluster 25" in second
    assert "Cluster 24" not in second
    back = second.split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "Cluster 00" in client.get(back).text


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow(
    session: Session, stage: Stage, client: FlaskClient, count_queries: Any, rows: int
) -> None:
    for place in range(rows):
        clusters.cluster(session, registered_on=date(2016, 6, 1))
        supply(session, stage, place % 3, (place + 1) % 3, okpd2=f"25.{place}")
    roadmap.start_version(session, stage.actor, cluster_id=stage.cluster.id, reason_ru="x", reason_en="")
    for _ in range(rows):
        roadmap.set_action(session, stage.actor, cluster_id=stage.cluster.id, code=None, values=ACTION)
    roadmap.publish(session, stage.actor, cluster_id=stage.cluster.id)
    session.commit()
    found = {}
    for path in ("/clusters/", f"{stage.url}", f"{stage.url}/map", f"{stage.url}/figures", f"{stage.url}/roadmap"):
        with count_queries() as statements:
            assert client.get(path).status_code == 200
        found[path.removeprefix(stage.url)] = len(statements)
    assert found == {"/clusters/": 5, "": 9, "/map": 7, "/figures": 9, "/roadmap": 5}


@pytest.mark.parametrize("rows", [1, 3])
def test_map_and_figures_take_few_queries_for_insiders(
    session: Session, stage: Stage, sign_in: SignIn, count_queries: Any, rows: int
) -> None:
    member = identity.member(session, stage.members[0])
    track = applications.track_id(session, tenders.open_tender(session))
    start(
        session,
        identity.actor(session, member),
        track_id=track,
        organisation_id=stage.members[0].id,
        cluster_id=stage.cluster.id,
    )
    for place in range(rows):
        supply(session, stage, place % 3, (place + 1) % 3, okpd2=f"25.{place}")
    officer, url = identity.user(session, Role.OFFICER), stage.url
    session.commit()
    found = {}
    for name, reader in (("member", member), ("keeper", stage.keeper), ("officer", officer)):
        client = sign_in(reader)
        client.get("/?lang=en")  # opens the session
        for path, shown in (("map", "31,415,926"), ("figures", "Figures of the members in")):
            with count_queries() as statements:
                page = client.get(f"{url}/{path}")
            assert shown in page.text
            assert ("Invite into your project" in page.text) is ((name, path) == ("member", "map"))
            found[name, path] = len(statements)
    assert found == {
        ("member", "map"): 10,
        ("member", "figures"): 10,
        ("keeper", "map"): 9,
        ("keeper", "figures"): 10,
        ("officer", "map"): 8,
        ("officer", "figures"): 10,
    }
