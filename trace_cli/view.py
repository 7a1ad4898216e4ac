"""How results are to be shown."""

from typing import NamedTuple


class View(NamedTuple):
    """`pretty` for eyes, else JSONL; in `color` or not; through a `pager` where the input has an end.

    `screen_color` is for what is drawn on the terminal itself, wherever the output goes.
    """

    pretty: bool
    color: bool = False
    pager: bool = False
    screen_color: bool = False
