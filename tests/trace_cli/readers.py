"""The commands, found as `trace` finds them; those that read traces are held to one contract."""

import click

from trace_cli.cli import cli

NAMES = cli.list_commands(click.Context(cli))


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


INTERACTIVE = ["step"]  # has promises of its own, as it needs a terminal
COMPARING = ["diff"]  # has, too, as it takes two traces
MAKING = ["fixture", "scrub", "serve"]  # have, too, as they make something else of a trace
READERS = [
    name
    for name in NAMES
    if name not in INTERACTIVE + COMPARING + MAKING
    and any(param.name == "files" for param in command_of(name).params)
]


def is_endless(line: str) -> bool:
    """Whether a shell line ends only when somebody ends it: it follows a file, has keys, or serves."""
    return (
        "tail -f" in line
        or "--follow" in line
        or "trace serve" in line
        or ("trace step" in line and "--keys" not in line)
    )
