"""JMESPath over lines: its traps are told, what cannot be evaluated is null, and nothing right is refused."""

import pytest

from trace_cli import expression
from trace_cli.event import Event

EVENT = Event(b"", None, {"type": "x", "n": 5, "zero": 0, "no": None, "text": "a == 1", "nan": float("nan")})


@pytest.mark.parametrize(
    "text",
    [
        "n == `5`",
        "`5` == n",
        "n > `-1` && n < `1e3`",
        "type == 'x'",
        "'x' == type",
        "text == 'a == 1'",
        "contains(text, '== 1')",
        "contains(text, 'a = ')  || n == `5`",
        "type != 'y'",
        "zero",
        "no == `null`",
        "\"type\" == 'x'",
        "length(type) == `1`",
        "@.n == `5`",
        "[n, zero][0] == `5`",
        "keys(@)[?@ == 'n']",
        "not_null(no, n) == `5`",
        "!no",
    ],
)
def test_what_is_right_holds(text: str) -> None:
    assert expression.compile(text).holds(EVENT)


@pytest.mark.parametrize(
    "text", ["no", "missing", "contains(no, 'x')", "n > 'a'", "ceil(nan)", "text == '1'", "''"]
)
def test_what_is_null_or_empty_does_not_hold(text: str) -> None:
    assert not expression.compile(text).holds(EVENT)


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("n == 5", "`5`"),
        ("n>=5.5", "`5.5`"),
        ("n == -1", "`-1`"),
        ("5 < n", "`5`"),
        ("a && n != 5", "`5`"),
        ('type == "x"', "'x'"),
        ('payload.tool_name != "a b"', "'a b'"),
        ("no == null", "`null`"),
        ("ok == true", "`true`"),
        ("type = 'x'", "equality is written =="),
        ("n ==", "is no JMESPath"),
        ("n.((", "is no JMESPath"),
        ("", "is no JMESPath"),
    ],
)
def test_a_trap_is_told_with_what_to_write(text: str, help: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        expression.compile(text)
    assert help in str(caught.value)
