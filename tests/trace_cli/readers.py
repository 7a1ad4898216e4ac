"""The commands, found as `trace` finds them; those that read traces are held to one contract."""

import click

from trace_cli.cli import COMMANDS, cli

NAMES = sorted(file.stem.replace("_", "-") for file in COMMANDS.glob("[!_]*.py"))


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


READERS = [name for name in NAMES if any(param.name == "files" for param in command_of(name).params)]
