"""Two runs compared: what of the second is not as in the first, where that began, and what it amounts to."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trace_cli import blame, delta, difference, line
from trace_cli.counted import document
from trace_cli.ignoring import Ignoring
from trace_cli.item import ARGS, LEVELS, STRUCTURE, TEXT, Item
from trace_cli.matching import matched
from trace_cli.side import Side

KEPT = 64  # events whose words are kept while partners are looked for


@dataclass(frozen=True, slots=True)
class Difference:
    """Two partners, or an event without one. `grade`: 0 the same, 1 in its text, 2 in its arguments, 3 beyond.

    `same_before`: nothing that led to it differs, but for the words of the model.
    """

    op: str  # equal, changed, added, removed
    a: Item | None
    b: Item | None
    grade: int
    same_before: bool
    place: int  # among all

    @property
    def item(self) -> Item:
        """Either event."""
        found = self.b or self.a
        assert found is not None
        return found


class Comparison:
    """Run `a` and run `b` compared at a level of LEVELS. Memory: some 500 bytes an event, and what is shown."""

    def __init__(self, a: Side, b: Side, level: str, ignoring: Ignoring) -> None:
        self.a, self.b = a, b
        self._level = level
        self._ignoring = ignoring
        self._documents: dict[str, tuple[Item, Item | None, Any]] = {}  # the last of either run
        self._known: dict[tuple[int, int], Counter[bytes]] = {}
        if level not in LEVELS:
            raise ValueError(f"{level!r} is no level: {', '.join(LEVELS)}")
        concurrent = a.conversations.concurrent, b.conversations.concurrent
        number = LEVELS.index(level)
        ops, self._exact = matched(a.items, b.items, concurrent, number, self._alike)
        self._known.clear()
        counting = TEXT - number + 1  # the grade from which on a difference counts
        self.all = list(self._graded(ops, counting))
        self.different = [each for each in self.all if each.op != "equal"]
        self.new_errors, self.gone_errors = self._errors()

    def _graded(self, ops: Iterable[tuple[int | None, int | None]], counting: int) -> Iterator[Difference]:
        touched: set[object] = set()  # conversations, and calls, in which something differs
        for place, (i, j) in enumerate(ops):
            a = None if i is None else self.a.items[i]
            b = None if j is None else self.b.items[j]
            grade = self._grade(a, b)
            op = "equal" if grade < counting else "changed" if a and b else "added" if b else "removed"
            led = set(_led_by("a", a)) | set(_led_by("b", b))
            yield Difference(op, a, b, grade, not (touched if None in led else led & touched), place)
            if grade > 1:
                touched |= led

    def _grade(self, a: Item | None, b: Item | None) -> int:
        if a is None or b is None or a.shape != b.shape:
            return 3
        grade = next((3 - level for level in (STRUCTURE, ARGS, TEXT) if a.keys[level] != b.keys[level]), 0)
        if grade and a.new and b.new and a.new.changed != b.new.changed:
            # What changed since the request before in one run alone may be by now as it always was in the other.
            pair = Difference("changed", a, b, grade, True, 0)
            documents = self._document("a", pair), self._document("b", pair)
            if a.new.dropped == b.new.dropped and not any(difference.changes(*documents, "", delta.key)):
                return 0
        if (a.model or b.model) and a.said_by != b.said_by:
            return max(grade, 2)
        return grade

    def _errors(self) -> tuple[list[int], list[int]]:
        """The numbers of errors that are left in one run alone: in the second, and in the first."""
        news = Counter(self.b.left.values()) - Counter(self.a.left.values())
        gone = Counter(self.a.left.values()) - Counter(self.b.left.values())
        return _these(self.b, news), _these(self.a, gone)

    @property
    def verdict(self) -> str:
        """What it amounts to, the gravest first: the events that differ, at whatever level."""
        if self.new_errors:
            return "regression"
        graver = [each for each in self.all if each.grade > 1]
        made = any(each.item.tool_name is not None and each.item.calls for each in self.all)
        lost, gained = (Counter(_calls(graver, side, made)) for side in ("a", "b"))
        if Counter(_names(lost)) != Counter(_names(gained)):
            return "tools-changed"
        alone = any(each.op in ("added", "removed") and _calls([each], "ab", made) for each in graver)
        if alone or (lost and lost == gained):
            return "tools-reordered"
        if lost:
            return "args-changed"
        kinds = {_kind(each.item) for each in graver if each.a and each.b}
        if any(not (each.a and each.b) for each in graver):
            return "events-changed"
        if "tool.result" in kinds:
            return "results-changed"
        if kinds - {"model.request", "run.started"}:
            return "events-changed"
        if kinds:
            return "input-changed"
        return "output-drift" if any(each.grade for each in self.all) else "same"

    @property
    def differ(self) -> bool:
        """Whether the runs count as different at this level."""
        return bool(self.different or self.new_errors)

    def rows(self, around: int = 0, first: bool = False) -> Iterator[dict[str, Any]]:
        """A row for each event that differs, and for the `around` equal ones on either side."""
        return (self.row(each) for each in self.shown(around, first))

    def shown(self, around: int = 0, first: bool = False) -> list[Difference]:
        """The differences, or the first of them, and `around` equal events on either side of each."""
        different = self.different[:1] if first else self.different
        near = {each.place for each in different}
        for each in different:
            for step in (-1, 1):
                for place in range(each.place + step, each.place + step * (around + 1), step):
                    if not 0 <= place < len(self.all) or self.all[place].op != "equal":
                        break
                    near.add(place)
        return [self.all[place] for place in sorted(near)]

    def is_downstream(self, each: Difference) -> bool:
        """Whether an event comes behind the first that differs."""
        return bool(self.different) and each.place > self.different[0].place

    def row(self, each: Difference) -> dict[str, Any]:
        """One event as a JSON object."""
        item = each.item
        row = {
            "op": each.op,
            "a": self.a.place(each.a),
            "b": self.b.place(each.b),
            "type": item.type,
            "tool_name": item.tool_name,
        }
        if each.op == "equal":
            return {**row, **self.place(each)}
        changes = self.changes(each)
        documents = self._document("a", each), self._document("b", each)
        return {
            **row,
            "similarity": difference.similarity(*documents) if each.a and each.b else None,
            "cause": self.cause(each, changes),
            "downstream": self.is_downstream(each),
            "changes": [{name: value for name, value in change.items() if name != "of"} for change in changes],
            **self.place(each),
        }

    def place(self, each: Difference) -> dict[str, Any]:
        """Where an event of the second run stands; of the first, where the second has none: an anchor."""
        side, item = (self.b, each.b) if each.b else (self.a, each.item)
        event = side.event(item.number)
        return {"run_id": event.run_id, "seq": event.seq, "_src": event.src}

    def cause(self, each: Difference, changes: Sequence[Mapping[str, Any]]) -> str | None:
        """What made an event differ, as far as can be told."""
        if self._breaks_off(each):
            return blame.ENVIRONMENT
        return blame.cause(each.op, each.a, each.b, changes, each.same_before)

    def changes(self, each: Difference) -> list[dict[str, Any]]:
        """The places in which two partners differ; for a request with what each leads into as "of"."""
        if each.a is None or each.b is None:
            return []
        a, b = self._document("a", each), self._document("b", each)
        request = each.a.new is not None and each.b.new is not None
        found = list(difference.changes(a, b, key=delta.key if request else line.canonical))
        if each.a.new is None or each.b.new is None:
            return found
        for change in found:
            gone = change["op"] == "removed"
            prompts = (each.a if gone else each.b).new.prompts  # type: ignore[union-attr]  # both are known
            change["of"] = blame.part_of(change["path"], a if gone else b, prompts)
        if each.a.new.dropped != each.b.new.dropped:
            a, b = ({"dropped": new.dropped} for new in (each.a.new, each.b.new))
            path = f"/payload/body/{each.b.new.name}"
            found.append(difference.changed(a, b, path, path))
        return found

    def _document(self, side: str, each: Difference) -> Any:
        item, other = (each.a, each.b) if side == "a" else (each.b, each.a)
        if item is None:
            return None
        kept = self._documents.get(side)
        if kept is None or kept[0] is not item or kept[1] is not other:
            event = (self.a if side == "a" else self.b).event(item.number)
            kept = self._documents[side] = item, other, document(event, item, other, self._ignoring)
        return kept[2]

    def _alike(self, i: int, j: int) -> float:
        a, b = self.a.items[i], self.b.items[j]
        return difference.common_words(self._words(self.a, a, b), self._words(self.b, b, a))

    def _words(self, side: Side, item: Item, other: Item) -> Counter[bytes]:
        found = self._known.get((id(side), item.number))
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = difference.words_of(document(side.index.event(item.number), item, other, self._ignoring))
            self._known[id(side), item.number] = found
        return found

    def _breaks_off(self, each: Difference) -> bool:
        """Whether it is the first difference, and the second run has nothing from there on, and no end."""
        if each.op != "removed" or self.is_downstream(each) or self.b.run.ended or not self.a.run.ended:
            return False
        return all(other.b is None for other in self.all[each.place :])

    def reason(self, each: Difference) -> str:
        """Why the runs differ from there on, in a few words."""
        if self._breaks_off(each):
            return "B breaks off here, without an end"
        return blame.reason(each.op, each.a, each.b, self.changes(each), each.same_before)

    def summary(self) -> dict[str, Any]:
        """The last row: what it amounts to."""
        ops = Counter(each.op for each in self.all)
        first = self.different[0] if self.different else None
        metrics = self.a.metrics(), self.b.metrics()
        return {
            "op": "summary",
            "verdict": self.verdict,
            "differ": self.differ,
            "level": self._level,
            "first_divergence": None if first is None else self._divergence(first),
            **{op: ops[op] for op in ("equal", "changed", "added", "removed")},
            "drifted": sum(each.op == "equal" and each.grade > 0 for each in self.all),
            "errors": {
                "new": [self._error(self.b, item) for item in self.new_errors],
                "gone": [self._error(self.a, item) for item in self.gone_errors],
            },
            "ignored": self._ignoring.met,
            "metrics": {name: {"a": metrics[0][name], "b": metrics[1][name]} for name in metrics[0]},
            "approximate": not self._exact,
            **({} if first is None else self.place(first)),
        }

    def _divergence(self, first: Difference) -> dict[str, Any]:
        row = self.row(first)
        kept = ("op", "a", "b", "type", "tool_name", "cause")
        return {**{name: row[name] for name in kept}, "reason": self.reason(first)}

    def _error(self, side: Side, number: int) -> dict[str, Any]:
        return {**side.index.errors.get(number, {}), **side.index.event(number).place()}


def _kind(item: Item) -> str:
    """The type of an event; of what a tool returned, whoever wrote it, tool.result."""
    return "tool.result" if item.label in ("tool", "function") else item.type


def _led_by(side: str, item: Item | None) -> Iterator[tuple[str, object] | None]:
    """What leads to an event: its conversation; to the result of a tool its call alone; None: all before it."""
    if item is None:
        return
    if item.type in ("tool.called", "tool.result") and item.call_id is not None:
        yield side, item.call_id
    if item.type != "tool.result" or item.call_id is None:
        yield (side, item.conversation.number) if item.conversation else None


def _calls(differences: Iterable[Difference], sides: str, made: bool) -> list[tuple[str, bytes]]:
    """The tool calls of events: of those that are calls, where a run has such; else what the model asked for."""
    items = [getattr(each, side) for each in differences for side in sides]
    return [call for item in items if item and (item.tool_name is not None) == made for call in item.calls]


def _names(calls: Mapping[tuple[str, bytes], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (name, _), count in calls.items():
        found[name] += count
    return found


def _these(side: Side, wanted: Counter[tuple[str, ...]]) -> list[int]:
    """The numbers of the errors of a run that are wanted, as many of each."""
    found = []
    for number, known in sorted(side.left.items()):
        if wanted[known] > 0:
            wanted[known] -= 1
            found.append(number)
    return found
