"""How results are to be shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """`pretty` for eyes, else JSONL; in `color` or not; through a `pager` where the input has an end.

    `screen_color` is for what is drawn on the terminal itself, wherever the output goes.
    """

    pretty: bool
    color: bool = False
    pager: bool = False
    screen_color: bool = False
