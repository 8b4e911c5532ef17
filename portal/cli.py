"""``flask portal ...``: what an operator does from the shell."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup, ScriptInfo

portal = AppGroup("portal", help="Run and check the portal.")


def register_commands(app: Flask) -> None:
    app.cli.add_command(portal)
    app.cli.add_command(migrations)


@click.command("db", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def migrations(context: click.Context, words: tuple[str, ...]) -> None:
    """Perform database migrations."""
    from portal.schema import commands

    script = context.ensure_object(ScriptInfo)
    commands(script.load_app()).main(list(words), prog_name=context.command_path, obj=script)


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
    """Recompute trail and ledger from their first rows, compare every row with its seal; exit 1 at the first fault."""
    from portal.core.db import session
    from portal.verification import verify as checks

    for held, count, fault in checks(session()):
        if fault is not None:
            raise click.ClickException(fault)
        click.echo(held % count)


@portal.command("sweep-files")
def sweep_files() -> None:
    """Delete uploaded files that no row names and that are older than a day."""
    from portal.core.db import session
    from portal.documents.service import sweep

    click.echo(f"{sweep(session())} files deleted")


@portal.command("scan-files")
def scan_files() -> None:
    """Have every file scanned that came before there was a scanner (CLAMD_URL)."""
    from portal.core.db import transaction
    from portal.documents.clamd import configured
    from portal.documents.scanning import scan_later

    if not configured():
        raise click.ClickException("there is no scanner: set CLAMD_URL")
    with transaction() as session:
        click.echo(f"{scan_later(session)} files wait for the scanner")


@portal.command("create-admin")
@click.argument("email")
@click.option("--name", default="", help="The person's full name.")
@click.option("--letter", is_flag=True, help="Ask for no password: send a letter with a link to set it.")
def create_admin(email: str, name: str, letter: bool) -> None:
    """Make EMAIL an administrator: a new, confirmed person, or one who is registered already."""
    from portal.web.security import create_administrator

    password = None if letter else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        create_administrator(email, name, password)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"{email} is an administrator" + ("; the letter is on its way" if letter else ""))
