"""What the command line takes: parameter types, the option sets that commands share, and what they make."""

import os
import re
import warnings
from collections.abc import Callable
from functools import wraps
from time import time
from typing import TYPE_CHECKING, Any, AnyStr

import click

from trace_cli import streams
from trace_cli.errors import TraceError
from trace_cli.event import seconds
from trace_cli.reading import Reading, talk
from trace_cli.selection import Moment, Selection
from trace_cli.view import View

if TYPE_CHECKING:
    from trace_cli.expression import Field
    from trace_cli.window import Size

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic only in the newest click
    """A parameter that a function reads; it raises click.BadParameter with what to write instead."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)


def _span(text: str) -> float | None:
    """Seconds, of a number with its unit."""
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else None


def moment(text: str) -> Moment:
    """`2026-05-24T03:17:04Z`, `-3h` before now, `+90s` behind the start of the run."""
    length = _span(text[1:])
    if length is not None and text[0] == "+":
        return Moment(length, of_run=True)
    if length is not None and text[0] == "-":
        return Moment(time() - length)
    found = seconds(text) if "-" in text[1:] else None
    if found is None:
        raise click.BadParameter(
            f"{text!r} is no time: write 2026-05-24T03:17:04Z, -3h (ago) or +90s (into the run)"
        )
    return Moment(found)


def size(text: str) -> "Size":
    """A count of events, a span with a unit, or `all`."""
    from trace_cli.window import Size

    if text == "all":
        return Size()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return Size(count=int(text))
    if (span := _span(text)) is not None:
        return Size(seconds=span)
    raise click.BadParameter(f"{text!r}: write a count (10), a span with its unit (30s, 5m) or all")


def anchor(text: str) -> str:
    """The moment that a question is about."""
    if re.fullmatch(r"first-error|unrecovered|last|-|[0-9]{1,18}|call:.+|.*:[0-9]{1,18}", text):
        return text
    raise click.BadParameter(
        f"{text!r}: write first-error, unrecovered, last, an index, FILE:LINE, call:ID, or - for anchors on stdin"
    )


def regex(text: str) -> re.Pattern[bytes]:
    """A regular expression over the bytes of a line."""
    return compiled(text.encode("utf-8", "surrogateescape"), text)


def compiled(pattern: AnyStr, text: str) -> re.Pattern[AnyStr]:
    """A regular expression, of bytes or of text, that was typed as `text`."""
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # [[a]: what it means today
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise click.BadParameter(f"{text!r}: {error}") from None


def field(text: str) -> "Field":
    """A JMESPath expression over the parsed line."""
    from trace_cli.expression import compile

    try:
        return compile(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def pointer(text: str) -> str:
    """A JSON pointer (RFC 6901) to a part of a line."""
    if not text.startswith("/") or re.search("~(?![01])", text):
        raise click.BadParameter(f"{text!r}: write a JSON pointer into a line, such as /payload/body/system")
    return text


MOMENT = Parsed("time", moment)
SIZE = Parsed("count", size)
ANCHOR = Parsed("anchor", anchor)
REGEX = Parsed("regex", regex)
FIELD = Parsed("jmespath", field)
POINTER = Parsed("jsonpointer", pointer)


def command(
    doc: str | None, cls: type[click.Command] = click.Command
) -> Callable[[Callable[..., int]], click.Command]:
    """A `trace` command whose help is the docstring of its file, examples included."""
    assert doc is not None
    summary, _, rest = doc.strip().partition("\n\n")
    text = f"{summary}\n\n{_help(rest)}"
    return click.command(cls=cls, help=text, short_help=summary)


def _help(text: str) -> str:
    """Indented parts, examples above all, keep their lines."""
    parts = (f"\b\n{part}" if part.startswith("  ") else part for part in text.split("\n\n"))
    return "\n\n".join(parts)


files = click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path())

_SELECTION: tuple[Any, ...] = (
    click.option(
        "-t",
        "--type",
        "types",
        multiple=True,
        metavar="GLOB",
        help="Of this type: tool.called, 'model.*'; repeatable (or).",
    ),
    click.option(
        "--tool", "tools", multiple=True, metavar="GLOB", help="Calls and results of this tool; repeatable (or)."
    ),
    click.option(
        "--step",
        "steps",
        multiple=True,
        metavar="GLOB",
        help="Inside this step, by name or path: plan, plan/search; repeatable (or).",
    ),
    click.option("--error", is_flag=True, help="Errors only."),
    click.option("--run", metavar="ID", help="Of this run, by id or name; a glob too: '0197*'."),
    click.option("-g", "--grep", type=REGEX, metavar="REGEX", help="Lines that match, as they are in the file."),
    click.option(
        "-w",
        "--where",
        multiple=True,
        type=FIELD,
        metavar="JMESPATH",
        help="Where this holds: 'payload.status == `429`'; repeatable (and).",
    ),
    click.option(
        "--since",
        type=MOMENT,
        metavar="TIME",
        help="From then on: 2026-05-24T03:00:00Z, -3h (ago), +90s (into the run).",
    ),
    click.option("--until", type=MOMENT, metavar="TIME", help="Up to then."),
    click.option(
        "-v", "--invert", is_flag=True, help="All but those; --run, --since and --until stay as they are."
    ),
    click.option("-m", "--max", type=click.IntRange(min=0), metavar="N", help="Stop after N events."),
)

_VIEW: tuple[Any, ...] = (
    click.option(
        "-o",
        "--output",
        type=click.Choice(["jsonl", "pretty"]),
        envvar="TRACE_OUTPUT",
        help="How to show results. [default: pretty on a terminal, jsonl elsewhere]",
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Colours, where output is pretty. [default: auto; NO_COLOR is heeded]",
    ),
    click.option("--strict", is_flag=True, help="Parse every line whole; end with 2 at any bad one."),
)


at = click.option(
    "--at",
    type=ANCHOR,
    metavar="ANCHOR",
    help="first-error, unrecovered, last, an index, FILE:LINE or :LINE, call:ID; - reads anchors from stdin.",
)


def price_file(name: str) -> Any:
    """The prices that a file has."""
    from trace_cli import prices

    return prices.read(name)


priced = click.option(
    "--prices",
    "own",
    type=Parsed("file", price_file),
    metavar="FILE",
    envvar="TRACE_PRICES",
    default=dict,
    help="Prices of your own, by model: JSON, dollars for a million tokens.",
)

full = click.option("--full", is_flag=True, help="All of each text, however long, where output is pretty.")
FULL = "--full shows what is hidden"

_AROUND: tuple[Any, ...] = (
    at,
    click.option(
        "-n",
        "size",
        type=SIZE,
        default="10",
        metavar="N",
        help="How many events, or a span (30s, 5m), or all. [default: 10]",
    ),
)


def around(shell: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a question about a moment: `at` and `size`."""
    return add(_AROUND, shell)


