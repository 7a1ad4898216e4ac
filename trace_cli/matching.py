"""Which event of one run is which of another: pairs, and what has no partner."""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from itertools import pairwise

from trace_cli.alignment import Pairs, aligned, common
from trace_cli.following import Conversation
from trace_cli.item import ARGS, TEXT, Item

LIKE = 400  # pairs in a gap of which the most similar ones are looked for; in a larger one, order alone counts
Op = tuple[int | None, int | None]  # places of a pair in the items of either run; None: no partner
Alike = Callable[[int, int], float]


def matched(
    a: Sequence[Item], b: Sequence[Item], concurrent: tuple[set[int], set[int]], level: int, alike: Alike
) -> tuple[list[Op], bool]:
    """All events of both runs in the order of `a`, each beside its partner; whether the alignment is exact.

    Partners are, in this order: a longest common subsequence of those that are the same (at level `text` first of
    those with the same text); in the gaps, those of one type and label, the most `alike`. Conversations that go on
    at once are aligned one by one, tool calls of one turn as a set. `concurrent` are the numbers of such
    conversations in either run.
    """
    texts_a, texts_b = ([item.keys[TEXT] for item in items] for items in (a, b))
    if texts_b < texts_a:  # one of them always comes first, so that which one is A changes nothing
        pairs, exact = _partners(b, a, concurrent[::-1], level, lambda j, i: alike(i, j))
        partners = {i: j for j, i in pairs.items()}
    else:
        partners, exact = _partners(a, b, concurrent, level, alike)
    return _ops(len(a), len(b), partners), exact


def _partners(
    a: Sequence[Item], b: Sequence[Item], concurrent: tuple[set[int], ...], level: int, alike: Alike
) -> tuple[dict[int, int], bool]:
    matching = _Matching(a, b, alike)
    lanes = list(_lanes(a, b, concurrent))
    for each in (TEXT, ARGS) if level == TEXT else (ARGS,):
        for lane_a, lane_b in lanes[1:]:  # first without what may stand in a wrong lane
            matching.same(_sure(a, lane_a), _sure(b, lane_b), each)
        for lane_a, lane_b in lanes:
            matching.same(lane_a, lane_b, each)
    matching.guessed(concurrent)
    lanes.append((range(len(a)), range(len(b))))  # last of all, whatever is left
    matching.same(*lanes[-1], ARGS)
    for lane_a, lane_b in lanes:
        matching.like(lane_a, lane_b, together=False)
    matching.turns()
    for lane_a, lane_b in lanes:
        matching.like(lane_a, lane_b, together=True)
    return matching.of_a, matching.exact


def _by_what_it_is(item: Item) -> Hashable:
    return item.shape, item.keys[ARGS]


def _by_its_call(item: Item) -> Hashable:
    return item.shape, item.order


