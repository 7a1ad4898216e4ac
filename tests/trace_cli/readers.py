"""The commands, found as `trace` finds them; those that read traces are held to one contract."""

import click

from trace_cli.cli import cli

NAMES = cli.list_commands(click.Context(cli))


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


READERS = [name for name in NAMES if any(param.name == "files" for param in command_of(name).params)]
