"""``flask portal ...``: what an operator does from the shell."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup

portal = AppGroup("portal", help="Run and check the portal.")


def register_commands(app: Flask) -> None:
    app.cli.add_command(portal)


@portal.command("worker")
@click.option("--count", default=2, show_default=True, help="How many workers.")
def worker(count: int) -> None:
    """Run the background workers."""
    from flask import current_app

    from portal.worker import run_workers

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    run_workers(app, app.extensions["portal"].redis_url, count)


@portal.command("scheduler")
def scheduler() -> None:
    """Kick the workers every few seconds."""
    from flask import current_app

    from portal.worker import run_scheduler

    run_scheduler(current_app._get_current_object())  # type: ignore[attr-defined]


@portal.command("verify")
def verify() -> None:
    """Recompute the audit chain and the ledger from their first rows; exit 1 at the first fault."""
    from portal.audit.service import verify as verify_trail
    from portal.budget.queries import verify as verify_ledger
    from portal.core.db import session

    count, fault = verify_trail(session())
    if fault is not None:
        raise click.ClickException(f"audit trail: row {fault.seq}: {fault.what}")
    click.echo(f"audit trail: {count} rows hold")
    postings, place = verify_ledger(session())
    if place is not None:
        raise click.ClickException(f"ledger: {place}")
    click.echo(f"ledger: {postings} postings hold")


@portal.command("sweep-files")
def sweep_files() -> None:
    """Delete uploaded files that no row names and that are older than a day."""
    from portal.core.db import session
    from portal.documents.service import sweep

    click.echo(f"{sweep(session())} files deleted")
