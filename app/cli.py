"""`hustings`: the command line. Every command is listed here; what it does stands in `app.commands`."""

import rich_click as click

from app.commands.groups import Program

# A command is loaded when it is asked for: who publishes does not wait for the server and the migrations.
COMMANDS = {
    "up": "app.commands.up:up",
    "serve": "app.commands.serve:serve",
    "worker": "app.commands.worker:worker",
    "db": "app.commands.db:db",
    "content": "app.commands.content:content",
    "publish": "app.commands.publish:publish",
    "releases": "app.commands.releases:releases",
    "takedown": "app.commands.takedown:takedown",
}


@click.group("hustings", cls=Program, places=COMMANDS)
@click.version_option(package_name="hustings")
def main() -> None:
    """Civic campaigns published as static pages."""


if __name__ == "__main__":
    main()
