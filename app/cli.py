"""`hustings`: the command line. Every command is listed here; what it does stands in `app.commands`."""

import rich_click as click

from app.commands.content import content
from app.commands.db import db
from app.commands.groups import Program
from app.commands.publish import publish
from app.commands.releases import releases
from app.commands.serve import serve
from app.commands.takedown import takedown
from app.commands.up import up
from app.commands.worker import worker


@click.group("hustings", cls=Program)
@click.version_option(package_name="hustings")
def main() -> None:
    """Civic campaigns published as static pages."""


main.add_command(up)
main.add_command(serve)
main.add_command(worker)
main.add_command(db)
main.add_command(content)
main.add_command(publish)
main.add_command(releases)
main.add_command(takedown)

if __name__ == "__main__":
    main()
