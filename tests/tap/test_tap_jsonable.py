"""Any object becomes JSON: the usual ones exactly, the strange ones as well as can be."""

import dataclasses
import datetime
import enum
import json
import math
import pathlib
import subprocess
import sys
import tracemalloc
import uuid
from collections import OrderedDict, deque, namedtuple
from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

import pydantic
import pytest
from agenttap.jsonable import dumps, dumps_within, loads, raw_json
from hypothesis import given
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    tags: set[str]


class Model(pydantic.BaseModel):
    name: str
    when: datetime.date | None = None
    inner: Any = None


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class BrokenModel(pydantic.BaseModel):
    def model_dump(self, **kwargs: Any) -> Any:
        raise RuntimeError("no dump")


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Panic(BaseException):
    """As extensions in Rust raise it."""


class Panics:
    """Raises what is no Exception, from wherever it is asked."""

    def __repr__(self) -> str:
        raise Panic

    __str__ = __repr__


class PanicError(ValueError):
    def __str__(self) -> str:
        raise Panic


class PanicModel(pydantic.BaseModel):
    def model_dump(self, **kwargs: Any) -> Any:
        raise Panic


class Proxy:
    """As werkzeug's LocalProxy outside its context."""

    @property
    def __class__(self) -> Any:  # type: ignore[override] # that is the point
        raise RuntimeError("working outside of request context")

    def __repr__(self) -> str:
        return "<Proxy unbound>"


class PanicProxy:
    @property
    def __class__(self) -> Any:  # type: ignore[override] # that is the point
        raise Panic

    __repr__ = Panics.__repr__
    __hash__ = object.__hash__


@dataclasses.dataclass
class Lazy:
    password: str
    loaded: Any = dataclasses.field(init=False)

    @property
    def _loaded(self) -> Any:
        raise Panic


Lazy.loaded = Lazy._loaded  # type: ignore[assignment] # as a field that is computed


class Loader:
    """As the attributes of an object-relational mapper: what is not there yet is fetched."""

    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else pytest.fail("fetched")

    def __set__(self, instance: object, value: object) -> None:
        instance.__dict__["row"] = value


@dataclasses.dataclass
class Row:
    row: Any = dataclasses.field(init=False)
    _session: str = "private"


Row.row = Loader()


@dataclasses.dataclass(slots=True)
class Slots:
    a: int
    b: Any = dataclasses.field(init=False)


class Answers:
    """Has an answer to everything that it is asked for, as a proxy of another program's objects."""

    asked: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return lambda *args, **kwargs: name

    def __repr__(self) -> str:
        return "<proxy>"


@dataclasses.dataclass
class AnswersData(Answers):
    a: int = 1
    b: Any = dataclasses.field(init=False)

    __repr__ = Answers.__repr__


class AnswersTuple(Answers, tuple[int, ...]):
    pass


class Path(Answers):
    def __fspath__(self) -> str:
        return "/a"


class Text(str):
    pass


class Nowhere(datetime.tzinfo):
    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        raise Panic

    def __repr__(self) -> str:
        return "nowhere"


