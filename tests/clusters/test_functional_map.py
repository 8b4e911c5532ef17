"""The verbs of the functional map and the profile, and the import of a map: all of it or nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.clusters import functional_map, profile, profile_queries
from portal.clusters import jobs as work
from portal.clusters.columns import template
from portal.clusters.models import Cluster, ClusterMember, ImportKind, RegisterImport
from portal.clusters.policy import Circle
from portal.clusters.profile_models import ClusterProfile, MemberYear, Supply
from portal.core import jobs
from portal.core.errors import NotFound, PortalError, Problems, Refused, Stale
from portal.documents.sheets import as_csv, as_xlsx
from portal.identity.models import Organisation, OrgRole, Role
from portal.identity.policy import ANONYMOUS, Actor, Permission, allowed, scope
from tests.documents.samples import PDF
from tests.factories import clusters, identity

SUPPLY = {
    "okpd2": "24.51.11",
    "product_ru": "отливки",
    "product_en": "castings",
    "year": "2017",
    "volume": "1 500 000,50",
}
FIGURES = {"year": "2017", "output": "10000000", "exports": "1000000", "jobs": "50", "hp_jobs": "30", "value_added": ""}


@dataclass
class Stage:
    cluster: Cluster
    keeper: Actor
    members: list[Organisation]
    rows: list[ClusterMember]


@pytest.fixture
def stage(session: Session) -> Stage:
    spec_org = identity.organisation(session)
    cluster = clusters.cluster(session, spec_org=spec_org)
    members = [identity.organisation(session) for _ in range(3)]
    rows = [clusters.membership(session, cluster, row) for row in members]
    return Stage(cluster, identity.actor(session, identity.member(session, spec_org)), members, rows)


def enter(session: Session, stage: Stage, actor: Actor | None = None, **changes: str) -> Supply:
    return functional_map.enter_supply(
        session,
        actor or stage.keeper,
        cluster_id=stage.cluster.id,
        supplier_id=stage.members[0].id,
        buyer_id=stage.members[1].id,
        values={**SUPPLY, **changes},
    )


def figures(session: Session, stage: Stage, place: int = 0, **changes: str) -> MemberYear:
    return functional_map.enter_figures(
        session,
        stage.keeper,
        cluster_id=stage.cluster.id,
        organisation_id=stage.members[place].id,
        values={**FIGURES, **changes},
    )


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(p.field, p.code) for p in caught.value.problems]


def total(session: Session, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_line_is_entered_and_the_same_line_is_changed(session: Session, stage: Stage) -> None:
    row = enter(session, stage)
    assert (row.volume, row.year, row.okpd2) == (Decimal("1500000.50"), 2017, "24.51.11")
    assert enter(session, stage, volume="2").id == row.id
    assert row.volume == 2
    assert total(session, Supply) == 1
    session.commit()
    events = session.scalars(select(AuditEvent).where(AuditEvent.tag == "clusters:supply:enter")).all()
    assert [event.changes.get("volume") for event in events] == ["1500000.50", ["1500000.50", "2.00"]]


def test_all_problems_of_a_line_come_together(session: Session, stage: Stage) -> None:
    with pytest.raises(Problems) as caught:
        functional_map.enter_supply(
            session,
            stage.keeper,
            cluster_id=stage.cluster.id,
            supplier_id=stage.members[0].id,
            buyer_id=identity.organisation(session).id,
            values={"okpd2": "x", "product_ru": "", "product_en": "", "year": "17", "volume": "0"},
        )
    assert [field for field, _ in codes(caught)] == ["okpd2", "product_ru", "year", "volume", "buyer_id"]
    with pytest.raises(Problems) as caught:
        functional_map.enter_supply(
            session,
            stage.keeper,
            cluster_id=stage.cluster.id,
            supplier_id=stage.members[0].id,
            buyer_id=stage.members[0].id,
            values=SUPPLY,
        )
    assert codes(caught) == [("buyer_id", "parties")]


def test_a_line_is_taken_out(session: Session, stage: Stage) -> None:
    row = enter(session, stage)
    other = clusters.cluster(session, spec_org=session.get(Organisation, stage.cluster.spec_org_id))
    with pytest.raises(NotFound):
        functional_map.remove_supply(session, stage.keeper, cluster_id=other.id, supply_id=row.id)
    functional_map.remove_supply(session, stage.keeper, cluster_id=stage.cluster.id, supply_id=row.id)
    assert total(session, Supply) == 0


def test_figures_are_entered_checked_and_changed(session: Session, stage: Stage) -> None:
    row = figures(session, stage)
    assert (row.output, row.value_added) == (10_000_000, None)
    assert figures(session, stage, jobs="60").id == row.id
    assert row.jobs == 60
    with pytest.raises(Problems) as caught:
        figures(session, stage, exports="10000001", hp_jobs="51")
    assert codes(caught) == [("exports", "too_large"), ("hp_jobs", "too_large")]


def test_the_database_refuses_strangers_and_impossible_figures(session: Session, stage: Stage) -> None:
    stranger = identity.organisation(session)
    line = {"year": 2017, "okpd2": "24", "product_ru": "x", "product_en": "", "volume": Decimal(1)}
    bad = (
        Supply(cluster_id=stage.cluster.id, supplier_id=stranger.id, buyer_id=stage.members[0].id, **line),
        Supply(cluster_id=stage.cluster.id, supplier_id=stage.members[0].id, buyer_id=stage.members[0].id, **line),
        MemberYear(
            cluster_id=stage.cluster.id, organisation_id=stage.members[0].id, year=2017, output=Decimal(1),
            exports=Decimal(2), jobs=1, hp_jobs=0,
        ),
    )  # fmt: skip
    for row in bad:
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(row)
            session.flush()


def test_history_and_the_case_follow_from_map_and_figures(session: Session, stage: Stage) -> None:
    stage.rows[1].final_producer = True
    for place in range(3):
        figures(session, stage, place)
    enter(session, stage)
    ledger = profile_queries.ledger(session, stage.cluster)
    found = ledger.history()
    assert [(row.year, row.members, row.level.percent) for row in found] == [(2017, 3, Decimal("7.5000"))]
    case = profile_queries.case_of(session, ledger, found, found_day())
    assert (case.industrial, case.final_producers, case.members, case.without_contract) == (3, 1, 3, 1)
    assert (case.has_map, case.remote, case.regional_productivity) == (True, 0, None)
    functional_map.enter_region(session, stage.keeper, cluster_id=stage.cluster.id, year="2017", productivity="1000000")
    assert profile_queries.case_of(session, ledger, found, found_day()).regional_productivity == 1_000_000
    assert profile_queries.open_sums(found) == found
    session.delete(session.scalars(select(MemberYear)).first())
    session.flush()
    assert profile_queries.open_sums(profile_queries.ledger(session, stage.cluster).history()) == []


def found_day() -> Any:
    from datetime import date

    return date(2018, 8, 31)


def test_marks_of_a_member(session: Session, stage: Stage) -> None:
    marks = {"spic": True, "special_territory": True, "starting": False, "state": True}
    row = functional_map.mark_member(session, stage.keeper, member_id=stage.rows[0].id, marks=marks)
    assert (row.spic, row.special_territory, row.starting, row.state) == (True, True, False, "confirmed")
    with pytest.raises(NotFound):
        functional_map.mark_member(session, stage.keeper, member_id=uuid4(), marks={})


def verbs(session: Session, stage: Stage) -> list[Callable[[Actor], object]]:
    key, member = stage.cluster.id, stage.members[0].id
    return [
        lambda actor: enter(session, stage, actor),
        lambda actor: functional_map.remove_supply(session, actor, cluster_id=key, supply_id=uuid4()),
        lambda actor: functional_map.enter_figures(
            session, actor, cluster_id=key, organisation_id=member, values=FIGURES
        ),
        lambda actor: functional_map.enter_region(session, actor, cluster_id=key, year="2017", productivity="1"),
        lambda actor: functional_map.mark_member(session, actor, member_id=stage.rows[0].id, marks={}),
        lambda actor: functional_map.start_import(
            session, actor, cluster_id=key, kind=ImportKind.SUPPLIES, name="x.csv", stream=io.BytesIO(b"a;b\n1;2\n")
        ),
        lambda actor: profile.save_profile(session, actor, cluster_id=key, values={}, expected_version=0),
        lambda actor: profile.add_infrastructure(
            session, actor, cluster_id=key, kind="education", name_ru="x", name_en="", region="36"
        ),
        lambda actor: profile.remove_infrastructure(session, actor, cluster_id=key, object_id=uuid4()),
        lambda actor: profile.remove_document(session, actor, cluster_id=key, document_id=uuid4()),
    ]


def test_only_the_keepers_write(session: Session, stage: Stage) -> None:
    spec_org = session.get_one(Organisation, stage.cluster.spec_org_id)
    refused = {
        "viewer": identity.actor(session, identity.member(session, spec_org, OrgRole.VIEWER)),
        "member": identity.actor(session, identity.member(session, stage.members[0])),
        "officer": identity.actor(session, identity.user(session, Role.OFFICER)),
        "nobody": ANONYMOUS,
    }
    for verb in verbs(session, stage):
        for name, actor in refused.items():
            with pytest.raises(Refused):
                verb(actor)
                raise AssertionError(name)
    editor = identity.actor(session, identity.member(session, spec_org, OrgRole.EDITOR))
    assert enter(session, stage, editor).id


def test_who_sees_the_figures_of_single_members(session: Session, stage: Stage) -> None:
    circle = profile_queries.ledger(session, stage.cluster).circle
    assert circle == Circle(stage.cluster, frozenset(row.id for row in stage.members))
    waiting = identity.organisation(session)
    clusters.membership(session, stage.cluster, waiting, "requested")
    spec_org = session.get_one(Organisation, stage.cluster.spec_org_id)
    actors = {
        "member": (identity.actor(session, identity.member(session, stage.members[0], OrgRole.VIEWER)), True),
        "spec viewer": (identity.actor(session, identity.member(session, spec_org, OrgRole.VIEWER)), True),
        "officer": (identity.actor(session, identity.user(session, Role.OFFICER)), True),
        "reviewer": (identity.actor(session, identity.user(session, Role.REVIEWER)), False),
        "waiting": (identity.actor(session, identity.member(session, waiting)), False),
        "stranger": (identity.actor(session, identity.member(session, identity.organisation(session))), False),
        "nobody": (ANONYMOUS, False),
    }
    for name, (actor, sees) in actors.items():
        assert allowed(actor, Permission.CLUSTER_FIGURES, circle) is sees, name


def test_the_profile_is_saved_with_its_version(session: Session, stage: Stage) -> None:
    key = stage.cluster.id
    values = {"about_ru": " Текст \r\n\r\n второй ", "facts_ru": "1\n2", "rcc_since": "01.10.2018"}
    row = profile.save_profile(session, stage.keeper, cluster_id=key, values=values, expected_version=0)
    assert (row.about_ru, row.facts_ru, str(row.rcc_since), row.version) == ("Текст\n\nвторой", "1\n2", "2018-10-01", 1)
    profile.save_profile(session, stage.keeper, cluster_id=key, values={**values, "about_en": "x"}, expected_version=1)
    with pytest.raises(Stale):
        profile.save_profile(session, stage.keeper, cluster_id=key, values=values, expected_version=1)
    with pytest.raises(Problems) as caught:
        profile.save_profile(
            session,
            stage.keeper,
            cluster_id=key,
            values={"facts_en": "x" * 2001, "rcc_since": "yesterday"},
            expected_version=2,
        )
    assert codes(caught) == [("facts_en", "too_long"), ("rcc_since", "format")]
    assert total(session, ClusterProfile) == 1


def test_programmes_are_the_administrators_business(session: Session, stage: Stage) -> None:
    administrator = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    key = stage.cluster.id

    def add(actor: Actor, programme: str = "leading", since: str = "19.10.2016", until: str = "31.12.2020") -> Any:
        return profile.add_programme(session, actor, cluster_id=key, programme=programme, since=since, until=until)

    row = add(administrator)
    today = found_day()
    badges = profile_queries.badges(session, [stage.cluster], today)[key]
    assert [(badge.programme.value, badge.present) for badge in badges] == [("industrial", True), ("leading", True)]
    for arguments, expected in (
        ({"programme": "industrial"}, [("programme", "unknown")]),
        ({"since": ""}, [("since", "empty")]),
        ({"until": "01.01.2015"}, [("until", "dates")]),
        ({}, [("since", "taken")]),
    ):
        with pytest.raises(Problems) as caught:
            add(administrator, **arguments)
        assert codes(caught) == expected
    with pytest.raises(PortalError):
        add(stage.keeper)
    with pytest.raises(PortalError):
        profile.remove_programme(session, stage.keeper, cluster_id=key, programme_row_id=row.id)
    profile.remove_programme(session, administrator, cluster_id=key, programme_row_id=row.id)
    assert profile_queries.programme_rows(session, key) == []


def test_infrastructure_and_documents_come_and_go(session: Session, stage: Stage) -> None:
    key = stage.cluster.id
    with pytest.raises(Problems) as caught:
        profile.add_infrastructure(
            session, stage.keeper, cluster_id=key, kind="x", name_ru=" ", name_en="", region="99"
        )
    assert [field for field, _ in codes(caught)] == ["kind", "name_ru", "region"]
    row = profile.add_infrastructure(
        session, stage.keeper, cluster_id=key, kind="education", name_ru="Университет", name_en="", region="36"
    )
    assert [item.id for item in profile_queries.infrastructure_of(session, key)] == [row.id]
    profile.remove_infrastructure(session, stage.keeper, cluster_id=key, object_id=row.id)
    paper = {"kind": "programme", "title": "Программа", "issued_on": "15.06.2017", "name": "p.pdf"}
    with pytest.raises(Problems) as caught:
        profile.add_document(
            session,
            stage.keeper,
            cluster_id=key,
            stream=io.BytesIO(PDF),
            **{**paper, "kind": "x", "title": "", "issued_on": "x"},
        )
    assert [field for field, _ in codes(caught)] == ["kind", "title", "issued_on"]
    held = profile.add_document(session, stage.keeper, cluster_id=key, stream=io.BytesIO(PDF), **paper)
    assert profile_queries.document(session, key, held.id).file.name == "p.pdf"
    ledger = profile_queries.ledger(session, stage.cluster)
    assert profile_queries.case_of(session, ledger, [], found_day()).papers == {"programme"}
    profile.remove_document(session, stage.keeper, cluster_id=key, document_id=held.id)
    with pytest.raises(NotFound):
        profile_queries.document(session, key, held.id)
    assert profile_queries.documents_of(session, key) == []


HEAD = ["ИНН поставщика", "ИНН покупателя", "ОКПД 2", "Продукция", "Год", "Объём без НДС, руб."]


def imported(session: Session, stage: Stage, table: list[list[str]], kind: ImportKind) -> RegisterImport:
    row = functional_map.start_import(
        session,
        stage.keeper,
        cluster_id=stage.cluster.id,
        kind=kind,
        name="map.csv",
        stream=io.BytesIO(as_csv(table)),
    )
    finished(session, row)
    return row


def finished(session: Session, row: RegisterImport) -> None:
    claim = jobs.Claim(uuid4(), 1, 1, "register_import", {}, 1)
    for _ in range(20):
        if work.register_import(session, {"import_id": str(row.id)}, claim).finished:
            return
        session.flush()
    raise AssertionError("the import did not end")


def line(stage: Stage, supplier: int, buyer: int, volume: str = "100") -> list[str]:
    return [stage.members[supplier].inn, stage.members[buyer].inn, "24.51", "отливки", "2017", volume]


def test_a_map_is_imported_and_imported_again(session: Session, stage: Stage) -> None:
    table = [HEAD, line(stage, 0, 1), line(stage, 0, 2), line(stage, 1, 2)]
    row = imported(session, stage, table, ImportKind.SUPPLIES)
    assert (row.state, row.report["created"]) == ("done", 3)
    table[1][5] = "150,50"
    row = imported(session, stage, table, ImportKind.SUPPLIES)
    assert (row.report["created"], row.report["changed"], row.report["unchanged"]) == (0, 1, 2)
    assert sorted(session.scalars(select(Supply.volume))) == [100, 100, Decimal("150.50")]


def test_one_bad_line_and_nothing_is_imported(session: Session, stage: Stage) -> None:
    stranger = identity.organisation(session)
    table = [
        HEAD,
        line(stage, 0, 1),
        line(stage, 0, 0),
        [stranger.inn, stage.members[1].inn, "24.51", "отливки", "2017", "1"],
        line(stage, 1, 2, "-5"),
        line(stage, 0, 1),
    ]
    row = imported(session, stage, table, ImportKind.SUPPLIES)
    assert row.state == "failed"
    assert [(f["line"], f["field"]) for f in row.report["faults"]] == [
        (3, "buyer_inn"),
        (4, "supplier_inn"),
        (5, "volume"),
        (6, "supplier_inn"),
    ]
    assert total(session, Supply) == 0


def test_figures_are_imported(session: Session, stage: Stage) -> None:
    head = ["ИНН", "Год", "Выпуск без НДС, руб.", "В том числе экспорт, руб.", "Рабочие места",
            "Из них высокопроизводительные"]  # fmt: skip
    table = [head, *[[member.inn, "2017", "1000", "10", "5", "3"] for member in stage.members]]
    row = imported(session, stage, table, ImportKind.FIGURES)
    assert (row.state, row.report["created"], total(session, MemberYear)) == ("done", 3, 3)
    table[1][3] = "1001"
    row = imported(session, stage, table, ImportKind.FIGURES)
    assert [(f["line"], f["field"]) for f in row.report["faults"]] == [(2, "exports")]


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("write", [as_csv, as_xlsx])
@pytest.mark.parametrize("kind", [ImportKind.SUPPLIES, ImportKind.FIGURES])
def test_the_templates_can_be_imported(
    session: Session, stage: Stage, kind: ImportKind, write: Any, locale: str
) -> None:
    for place, inn in enumerate(("3699900012", "3699900020")):
        stage.members[place].inn = inn
    session.flush()
    row = functional_map.start_import(
        session,
        stage.keeper,
        cluster_id=stage.cluster.id,
        kind=kind,
        name="template",
        stream=io.BytesIO(write(template(kind, locale))),
    )
    finished(session, row)
    assert (row.state, row.report.get("created")) == ("done", 1), row.report


def test_imports_of_a_map_are_seen_by_its_keepers(session: Session, stage: Stage) -> None:
    row = imported(session, stage, [HEAD, line(stage, 0, 1)], ImportKind.SUPPLIES)

    def sees(actor: Actor) -> list[UUID]:
        return [found.id for found in session.scalars(scope(actor, RegisterImport))]

    member = identity.actor(session, identity.member(session, stage.members[0]))
    administrator = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    assert (sees(stage.keeper), sees(administrator), sees(member), sees(ANONYMOUS)) == ([row.id], [row.id], [], [])
