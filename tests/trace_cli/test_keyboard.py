"""What terminals send, and the keys that it is."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trace_cli.keyboard import NAMES, Keys, parse

KEYS = [
    (b"a", ["a"]),
    (b"/APAC ", ["/", "A", "P", "A", "C", " "]),
    ("é€🙂\u3000".encode(), ["é", "€", "🙂", "\u3000"]),
    (b"\r", ["Enter"]),
    (b"\n", ["Enter"]),
    (b"\x1bOM", ["Enter"]),  # of the keypad
    (b"\t", ["Tab"]),
    (b"\x7f\x08", ["Backspace", "Backspace"]),
    (b"\x04\x12\x1a", ["Ctrl-D", "Ctrl-R", "Ctrl-Z"]),
    (b"\x00\x1c\x1f", ["Ctrl-@", "Ctrl-\\", "Ctrl-_"]),
    (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["Up", "Down", "Right", "Left"]),
    (b"\x1bOA\x1bOB\x1bOC\x1bOD", ["Up", "Down", "Right", "Left"]),
    (b"\x1b[a\x1bOb\x1b[c\x1bOd", ["Up", "Down", "Right", "Left"]),  # rxvt: Shift, Ctrl
    (b"\x1b[1;5A\x1b[1;2B\x1bO5C\x1b[1;3D", ["Up", "Down", "Right", "Left"]),
    (b"\x1b\x1b[A\x1b\x1bOB", ["Up", "Down"]),  # rxvt: Alt
    (b"\x1b[H\x1bOH\x1b[1~\x1b[7~\x1b[1;5H\x1b[7;5~", ["Home"] * 6),
    (b"\x1b[F\x1bOF\x1b[4~\x1b[8~\x1b[1;5F\x1b[8;5~", ["End"] * 6),
    (b"\x1b[7$\x1b[7^\x1b[7@\x1b[8$\x1b[8^", ["Home"] * 3 + ["End"] * 2),  # rxvt: Shift, Ctrl, both
    (b"\x1b[5~\x1b[5;5~\x1b[5$", ["PgUp"] * 3),
    (b"\x1b[6~\x1b[6;2~\x1b[6^", ["PgDn"] * 3),
    (b"\x1b[3~\x1b[3;5~", ["Delete"] * 2),
    (b"\x1b[200~foo bar\x1b[201~", list("foo bar")),
    (b"\x1b[200~a\r\n\tq\x1b[31mred\x7f\x03\xc2\x9b\x1b[201~\r", [*"aq[31mred", "Enter"]),
    (b"\x1b[200~a\x1b[201\x1b[201~b", list("a[201b")),
    (b"\x1b\x1bx", ["Esc"]),
]

NO_KEYS = {
    "Alt with a character": b"\x1bx",
    "Alt with é": "\x1bé".encode(),
    "Alt with €": "\x1b€".encode(),
    "Alt with Enter": b"\x1b\r",
    "Insert": b"\x1b[2~",
    "F1 of xterm": b"\x1bOP",
    "F1 of Linux": b"\x1b[[A",
    "F5 with Ctrl": b"\x1b[15;5~",
    "Shift-Tab": b"\x1b[Z",
    "a digit of the keypad": b"\x1bOp",
    "a mouse, X10": b"\x1b[M q\x7f",
    "a mouse, X10, far to the right": b"\x1b[M\xff\xe0A",
    "a mouse, SGR": b"\x1b[<0;10;20M\x1b[<0;10;20m",
    "a mouse, rxvt": b"\x1b[32;10;20M",
    "focus": b"\x1b[I\x1b[O",
    "the cursor's place": b"\x1b[12;40R",
    "what the terminal is": b"\x1b[?62;22c\x1b[>41;354;0c",
    "a mode": b"\x1b[?2026;2$y\x1b[4;2$y",
    "keys of kitty": b"\x1b[99;5u\x1b[27;5;99~",
    "a colour, ended by BEL": b"\x1b]11;rgb:1e1e/1e1e/1e1e\x07",
    "a colour, ended by ST": b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    "a name": "\x1bP>|xterm(390) é\x1b\\".encode(),
    "an answer to a picture": b"\x1b_Gi=31;OK\x1b\\",
    "the end of no paste": b"\x1b[201~",
    "an absurd number": b"\x1b[" + b"5" * 5000 + b"~",
    "an absurd number, rxvt": b"\x1b[" + b"5" * 5000 + b"$p",
    "no UTF-8": b"\xff\xfe\x80\xc0",
    "half a character before a key": b"\xe2\x82\x1bOP",
    "controls beyond ASCII": "\u0080\u009b".encode(),
}


@pytest.mark.parametrize(("sent", "keys"), KEYS)
def test_keys(sent: bytes, keys: list[str]) -> None:
    assert Keys().feed(sent) == keys


@pytest.mark.parametrize("name", NO_KEYS)
def test_what_is_no_key_of_ours_is_dropped_whole(name: str) -> None:
    keys = Keys()
    assert keys.feed(NO_KEYS[name]) == []
    assert not keys.pending
    assert keys.feed(b"x\x1b[A") == ["x", "Up"]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"\x1b[1;\x1b[A", ["Up"]),
        (b"\x1b[12\rx", ["Enter", "x"]),
        (b"\x1b[M  \rx", ["Enter", "x"]),
        (b"\x1bO\x1bOA", ["Up"]),
        (b"\x1b\x1b[\rx", ["Enter", "x"]),
        (b"\x1b]11;rgb\rx", ["Enter", "x"]),
        (b"\x1b]\rx", ["Enter", "x"]),
        (b"\xe2\x82x", ["x"]),
        (b"\xe2\rx", ["Enter", "x"]),
        (b"\xe2\x1b[A\x82\xacx", ["Up", "x"]),
    ],
)
def test_what_is_broken_off_takes_nothing_along(sent: bytes, keys: list[str]) -> None:
    assert Keys().feed(sent) == keys


def test_an_escape_alone_is_a_key_once_nothing_follows() -> None:
    keys = Keys()
    assert (keys.feed(b"x\x1b"), keys.pending) == (["x"], True)
    assert (keys.flush(), keys.pending, keys.flush()) == (["Esc"], False, [])
    assert keys.feed(b"[A") == ["[", "A"]
    assert (keys.feed(b"\x1b\x1b"), keys.flush()) == ([], ["Esc", "Esc"])


@pytest.mark.parametrize("introducer", b"]PX^_")
def test_alt_with_a_character_that_may_begin_a_reply_does_not_deafen(introducer: int) -> None:
    keys = Keys()
    assert (keys.feed(bytes([27, introducer])), keys.pending) == ([], True)
    assert keys.flush() == []
    assert keys.feed(b"q") == ["q"]


@pytest.mark.parametrize(
    "begun", [b"\x1b[", b"\x1bO", b"\x1b[1;5", b"\x1b[M ", b"\x1b]11;", b"\x1b[200~\x1b", b"\xe2"]
)
def test_what_can_only_be_a_part_waits(begun: bytes) -> None:
    keys = Keys()
    assert (keys.feed(begun), keys.pending, keys.flush()) == ([], False, [])


def test_a_slow_line_changes_nothing() -> None:
    keys = Keys()
    assert [keys.feed(b"\x1b["), keys.flush(), keys.feed(b"1;5"), keys.flush(), keys.feed(b"A")][-1] == ["Up"]
    assert [keys.feed("€".encode()[:2]), keys.flush(), keys.feed("€".encode()[2:])][-1] == ["€"]


PARTS = st.one_of(
    st.sampled_from([sent for sent, _ in KEYS] + list(NO_KEYS.values())),
    st.text("aé€🙂[O]M~$", max_size=4).map(str.encode),
    st.lists(st.sampled_from(b"\x1b\x1b\x1b[O]P\\M~$;?<012AZ\x07\r\x80\xc3\xe2"), max_size=8).map(bytes),
    st.binary(max_size=6),
)


@example(b"\x1b[200~a\x1b[201~b", [1, 2, 7, 8, 9, 10, 11, 12])
@example("\x1b\x1b[A\x1b]1;x\x1b\\é".encode(), list(range(15)))
@given(st.lists(PARTS, max_size=8).map(b"".join), st.lists(st.integers(0, 60)))
def test_any_split_gives_the_same_keys(sent: bytes, cuts: list[int]) -> None:
    keys = Keys()
    at = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    got = [key for start, end in pairwise(at) for key in keys.feed(sent[start:end])]
    whole = Keys()
    assert got == whole.feed(sent)
    assert keys.pending == whole.pending
    assert keys.flush() == whole.flush()


@given(st.binary())
def test_a_key_is_a_printable_character_or_has_a_name(sent: bytes) -> None:
    for key in Keys().feed(sent):
        assert key in NAMES or key.startswith("Ctrl-") or (len(key) == 1 and key >= " ")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("e c", [("e", ["e"]), ("c", ["c"])]),
        ("/APAC  Enter\tq", [("/APAC", list("/APAC")), ("Enter", ["Enter"]), ("q", ["q"])]),
        ("Space PgDn Ctrl-D", [("Space", [" "]), ("PgDn", ["PgDn"]), ("Ctrl-D", ["Ctrl-D"])]),
        ("enter Entre Resize", [(word, list(word)) for word in ("enter", "Entre", "Resize")]),
        ("Ctrl-M Ctrl-H Ctrl-[", [("Ctrl-M", ["Enter"]), ("Ctrl-H", ["Backspace"]), ("Ctrl-[", ["Esc"])]),
        ("Ctrl-d", [("Ctrl-d", list("Ctrl-d"))]),
        ("é€", [("é€", ["é", "€"])]),
    ],
)
def test_the_notation(text: str, tokens: list[tuple[str, list[str]]]) -> None:
    assert parse(text) == tokens


def test_every_name_is_a_token() -> None:
    assert [keys for _, keys in parse(" ".join(sorted(NAMES)))] == [[name] for name in sorted(NAMES)]
