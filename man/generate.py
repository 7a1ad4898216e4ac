"""Makes man/trace-NAME.1 of each command, from the command itself: its docstring and its options.

    make man        # rewrites the pages; commit them with the change of the command

The source is plain man(7). It holds no date, so that the same command always makes the same page.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

import click

from trace_cli import __version__
from trace_cli.cli import Commands, cli

MAN = Path(__file__).parent

_ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
_MARKED = re.compile(r"`(?P<code>[^`]+)`|(?P<option>(?<![\w-])--?[a-z][\w-]*)|(?P<metavar>\b[A-Z]{2,}\b|\bN\b)")

STATUS = "Exit status: "  # how a docstring's own paragraph about it begins
STATUS_OF_A_QUESTION = r"""
.TP
0
Something was found.
.TP
1
Nothing was found, and everything was read.
.TP
2
Trouble: bad usage, a file that could not be read, nothing found while some
lines could not be read, or with
.B \-\-strict
any line that could not be read.
.PP
A torn last line alone changes nothing.
""".lstrip()

STATUS_OF_ANYTHING_ELSE = """\
.TP
0
Done.
.TP
2
Trouble: bad usage, or standard output that cannot be written.
"""

ENVIRONMENT_OF_RESULTS = r"""
.TP
.B TRACE_OUTPUT
The default of
.BR \-o :
.B jsonl
or
.BR pretty .
.TP
.BR NO_COLOR ", " TERM ", " COLUMNS ", " TRACE_PAGER ", " PAGER
How results look on a terminal.
.TP
.B TRACE_DEBUG
Show where an internal error comes from.
.PP
See
.BR trace (1).
""".lstrip()

ENVIRONMENT_OF_ANYTHING_ELSE = r"""
.TP
.B TRACE_DEBUG
Show where an internal error comes from.
""".lstrip()


def page(name: str, command: click.Command, doc: str, known: list[str]) -> str:
    """The roff source of one command's page. `known` are the names of all commands."""
    root = click.Context(cli, info_name="trace", **cli.context_settings)
    context = click.Context(command, info_name=name, parent=root)
    summary, description, examples = parts(doc)
    options = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    metavars = {found for param in command.get_params(context) for found in metavar_names(param, context)}
    told = [each for each in description if each.startswith(STATUS)]
    description = [each for each in description if each not in told]
    asks = any(option.name == "output" for option in options)
    title = escape(f"trace-{name}")
    usual = STATUS_OF_A_QUESTION if asks else STATUS_OF_ANYTHING_ELSE
    status = prose([each.removeprefix(STATUS) for each in told], metavars) or usual
    return "".join(
        (
            f'.\\" Made by man/generate.py from trace_cli/commands/{name.replace("-", "_")}.py: change that.\n',
            f'.TH {title.upper()} 1 "" "agent\\-replay\\-trace {__version__}" "User Commands"\n',
            ".nh\n.ad l\n",
            f".SH NAME\n{title} \\- {line(summary[0].lower() + summary[1:].rstrip('.'))}\n",
            f".SH SYNOPSIS\n{synopsis(name, command, context)}\n",
            f".SH DESCRIPTION\n{prose([summary, *description], metavars)}",
            f".SH OPTIONS\n{''.join(option_text(option, context) for option in options)}",
            f".SH EXAMPLES\n{prose(examples, metavars)}",
            f'.SH "EXIT STATUS"\n{status}',
            f".SH ENVIRONMENT\n{ENVIRONMENT_OF_RESULTS if asks else ENVIRONMENT_OF_ANYTHING_ELSE}",
            f'.SH "SEE ALSO"\n{see_also(name, doc, known)}',
        )
    )


def parts(doc: str) -> tuple[str, list[str], list[str]]:
    """A docstring as its first line, the paragraphs of the description, and those behind `Examples:`."""
    summary, *paragraphs = doc.strip().split("\n\n")
    start = paragraphs.index("Examples:")
    return summary, paragraphs[:start], paragraphs[start + 1 :]


def metavar_names(param: click.Parameter, context: click.Context) -> list[str]:
    """The words that stand for a value: FILE, GLOB."""
    return re.findall(r"[A-Z]+", param.make_metavar(context)) if param.metavar else []


