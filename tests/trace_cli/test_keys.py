"""The keys of the stepping session: the help on the screen and that of the command name all of them, alike."""

from trace_cli import pane, stepping
from trace_cli.commands import step

UNNAMED = {"Left", "Right", "Home", "End", "PgUp", "PgDn", "Ctrl-D", "Ctrl-U"}  # as everywhere
SIGNS = {"Up": "↑", "Down": "↓", " ": "Space"}


def test_both_helps_are_one() -> None:
    assert step.__doc__
    assert "".join(f"  {line}\n" for line in pane.HELP_TEXT.splitlines()) in step.__doc__


def test_the_help_names_every_key() -> None:
    named = set(pane.HELP_TEXT.replace(";", " ").split())
    named |= {word[0] for word in named if word[0] in ":j"}
    missing = {SIGNS.get(key, key) for key in stepping._KEYS if key not in UNNAMED} - named
    assert not missing
