"""`hustings up`: everything, on embedded defaults, in the foreground."""

import rich_click as click

from app.commands.context import command_settings
from app.commands.groups import Command
from app.commands.serve import PORT, with_port
from app.commands.supervisor import run_everything


@click.command("up", cls=Command)
@click.option("--port", type=PORT, help="Instead of HUSTINGS_PORT (8000).")
@click.option("--no-demo", is_flag=True, help="Start empty instead of with the content of content/.")
def up(port: int | None, no_demo: bool) -> None:
    """Start the database, a worker and the server; prints one line when the first page answers."""
    run_everything(with_port(command_settings(), port), demo=not no_demo)