def selecting(shell: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the selection options; the shell gets them as `selection`."""

    @wraps(shell)
    def gathered(**options: Any) -> Any:
        given = {name: options.pop(name) for name in Selection._fields if name in options}
        return shell(selection=Selection(**given), **options)

    return add(_SELECTION, gathered)


def viewing(shell: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the output options; the shell gets them as `view` and `strict`."""

    @wraps(shell)
    def gathered(output: str | None, color: str, **options: Any) -> Any:
        terminal = streams.is_terminal(1)
        pretty = terminal if output is None else output == "pretty"
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        colored = color == "always" or (color == "auto" and not plain)
        on_output = colored and (terminal or color == "always")
        return shell(view=View(pretty, on_output, pretty and terminal, colored), **options)

    return add(_VIEW, gathered)


_REPLAY: tuple[Any, ...] = (
    click.option("--run", metavar="ID", help="Of this run only, by id or name."),
    click.option(
        "--match",
        type=click.Choice(["body", "path"]),
        default="body",
        help="What makes requests the same: all of them, or method and path. [default: body]",
    ),
    click.option(
        "--ignore",
        multiple=True,
        type=POINTER,
        metavar="POINTER",
        help="A part of a line that does not count: /payload/body/system; * is any key; repeatable.",
    ),
    click.option("--pace", is_flag=True, help="Answers take the time that they took."),
    click.option("--repeat", is_flag=True, help="After the last answer to a request comes its first again."),
)


def replaying(shell: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a replay; the shell gets them as `options`, for `Replay.load`."""

    @wraps(shell)
    def gathered(**given: Any) -> Any:
        names = ("run", "match", "ignore", "pace", "repeat")
        return shell(options={name: given.pop(name) for name in names}, **given)

    return add(_REPLAY, gathered)


def add(options: tuple[Any, ...], shell: Callable[..., Any]) -> Callable[..., Any]:
    """A shell with options added, in their order."""
    for option in reversed(options):
        shell = option(shell)
    return shell


_FIELD = re.compile(r"(?:payload|type|timestamp|run_id|seq|call_id|step_id|_src|_error|v)\b")


def typed_selection(text: str) -> Selection:
    """What somebody typed as a filter: a type or a glob, `errors`, options as of a command, else an expression.

    Raises ValueError with what to write instead.
    """
    if text in ("error", "errors"):
        return Selection(error=True)
    try:
        if text.startswith("-"):
            return _options(text)
        if re.fullmatch(r"[\w.*?\[\]-]+", text) and not _FIELD.match(text):
            return Selection(types=(text,) if re.search(r"[.*?\[]", text) else (text, f"{text}.*"))
        from trace_cli.expression import compile

        return Selection(where=(compile(text),))
    except click.ClickException as error:
        raise ValueError(error.format_message()) from None


def _options(text: str) -> Selection:
    """The selection that options make, as of a command line."""
    import shlex

    @click.command(add_help_option=False)
    @selecting
    def chosen(selection: Selection) -> Selection:
        return selection

    found: Selection = chosen.main(shlex.split(text), standalone_mode=False)
    return found


def expect_input(otherwise: str = "no FILE, and standard input is a terminal") -> None:
    """Raises TraceError where nothing but a keyboard is on stdin."""
    if streams.is_terminal(0):
        command = click.get_current_context().command_path
        raise TraceError(otherwise, f"name a trace: {command} run.jsonl")


def reading(names: tuple[str, ...], **options: Any) -> Reading:
    """The traces that a command was given: files, or stdin."""
    if not names:
        expect_input()
    return Reading(names or (streams.STDIN,), say=talk, **options)