def synopsis(name: str, command: click.Command, context: click.Context) -> str:
    """The usage line: the command in bold, what may change in italics."""
    pieces = " ".join(command.collect_usage_pieces(context)).replace("...", "\\|.\\|.\\|.")
    return f".B trace {escape(name)}\n" + re.sub(r"([A-Za-z]+(?:\|[a-z]+)*)", _synopsis_word, pieces)


def _synopsis_word(found: re.Match[str]) -> str:
    words = found[1].split("|")
    return "|".join(f"\\fI{word}\\fR" if word.isupper() else f"\\fB{word}\\fR" for word in words)


def option_text(option: click.Option, context: click.Context) -> str:
    """A tagged paragraph: `-t, --type GLOB`, and what it does."""
    tag = ", ".join(f"\\fB{escape(each)}\\fR" for each in option.opts)
    if not option.is_flag:
        metavar = option.make_metavar(context)
        choices = metavar.strip("[]{}").split("|")
        tag += " " + (
            f"\\fI{metavar}\\fR" if len(choices) == 1 else "|".join(f"\\fB{each}\\fR" for each in choices)
        )
    return f".TP\n{tag}\n{line(option.help or '')}\n"


def prose(paragraphs: list[str], metavars: set[str]) -> str:
    """Paragraphs as they stand in a docstring: what is indented is shown as it is."""
    return ".PP\n".join(shown(each) if each.startswith("  ") else filled(each, metavars) for each in paragraphs)


def shown(text: str) -> str:
    """Lines of examples."""
    return ".RS 2\n.EX\n" + "".join(f"{line(each[2:])}\n" for each in text.split("\n")) + ".EE\n.RE\n"


def filled(text: str, metavars: set[str]) -> str:
    """A paragraph, each sentence on a line of its own: `code` and options in bold, metavars in italics."""

    def marked(found: re.Match[str]) -> str:
        if found["metavar"]:
            return f"\\fI{found[0]}\\fR" if found[0] in metavars else found[0]
        return f"\\fB{escape(found['code'] or found['option'])}\\fR"

    made, rest = "", 0
    for found in _MARKED.finditer(text):
        made += escape(text[rest : found.start()]) + marked(found)
        rest = found.end()
    made += escape(text[rest:])
    sentences = re.split(r"(?<=[.:])\s+(?=[A-Z])", " ".join(made.split()))
    return "".join(
        f"{guard(each)}\n" for sentence in sentences for each in wrap(sentence, 80, break_on_hyphens=False)
    )


def see_also(name: str, doc: str, known: list[str]) -> str:
    """trace(1), the other commands that the docstring shows, and the format."""
    named = [f"trace-{other}(1)" for other in known if other != name and re.search(rf"\btrace {other}\b", doc)]
    pages = ["trace(1)", *named, "trace-events(5)"]
    return ",\n".join(f".BR {escape(each[:-3])} {each[-3:]}" for each in pages) + "\n"


def line(text: str) -> str:
    """A line of output text."""
    return guard(escape(text))


def escape(text: str) -> str:
    """Text as it is, for copying: no dash, quote or backtick that the formatter would prettify."""
    return "".join(_ESCAPES.get(char) or (char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text)


def guard(roff: str) -> str:
    """So that a line of text is not taken for a request."""
    return f"\\&{roff}" if roff.startswith((".", "'")) else roff


def pages() -> Iterator[tuple[Path, str]]:
    """Each generated page: its path, its source."""
    assert isinstance(cli, Commands)
    context = click.Context(cli, info_name="trace")
    names = cli.list_commands(context)
    for name in names:
        command = cli.get_command(context, name)
        doc = importlib.import_module(f"trace_cli.commands.{name.replace('-', '_')}").__doc__
        assert command is not None
        assert doc is not None
        yield MAN / f"trace-{name}.1", page(name, command, doc, names)


def main() -> int:
    made = dict(pages())
    for gone in set(MAN.glob("trace-*.1")) - set(made):
        gone.unlink()
    for path, source in made.items():
        path.write_text(source, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