def _guessed(
    items: Sequence[Item], known: Container[int], concurrent: set[int], known_by: Callable[[Item], Hashable]
) -> dict[Hashable, list[int]]:
    """Calls without a partner, and results, of which it is a guess that these conversations asked for them."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        if item.guessed and place not in known and item.conversation and item.conversation.number in concurrent:
            found[known_by(item)].append(place)
    return found


def _sure(items: Sequence[Item], lane: Sequence[int]) -> list[int]:
    return [place for place in lane if not items[place].guessed]


def _ops(count_a: int, count_b: int, partners: Mapping[int, int]) -> list[Op]:
    """All events: in the order of `a`; those of `b` alone before what comes behind them in `b`."""
    of_b = {j: i for i, j in partners.items()}
    placed: list[tuple[int, int, int, Op]] = [(i, 1, 0, (i, partners.get(i))) for i in range(count_a)]
    behind = count_a
    for j in range(count_b - 1, -1, -1):
        if j in of_b:
            behind = of_b[j]
        else:
            placed.append((behind, 0, j, (None, j)))
    return [op for *_, op in sorted(placed, key=lambda each: each[:3])]


class _Matching:
    """The partners found so far."""

    def __init__(self, a: Sequence[Item], b: Sequence[Item], alike: Alike) -> None:
        self._a, self._b = a, b
        self._alike = alike
        self.of_a: dict[int, int] = {}
        self._of_b: dict[int, int] = {}
        self.exact = True

    def _pair(self, i: int, j: int) -> None:
        self.of_a[i], self._of_b[j] = j, i

    def same(self, lane_a: Sequence[int], lane_b: Sequence[int], level: int) -> None:
        """Pairs what is the same at a level and has no partner yet, without crossing what has."""
        for gap_a, gap_b in self._gaps(lane_a, lane_b):
            keys_a = [(self._a[i].shape, self._a[i].keys[level]) for i in gap_a]
            keys_b = [(self._b[j].shape, self._b[j].keys[level]) for j in gap_b]
            pairs, exact = aligned(keys_a, keys_b)
            self.exact = self.exact and exact
            for x, y in pairs:
                self._pair(gap_a[x], gap_b[y])

    def guessed(self, concurrent: tuple[set[int], ...]) -> None:
        """Pairs calls that one of several conversations asked for, and results: the same, then any of one call."""
        for known_by in _by_what_it_is, _by_its_call:
            left_a = _guessed(self._a, self.of_a, concurrent[0], known_by)
            left_b = _guessed(self._b, self._of_b, concurrent[1], known_by)
            for known, places_a in left_a.items():
                for i, j in zip(places_a, left_b[known], strict=False):
                    self._pair(i, j)

    def like(self, lane_a: Sequence[int], lane_b: Sequence[int], *, together: bool) -> None:
        """Pairs what is of one type and label; calls that were asked for together only where that is wanted."""
        for each_a, each_b in self._gaps(lane_a, lane_b):
            gap_a = [i for i in each_a if together or self._a[i].asked is None]
            gap_b = [j for j in each_b if together or self._b[j].asked is None]
            for x, y in self._likest(gap_a, gap_b):
                self._pair(gap_a[x], gap_b[y])

    def _likest(self, gap_a: Sequence[int], gap_b: Sequence[int]) -> Pairs:
        shapes_a, shapes_b = [self._a[i].shape for i in gap_a], [self._b[j].shape for j in gap_b]
        if shapes_a == shapes_b or len(gap_a) * len(gap_b) > LIKE:
            pairs, exact = aligned(shapes_a, shapes_b)
            self.exact = self.exact and exact
            return pairs
        return _most_alike(shapes_a, shapes_b, lambda x, y: self._alike(gap_a[x], gap_b[y]))

    def _gaps(self, lane_a: Sequence[int], lane_b: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
        """Between those partners of two lanes that stand in the same order: what has no partner."""
        place_of_b = {j: y for y, j in enumerate(lane_b)}
        known = [(x, place_of_b[self.of_a[i]]) for x, i in enumerate(lane_a) if self.of_a.get(i) in place_of_b]
        x = y = 0
        for next_x, next_y in [*_rising(known), (len(lane_a), len(lane_b))]:
            gap_a = [i for i in lane_a[x:next_x] if i not in self.of_a]
            gap_b = [j for j in lane_b[y:next_y] if j not in self._of_b]
            if gap_a and gap_b:
                yield gap_a, gap_b
            x, y = next_x + 1, next_y + 1

    def turns(self) -> None:
        """Pairs calls, and their results, that were asked for together by responses that are partners."""
        asked_a, asked_b = _asked(self._a), _asked(self._b)
        number_of_a = {item.number: i for i, item in enumerate(self._a)}
        for number, calls_a in asked_a.items():
            j = self.of_a.get(number_of_a.get(number, -1))
            calls_b = asked_b.get(self._b[j].number, []) if j is not None else []
            for kind in ("tool.called", "tool.result"):
                left_a = [i for i in calls_a if i not in self.of_a and self._a[i].type == kind]
                left_b = [j for j in calls_b if j not in self._of_b and self._b[j].type == kind]
                self._by_call(calls_a, left_a, left_b)
                known = [(i, j) for i in left_a for j in left_b if self._a[i].shape == self._b[j].shape]
                if len(known) <= LIKE:
                    known.sort(key=lambda pair: -self._alike(*pair))
                for i, j in known:
                    if i not in self.of_a and j not in self._of_b:
                        self._pair(i, j)

    def _by_call(self, calls_a: Sequence[int], left_a: Sequence[int], left_b: Sequence[int]) -> None:
        """Pairs the results of calls that are partners, of one turn: its calls have ids of their own."""
        result_of_b = {self._b[j].call_id: j for j in left_b if self._b[j].type == "tool.result"}
        called_b = {
            self._a[i].call_id: self._b[self.of_a[i]].call_id
            for i in calls_a
            if i in self.of_a and self._a[i].type == "tool.called"
        }
        for i in left_a:
            j = result_of_b.get(called_b.get(self._a[i].call_id))
            if j is not None and j not in self._of_b and self._a[i].shape == self._b[j].shape:
                self._pair(i, j)


def _most_alike(a: Sequence[Hashable], b: Sequence[Hashable], alike: Alike) -> Pairs:
    """As many pairs of equal items as can be, in their order; of those the ones that are most alike."""
    best: list[list[tuple[float, float]]] = [[(0, 0.0)] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if a[i] == b[j]:
                count, likeness = best[i + 1][j + 1]
                best[i][j] = max(best[i][j], (count + 1, likeness + alike(i, j)))
    pairs = []
    i = j = 0
    while i < len(a) and j < len(b):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _rising(pairs: Sequence[tuple[int, int]]) -> Pairs:
    """Of pairs in the order of their first part a longest run in which the second one rises too."""
    if all(one[1] < other[1] for one, other in pairwise(pairs)):
        return list(pairs)
    kept = common([y for _, y in pairs], sorted(y for _, y in pairs))
    return [pairs[place] for place, _ in kept]


def _asked(items: Sequence[Item]) -> dict[int, list[int]]:
    """The calls, and their results, that were asked for together, by the number of the response."""
    found: dict[int, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        if item.asked is not None:
            found[item.asked].append(place)
    return found


def _lanes(
    a: Sequence[Item], b: Sequence[Item], concurrent: tuple[set[int], ...]
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """What is aligned with what: each conversation that went on beside others by itself, all else as one."""
    firsts = {  # how such conversations began
        item.conversation.signature[1]
        for items, numbers in zip((a, b), concurrent, strict=True)
        for item in items
        if item.conversation and item.conversation.number in numbers
    }
    sides = [_by_conversation(items, firsts) for items in (a, b)]
    yield _in_turn(a, sides[0].pop(None, [])), _in_turn(b, sides[1].pop(None, []))
    lanes_a, lanes_b = (
        {
            (tuple(items[each].keys[TEXT] for each in _sure(items, _in_turn(items, places))), *key): places
            for key, places in side.items()
            if key
        }
        for items, side in zip((a, b), sides, strict=True)
    )
    for part in _SAME:
        left: dict[object, list[_Known]] = {}
        for known in lanes_b:
            left.setdefault(known[part], []).append(known)
        for known in list(lanes_a):
            if others := left.get(known[part]):
                yield _in_turn(a, lanes_a.pop(known)), _in_turn(b, lanes_b.pop(others.pop(0)))


_Known = tuple[tuple[bytes, ...], bytes, bytes, int]  # what a conversation is known by: all of it, and its lane
_SAME = (slice(0, 3), slice(1, 4), slice(2, 4), slice(1, 2), slice(0, 0))  # all, how it began, the prompt, nothing
_Lane = tuple[bytes, bytes, int]  # a conversation: its signature, and how many began so before it


def _by_conversation(items: Sequence[Item], firsts: set[bytes]) -> dict[_Lane | None, list[int]]:
    found: dict[_Lane | None, list[int]] = {}
    lanes: dict[int, _Lane | None] = {}
    began: Counter[tuple[bytes, bytes]] = Counter()
    steps = _steps(items)
    for place, item in enumerate(items):
        lane = None
        known = item.conversation or steps.get(item.step_id)
        if known is not None:
            if known.number not in lanes:
                signed = known.signature[1] in firsts
                lanes[known.number] = (*known.signature, began[known.signature]) if signed else None
                began[known.signature] += 1
            lane = lanes[known.number]
        found.setdefault(lane, []).append(place)
    return found


def _steps(items: Sequence[Item]) -> dict[str | None, Conversation | None]:
    """The only conversation that goes on in a step; None: there are several."""
    found: dict[str | None, Conversation | None] = {None: None}
    for item in items:
        if item.conversation is not None:
            one = found.setdefault(item.step_id, item.conversation)
            found[item.step_id] = one if one is item.conversation else None
    return found


def _in_turn(items: Sequence[Item], places: Sequence[int]) -> list[int]:
    """Places of events, those of calls that were asked for together in one order, however they were made."""
    groups: dict[int, list[int]] = defaultdict(list)
    for position, place in enumerate(places):
        asked = items[place].asked
        if asked is not None:
            groups[asked].append(position)
    found = list(places)
    for positions in groups.values():
        ordered = sorted((places[each] for each in positions), key=lambda place: items[place].order)
        for position, place in zip(positions, ordered, strict=True):
            found[position] = place
    return found
