"""What agents read and write, made up by a seed: prose, code, logs, tables, JSON in a string."""

import json
from collections.abc import Callable
from random import Random

_SUBJECTS = ["The index", "Our parser", "A nightly job", "The cache", "This endpoint", "The second worker", "It"]
_VERBS = ["returns", "drops", "has rewritten", "never sees", "waits for", "is told to skip", "no longer accepts"]
_OBJECTS = ["an empty page", "the old schema", "two rows per order", "its own output", "half of the quarters"]
_ENDINGS = [
    "until Monday.",
    'and logs "no such quarter" instead.',
    "(compare `docs/retries.md`).",
    "again.\n",
    "so the limit was raised to 4,096.\n\n- ",
    "– see issue #214.\n\n## ",
    "which the tests don't cover.",
]
_UNICODE = {
    "The index": "Das Verzeichnis „Umsätze“",
    "A nightly job": "夜間ジョブ",
    "This endpoint": "Этот адрес",
    "returns": "liefert",
    "drops": "は破棄する",
    "never sees": "не видит",
    "an empty page": "eine leere Seite ✔",
    "the old schema": "古いスキーマ",
    "again.\n": "снова.\n",
    "which the tests don't cover.": "テストされていません。 🙈",
}
_CODE = [
    "def growth(current: float, previous: float) -> float:\n    return (current - previous) / previous\n\n",
    '    key = os.environ.get("SEARCH_KEY", "")\n    headers = {"authorization": f"Bearer {key}"}\n',
    "    for token in tokens:\n        if token not in seen:\n            seen.add(token)\n",
    '        raise KeyError(f"no index {name!r}: {sorted(known)}")\n',
    '    path = root / "exports" / f"{quarter}.csv"\n    with path.open(newline="") as file:\n',
    "        rows = [{**row, 'region': region} for row in csv.DictReader(file)]\n",
    'const total = rows.reduce((sum, { value }) => sum + value, 0);\nconsole.log(`${name}: "${total}"`);\n',
    "\t\tif err := json.Unmarshal(body, &reply); err != nil {\n\t\t\treturn nil, err\n\t\t}\n",
    "# TYPE: the kind of a row, as the export names it\n",
]
_LOG = [
    '%s INFO  worker[%d] request done path="/v1/search" status=200\n',
    "%s WARN  worker[%d] retrying in 0.5 s: timeout\n",
    '%s ERROR worker[%d] {"event": "dropped", "reason": "queue full"}\n',
]


def prose(random: Random, size: int, unicode: bool = False) -> str:
    """Sentences with headings and lists between them, as of models and web pages."""

    def sentence() -> str:
        words = [random.choice(each) for each in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)]
        return " ".join(_UNICODE.get(word, word) if unicode else word for word in words)

    return _until(size, lambda: sentence() + " ")


def code(random: Random, size: int, unicode: bool = False) -> str:
    """A page of source code."""
    comment = "    # größer als nötig → 要確認\n" if unicode else "    # larger than needed\n"
    return _until(size, lambda: random.choice(_CODE) + (comment if random.random() < 0.1 else ""))


def log(random: Random, size: int, unicode: bool = False) -> str:
    """What a command has printed."""
    when = "2026-05-24T03:17:04.%03dZ"
    return _until(size, lambda: random.choice(_LOG) % (when % random.randrange(1000), random.randrange(64))) + (
        "완료 ✓\n" if unicode else "done\n"
    )


def records(random: Random, size: int, unicode: bool = False) -> str:
    """JSON, as APIs and databases answer: rows in a string."""

    def row() -> str:
        region = random.choice(["EMEA", "AMER", "APAC"])
        found = {"id": f"{random.getrandbits(64):016x}", "region": region, "revenue": random.random() * 1e4}
        return json.dumps({**found, "note": prose(random, 40, unicode)}, ensure_ascii=False) + ",\n "

    return "[" + _until(size, row).rstrip(",\n ") + "]"


_KINDS: list[Callable[[Random, int, bool], str]] = [prose, code, log, records]


def any_kind(random: Random, size: int, unicode: bool = False) -> str:
    """What a tool returns: some `size` characters of one of them."""
    return random.choice(_KINDS)(random, size, unicode)


def _until(size: int, part: Callable[[], str]) -> str:
    parts = []
    while size > 0:
        parts.append(part())
        size -= len(parts[-1])
    return "".join(parts)
