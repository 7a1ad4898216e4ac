"""Finds the command; turns exceptions into messages and exit statuses."""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from trace_cli import __version__
from trace_cli.errors import ClosedPipe, TraceError
from trace_cli.reading import talk

COMMANDS = os.path.join(os.path.dirname(__file__), "commands")


class Commands(click.Group):
    """The files of `commands/`, each imported only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (name.removesuffix(".py") for name in os.listdir(COMMANDS) if name.endswith(".py"))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"trace_cli.commands.{name.replace('-', '_')}")
        found: click.Command = module.command
        found.name = name
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and name not in (names := self.list_commands(ctx)):
            from difflib import get_close_matches

            near = get_close_matches(name, names, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"the commands are: {', '.join(names)}"
            if name == "help":
                hint = "trace --help, trace COMMAND --help, man trace"
            elif os.path.exists(name):
                hint = f"to look into a file, type: trace types {name}"
            raise TraceError(f"no command {name!r}: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in self.list_commands(ctx)])


def summary(name: str) -> str:
    """The first line of a command's docstring, read without importing it."""
    with open(os.path.join(COMMANDS, f"{name.replace('-', '_')}.py"), encoding="utf-8") as source:
        return source.readline().strip().strip('"')


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 found, 1 nothing found, 2 trouble. More: man trace, trace COMMAND --help.",
)
@click.version_option(__version__, prog_name="trace", message="%(prog)s %(version)s")
def cli() -> None:
    """Ask the JSONL trace of an AI agent what broke, what the model had been sent, and what came before.

    No FILE, or -, is standard input. Output is JSONL in a pipe, and readable on a terminal.
    """


def run(args: Sequence[str]) -> int:
    """The exit status of `trace ARGS…`. Ctrl-C is the caller's to catch."""
    if sys.stdout is None:
        talk("trace: standard output is closed")
        return 2
    try:
        if instruction := os.environ.get("_TRACE_COMPLETE"):
            from click import shell_completion

            return shell_completion.shell_complete(cli, {}, "trace", "_TRACE_COMPLETE", instruction)
        with cli.make_context("trace", list(args)) as context:  # not main(): it takes a closed pipe for an error
            status = cli.invoke(context)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        talk(error.format_message())
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "trace"
        talk(f"{command}: {error.format_message()}")
        talk(f"  see: {command} --help")
    except TraceError as error:
        talk(f"trace: {error}")
    except (ClosedPipe, BrokenPipeError):  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        talk(f"trace: {error.filename or 'standard output'}: {error.strerror}")
    return 2