Pair = namedtuple("Pair", "a b")
CYCLE: list[Any] = [1]
CYCLE.append({"again": CYCLE})
KEYS = {"1": "a", "1_": "b", "null": "c", "false": "d", "(1, 2)": "e", "red": "f"}
DEEP: Any = "end"
for _ in range(5000):
    DEEP = [DEEP]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_is_itself(value: Any) -> None:
    done = dumps(value)
    assert b"\n" not in done
    assert json.loads(done) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Point(1.5, {"b", "a"}), {"x": 1.5, "tags": ["a", "b"]}),
        (Point(math.nan, set()), {"x": "nan", "tags": []}),
        (Row(), {"row": "<row cannot be read>"}),
        (Slots(1), {"a": 1, "b": "<b cannot be read>"}),
        (Model(name="n", when=datetime.date(2026, 5, 24)), {"name": "n", "when": "2026-05-24", "inner": None}),
        (Model(name="n", inner={1, 2}), {"name": "n", "when": None, "inner": [1, 2]}),
        (Model.model_construct(name=5, when="?"), {"name": 5, "when": "?", "inner": None}),  # pydantic would warn
        ({1, 2, 3}, [1, 2, 3]),
        (frozenset(), []),
        (b"text", "text"),
        (b"", ""),
        (b"\xff\x00", {"bytes": 2, "sha256": "ea5dbf9596d187e9500f23e9a680109475341cf4e81f7e043f7d97152c10772f"}),
        (bytearray(b"a"), "a"),
        (ValueError("bad"), {"type": "ValueError", "message": "bad"}),
        (12345678901234567890123, 12345678901234567890123),
        (-(2**64), -(2**64)),
        ([math.nan, math.inf, 1.0, None], ["nan", "inf", 1.0, None]),
        ({"a": None, "b": "null"}, {"a": None, "b": "null"}),
        ("\ud83d\ude00 and \ud83d", "😀 and \\ud83d"),
        ({"\ud83d": 1}, {"\\ud83d": 1}),
        ({1: "a", "1": "b", None: "c", False: "d", (1, 2): "e", Colour.RED: "f"}, KEYS),
        (CYCLE, [1, {"again": "<cycle>"}]),
        (Colour.RED, "red"),
        ([Colour.RED, 2**70], ["red", 2**70]),
        (Pair(1, {2}), {"a": 1, "b": [2]}),
        (deque([1]), [1]),
        (range(3), [0, 1, 2]),
        (OrderedDict(a={1}), {"a": [1]}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (MappingProxyType({}), {}),
        (pathlib.Path("/a/b"), "/a/b"),
        (Decimal("1.10"), "1.10"),
        (datetime.datetime(2026, 5, 24, 3, 17, tzinfo=datetime.UTC), "2026-05-24T03:17:00+00:00"),
        (datetime.datetime(2026, 5, 24, 3, 17, 1, 5), "2026-05-24T03:17:01.000005"),
        (datetime.time(3, 17), "03:17:00"),
        ([datetime.date(2026, 5, 24), 2**70], ["2026-05-24", 2**70]),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Text("a"), "a"),
        (Broken(), "<Broken whose repr fails>"),
        ({"a": [Broken()], "b": 2**70}, {"a": ["<Broken whose repr fails>"], "b": 2**70}),
        (int, "<class 'int'>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else(value: Any, expected: Any) -> None:
    done = dumps({"v": value})
    assert b"\n" not in done
    found = json.loads(done)["v"]
    assert found == expected


ODD = [
    (Proxy(), "<Proxy unbound>"),
    (PanicProxy(), "<PanicProxy whose repr fails>"),
    (Panics(), "<Panics whose repr fails>"),
    (Broken(), "<Broken whose repr fails>"),
    (PanicError(), {"type": "PanicError", "message": "<PanicError that cannot be shown>"}),
    (PanicModel(), "PanicModel()"),
    (datetime.datetime(2026, 5, 24, tzinfo=Nowhere()), "datetime.datetime(2026, 5, 24, 0, 0, tzinfo=nowhere)"),
    (uuid.UUID.__new__(uuid.UUID), "<UUID whose repr fails>"),
    (Lazy("p"), {"password": "p", "loaded": "<loaded cannot be read>"}),
]


@pytest.mark.parametrize(("odd", "shown"), ODD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("other", [1, 2**70, math.nan, "\ud83d", set()], ids=repr)
def test_one_odd_value_costs_nothing_but_itself(odd: Any, shown: Any, other: Any) -> None:
    value = {
        "password": "hunter2",
        "odd": odd,
        "in": [{"odd": [odd, "x"]}, MappingProxyType({"odd": odd})],
        "o": other,
    }
    done = json.loads(dumps(value))
    assert done.pop("o") == json.loads(dumps(other))
    assert done == {"password": "hunter2", "odd": shown, "in": [{"odd": [shown, "x"]}, {"odd": shown}]}
    keys = json.loads(dumps({"password": "p", PanicProxy(): 1, "o": other}))
    assert (keys["password"], keys["<PanicProxy whose repr fails>"]) == ("p", 1)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_stops_the_agent_stops_it(stop: type[BaseException]) -> None:
    class Stop:
        def __repr__(self) -> str:
            raise stop

    with pytest.raises(stop):
        dumps([2**70, Stop()])


@pytest.mark.parametrize("many", [1, 100, 5000])
def test_nan_is_found_wherever_it_is(many: int) -> None:
    assert json.loads(dumps([*["x" * 5] * many, {"a": (math.nan, None)}]))[-1] == {"a": ["nan", None]}
    assert json.loads(dumps([*["x" * 5] * many, Point(math.inf, set())]))[-1] == {"x": "inf", "tags": []}


@pytest.mark.parametrize("many", [0, 1, 100])
def test_numbers_of_all_kinds_in_one_list(many: int) -> None:
    for odd, shown in ((math.nan, "nan"), (-math.inf, "-inf"), (10**400, 10**400), (True, True), (2**64, 2**64)):
        assert json.loads(dumps([*[1.5, 2] * many, odd])) == [*[1.5, 2] * many, shown]


@pytest.mark.parametrize("other", [1, {1}, math.nan], ids=repr)
def test_what_is_written_stays_as_it_was(other: Any) -> None:
    value = {"a": (1, [other]), "b": [(2,), {"c": (other,)}], "d": [(3,)] * 50}
    expected = {"a": (1, [other]), "b": [(2,), {"c": (other,)}], "d": [(3,)] * 50}
    dumps(value)
    assert value == expected


def test_how_deep_containers_may_be_nested() -> None:
    for odd in (1, {1}):
        value: Any = odd
        for _ in range(140):
            value = [value]
        assert b"<nested too deep>" not in dumps(value)
        for _ in range(20):
            value = {"a": value}
        assert b"<nested too deep>" in dumps(value)


def test_what_cannot_be_shown_in_full() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    generator = numbers()
    assert json.loads(dumps(generator)).startswith("<generator object")
    assert next(generator) == 1  # looked at, not consumed
    assert b"<nested too deep>" in dumps(DEEP)
    assert json.loads(dumps(10**5000)).startswith("0x")
    assert len(json.loads(dumps(type("Long", (), {"__repr__": lambda self: "x" * 10**6})()))) < 20_000
    assert json.loads(dumps(BrokenModel())) in ("BrokenModel()", "<BrokenModel whose repr fails>")
    assert "Hostile" in json.loads(dumps(Hostile()))
    assert json.loads(dumps(lambda: None)).startswith("<function")


def test_a_body_goes_in_as_it_came() -> None:
    body = b'{"big": 12345678901234567890123,\r\n "x": 1.10, "e": "\\u00e9\\ud83d", "n": NaN}'
    fragment = raw_json(body)
    assert fragment is not None
    assert dumps({"body": fragment}) == b'{"body":' + body.replace(b"\r\n", b"  ") + b"}"


@pytest.mark.parametrize(
    "body", [b'{"a":', b"", b"{}{}", b"\xff", "{}".encode("utf-16"), b"[" * 100_000, b'{"a":"\n"}']
)
def test_what_is_no_json_is_not_taken_for_it(body: bytes) -> None:
    assert raw_json(body) is None
    if body != b'{"a":"\n"}':
        with pytest.raises(ValueError, match=r"."):
            loads(body.decode("latin-1"))


def test_no_value_is_asked_for_an_attribute_that_its_class_does_not_have() -> None:
    done = json.loads(dumps([Answers(), AnswersData(), AnswersTuple((1,)), Path()]))
    assert done == ["<proxy>", {"a": 1, "b": None}, [1], "/a"]
    assert Answers.asked == []


CHANGES = """
import dataclasses, enum, sys
from agenttap.jsonable import dumps

class Clears:
    def __repr__(self):
        box.clear()
        return "cleared"

class Models(Clears):
    def model_dump(self, **kwargs):
        return repr(self)

class Arrays(Clears):
    def tolist(self):
        return repr(self)

class Colours(enum.Enum):
    RED = 1
    value = property(lambda self: Clears.__repr__(self))

class Fails(enum.Enum):
    RED = 1
    value = property(lambda self: 1 / 0)

@dataclasses.dataclass
class Data:
    a: int

    def __getattribute__(self, name):
        return Clears.__repr__(self) if name in ("a", "__dict__") else object.__getattribute__(self, name)

one = {
    "repr": Clears(), "model": Models(), "array": Arrays(), "enum": Colours.RED, "failing": Fails.RED,
    "data": Data(1),
}[sys.argv[1]]
rest = [[str(i) + "x" * 50] for i in range(3000)]
box = [one, *rest]
if sys.argv[2] == "dict":
    box = {str(at): value for at, value in enumerate(box)}
print(len(dumps({"box": box})))
"""


@pytest.mark.parametrize("container", ["list", "dict"])
@pytest.mark.parametrize("odd", ["repr", "model", "array", "enum", "failing", "data"])
def test_a_container_that_changes_while_it_is_written(odd: str, container: str) -> None:
    """In a process of its own, as what this is about is a process that crashes."""
    args = [sys.executable, "-c", CHANGES, odd, container]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100_000  # all that was there at the beginning


def test_what_is_within_the_limit_is_written_in_full() -> None:
    for value in ({"a": [1, "x"]}, {"a": {1, 2}, "b": b"x"}, {"a": "\ud83d"}):
        assert dumps_within(value, len(dumps(value)), 4) == dumps(value)


@pytest.mark.parametrize(
    "large",
    ["x" * 1000, b"x" * 1000, ["x" * 500, "x" * 500], [1] * 1000, {"a": {"b": {"c": ["x" * 1000]}}}, [{1}] * 500],
    ids=["str", "bytes", "strings", "list", "deep", "sets"],
)
def test_what_is_too_large_keeps_its_small_values(large: Any) -> None:
    payload = {"large": large, "small": "x" * 98, "same": [1], "over": "x" * 99, "set": {1}, "null": None}
    done = json.loads(dumps_within(payload, 900, 100))
    size = done.pop("bytes")
    assert done == {"small": "x" * 98, "same": [1], "set": [1], "null": None, "truncated": True}
    assert 900 < size <= len(dumps(payload))


def test_the_length_of_what_is_too_large_is_exact_where_it_was_written() -> None:
    payload = {"a": [{"b": ["x" * 1000]}]}
    assert json.loads(dumps_within(payload, 900, 100))["bytes"] == len(dumps(payload))


@pytest.mark.parametrize(
    "large", ["x" * 20_000_000, ["é" * 20_000_000], [None] * 1_000_000], ids=["str", "strings", "list"]
)
def test_what_is_far_too_large_is_not_written_to_find_out(large: Any) -> None:
    tracemalloc.start()
    try:
        dumps_within({"args": {"a": large}} if type(large) is str else {"result": large}, 1_000_000, 4096)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_what_stands_for_a_value_is_made_once() -> None:
    calls: list[int] = []

    class Array:
        def tolist(self) -> list[str]:
            calls.append(1)
            return ["x" * 10] * 1000

    assert json.loads(dumps_within({"a": Array(), "b": 1}, 1000, 100))["b"] == 1
    assert len(calls) == 1
