"""The options that say what is scrubbed besides secrets, and what they become."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from trace_cli import params

if TYPE_CHECKING:
    from tracereplay.places import Find


def field(text: str) -> "Find":
    """A JMESPath expression that points into an event."""
    from tracereplay.places import places

    try:
        return places(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression over texts."""
    return params.compiled(text, text)


_OPTIONS = (
    click.option(
        "--field",
        "fields",
        multiple=True,
        type=params.Parsed("jmespath", field),
        metavar="JMESPATH",
        help="Hide this part of events too: payload.args.email; repeatable.",
    ),
    click.option(
        "--pattern",
        "patterns",
        multiple=True,
        type=params.Parsed("regex", pattern),
        metavar="REGEX",
        help="Hide what matches in any text too; repeatable.",
    ),
)


def scrubbing(shell: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the shell gets them as `fields` and `patterns`."""
    return params.add(_OPTIONS, shell)
