"""What is recorded in the benchmarks: tool results and model requests, made from a seed, no two of them alike.

An event is `(type, payload)`, a payload a dict of JSON's own types: prose, code, ids, and JSON in strings, as
agents send and get them. Nothing in it is serialised beforehand but for what is a string in real life, too.
"""

import json
import random
from collections.abc import Iterable
from typing import Any

Event = tuple[str, dict[str, Any]]

_SUBJECTS = ["The retry", "A customer", "This index", "The nightly job", "Our staging cluster", "The parser"]
_VERBS = ["returned", "expects", "rewrites", "has not seen", "was told to skip", "falls back to"]
_OBJECTS = ["an empty page", "the old schema", "two rows per order", "a stale cache entry", "7,4 % of the total"]
_ENDINGS = [
    "which nobody noticed until Monday.",
    "– see the notes of the Zürich office.",
    'and logs "no such quarter" instead.',
    "(compare https://docs.example.com/reports/quarterly?page=2).",
    "again.\n",
    "so max_tokens had to be raised.",
]
_CODE = [
    "def growth(current: float, previous: float) -> float:\n",
    "    return round((current - previous) / previous * 100, 1)\n",
    '    api_key = os.environ["SEARCH_API_KEY"]  # never a literal\n',
    "    for token in tokenizer.split(line):\n",
    '        raise KeyError(f"no such index: {name!r}")\n',
    "if __name__ == '__main__':\n    main()\n",
    '    path = pathlib.Path(r"C:\\data\\exports") / "2026-Q1.csv"\n',
    "    assert response.headers['content-type'].startswith('application/json')\n",
]
_PIECE = 2500  # characters of one text, about: a paragraph, a page of code, a search hit
_FRAME = 330  # bytes of JSON around the texts of an event
_HIT = 110  # bytes of JSON around one text


def events(size: int, count: int, seed: int) -> list[Event]:
    """Return `count` events of about `size` bytes of JSON each: tool results and model requests in turn.

    The same arguments give equal events, a new object in every place.
    """
    source = random.Random(f"{size} {count} {seed}")
    return [
        (_tool_result if number % 2 else _model_request)(source, f"evt-{number:06d}", size)
        for number in range(count)
    ]


def _tool_result(source: random.Random, event_id: str, size: int) -> Event:
    hits = [
        {
            "id": _id(source),
            "score": source.random(),
            "path": f"reports/{source.randrange(2015, 2027)}/{_id(source)[:8]}.md",
            "stored": True,
            "text": text,
        }
        for text in _texts(source, size)
    ]
    payload = {
        "event_id": event_id,
        "tool_name": "search",
        "call_id": f"toolu_{_id(source)}",
        "result": {"index": "sales-emea", "took_ms": source.randrange(900), "next_page": None, "hits": hits},
        "error": None,
        "duration_ms": round(source.random() * 1000, 3),
    }
    return "search.finished", payload


def _model_request(source: random.Random, event_id: str, size: int) -> Event:
    messages: list[dict[str, Any]] = []
    for number, text in enumerate(_texts(source, size)):
        if number % 2:
            block = {"type": "tool_result", "tool_use_id": f"toolu_{_id(source)}", "content": text}
        else:
            block = {"type": "text", "text": text}
        messages.append({"role": "user" if number % 2 == 0 else "assistant", "content": [block]})
    payload = {
        "event_id": event_id,
        "model": "claude-sonnet-4-6",
        "max_tokens": 1000,
        "temperature": 0.2,
        "system": _prose(source, 120),
        "metadata": {"user_id": _id(source), "trace": _id(source)},
        "messages": messages,
    }
    return "prompt.sent", payload


def _texts(source: random.Random, size: int) -> list[str]:
    """Return texts that make about `size` bytes of JSON with what is written around them."""
    count = max(1, round((size - _FRAME) / _PIECE))
    room = max(100, (size - _FRAME) // count - _HIT)
    kinds = [_prose, _code, _nested]
    return [source.choice(kinds)(source, room) for _ in range(count)]


def _prose(source: random.Random, room: int) -> str:
    parts = (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)
    sentences = (" ".join(map(source.choice, parts)) + " " for _ in range(room // 60 + 1))
    return _cut(sentences, source, room)


def _code(source: random.Random, room: int) -> str:
    return _cut(source.choices(_CODE, k=room // 40 + 1), source, room)


def _nested(source: random.Random, room: int) -> str:
    """JSON in a string, as many tools return it."""
    rows = [
        {"id": source.getrandbits(40), "region": "emea", "total": round(source.random() * 1e5, 2), "open": False}
        for _ in range(room // 90 + 1)
    ]
    return json.dumps({"page": _id(source), "rows": rows})


def _cut(lines: Iterable[str], source: random.Random, room: int) -> str:
    return f"{_id(source)}: {''.join(lines)}"[:room]


def _id(source: random.Random) -> str:
    return f"{source.getrandbits(96):024x}"
