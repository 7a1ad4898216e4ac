"""Values and messages as lines of text: JSON that can be read, code with its newlines, long texts folded."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trace_cli import line, message
from trace_cli.text import lines, visible

Span = tuple[str, str]  # a text fit for a terminal, and its style

HIDDEN = "dim italic"  # the style of what tells how much is hidden
HEAD, TAIL = 10, 4  # lines of a folded text that are shown
LONG = 1000  # characters of a line that are shown, of those behind them a count
DEEP = 40  # levels of nesting that are spread out
INLINE = 60  # characters of an object that stands on one line


@dataclass(frozen=True, slots=True)
class Line:
    """A line before it is broken to a width: what it says, and how far all its rows are indented."""

    spans: tuple[Span, ...] = ()
    indent: int = 0

    @property
    def plain(self) -> str:
        """Its text."""
        return "".join(text for text, _ in self.spans)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lines beside each other, with a mark between them; where they are to be `cut`, on one row."""

    left: Line
    right: Line
    mark: Span
    cut: bool = False


Shown = Line | Pair


def said(text: str, style: str = "", indent: int = 0) -> Line:
    """A line in one style; `text` is shown as it is, never interpreted."""
    return Line(((visible(text), style),) if text else (), indent)


def with_hint(lines: Iterable[Shown], hint: str) -> Iterator[Shown]:
    """The lines; behind them, where something in them is hidden, how to see it."""
    hidden = False
    for each in lines:
        spans = each.spans if isinstance(each, Line) else (*each.left.spans, *each.right.spans)
        hidden = hidden or any(style == HIDDEN for _, style in spans)
        yield each
    if hidden:
        yield Line()
        yield said(hint, "dim")


def text_lines(text: str, *, style: str = "", indent: int = 0, full: bool = False) -> Iterator[Line]:
    """A text, folded unless `full`: its first and last lines, and a count of what is hidden between them."""
    shown = text if full else _shortened(text)
    every = lines(shown)
    hidden = 0 if full else len(every) - HEAD - TAIL
    for number, each in enumerate(every):
        if hidden > 1 and HEAD <= number < HEAD + hidden:
            if number == HEAD:
                yield said(f"… {hidden:,} lines hidden", HIDDEN, indent)
            continue
        cut = len(each) - LONG
        if full or cut <= 80:
            yield Line(((each, style),), indent)
        else:
            yield Line(((each[:LONG], style), (f" … {cut:,} characters hidden", HIDDEN)), indent)


def _shortened(text: str) -> str:
    """A huge text without most of its middle, which nobody will see; its lines are counted, not kept."""
    if len(text) < 200_000:
        return text
    start, end = text[:50_000], text[-50_000:]
    dropped = text.count("\n", 50_000, len(text) - 50_000)
    return f"{start}{chr(10) * dropped}{end}" if dropped else text


def value_lines(value: Any, *, indent: int = 0, full: bool = False) -> Iterator[Line]:
    """Any JSON value: a text as text, also one that is JSON itself; objects key by key, lists item by item."""
    if isinstance(value, str):
        inner = _json_in(value)
        if inner is None:
            yield from text_lines(value, indent=indent, full=full)
            return
        value = inner
    shown = list(_spread(value, indent, full, 0))
    hidden = 0 if full else len(shown) - 3 * HEAD - TAIL
    if hidden > 1:
        shown[3 * HEAD : 3 * HEAD + hidden] = [said(f"… {hidden:,} lines hidden", HIDDEN, indent)]
    yield from shown


def _json_in(text: str) -> Any:
    """The object or list that a text spells, or None."""
    start = text[:40].lstrip()[:1]
    if start not in ("{", "[") or len(text) > 1 << 20:
        return None
    found = line.parsed(text)
    return None if found is text else found


def _spread(value: Any, indent: int, full: bool, depth: int) -> Iterator[Line]:
    items: Iterable[tuple[Span, Any]]
    if isinstance(value, Mapping) and value and depth < DEEP:
        items = (((f"{visible(str(key))}: ", "cyan"), item) for key, item in value.items())
    elif isinstance(value, list) and value and depth < DEEP:
        items = ((("- ", "cyan"), item) for item in value)
    else:
        yield from text_lines(_scalar(value), indent=indent, full=full)
        return
    for label, item in items:
        if _fits(item):
            (first,) = text_lines(_scalar(item), full=full)
            yield Line((label, *first.spans), indent)
        elif isinstance(item, str):
            yield Line((label,), indent)
            yield from text_lines(item, indent=indent + 2, full=full)
        else:
            yield Line((label,), indent)
            yield from _spread(item, indent + 2, full, depth + 1)


def _fits(value: Any) -> bool:
    """Whether a value is shown behind its key: no text of several lines, no large object."""
    if isinstance(value, str):
        return "\n" not in value
    if isinstance(value, list | Mapping):
        return not value or (len(value) <= 8 and len(line.dump(value)) <= INLINE)
    return True


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return line.dump(value).decode("utf-8", "replace")


def message_lines(
    sent: Mapping[str, Any], names: Mapping[str, str], *, indent: int = 0, full: bool = False
) -> Iterator[Line]:
    """The blocks of a message, in Anthropic's and OpenAI's shapes. `names` are the tools of the calls, by id."""
    kind = sent.get("type")
    if kind == "function_call":
        yield from _tool_use(sent.get("name"), sent.get("arguments"), indent, full)
    elif kind == "function_call_output":
        yield from _tool_result(names.get(str(sent.get("call_id"))), sent.get("output"), False, indent, full)
    elif sent.get("role") == "tool":
        yield from _tool_result(names.get(str(sent.get("tool_call_id"))), sent.get("content"), False, indent, full)
    elif kind == "reasoning":
        summary = sent.get("summary")
        yield said("(reasoning)", "dim", indent)
        yield from text_lines(message.text_of(summary), style="dim", indent=indent, full=full) if summary else ()
    elif "content" not in sent and "tool_calls" not in sent:
        yield from value_lines(dict(sent), indent=indent, full=full)
    else:
        for block in message.blocks(sent.get("content")):
            yield from _block_lines(block, names, indent, full)
        if isinstance(refusal := sent.get("refusal"), str):
            yield from text_lines(f"✗ {refusal}", style="red", indent=indent, full=full)
        calls = sent.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, Mapping) else None
            if isinstance(function, Mapping):
                yield from _tool_use(function.get("name"), function.get("arguments"), indent, full)


_TEXTS = ("text", "input_text", "output_text")
_USES = ("tool_use", "server_tool_use", "mcp_tool_use")


def _block_lines(block: Mapping[str, Any], names: Mapping[str, str], indent: int, full: bool) -> Iterator[Line]:
    kind = str(block.get("type"))
    if kind in _TEXTS and isinstance(block.get("text"), str):
        yield from text_lines(block["text"], indent=indent, full=full)
    elif kind == "thinking" and isinstance(block.get("thinking"), str):
        yield said("(thinking)", "dim", indent)
        yield from text_lines(block["thinking"], style="dim", indent=indent, full=full)
    elif kind in _USES:
        yield from _tool_use(block.get("name"), block.get("input"), indent, full)
    elif kind.endswith("tool_result"):
        name = names.get(str(block.get("tool_use_id")))
        yield from _tool_result(name, block.get("content"), block.get("is_error") is True, indent, full)
    elif isinstance(source := block.get("source") or block.get("image_url"), Mapping):
        size = len(line.dump(block))
        what = source.get("media_type") or source.get("type") or ""
        yield said(f"({kind} {what}, {size:,} bytes)".replace(" ,", ","), "dim", indent)
    else:
        yield from value_lines(dict(block), indent=indent, full=full)


def _tool_use(name: Any, args: Any, indent: int, full: bool) -> Iterator[Line]:
    if isinstance(args, str):
        inner = _json_in(args)
        args = args if inner is None else inner
    head = (("→ ", "dim"), (visible(str(name)), "yellow"))
    if isinstance(args, Mapping) and all(_fits(item) for item in args.values()):
        inline = ", ".join(f"{key}={_scalar(item)}" for key, item in args.items())
        if len(inline) <= INLINE:
            yield Line((*head, (f"({visible(inline)})", "")), indent)
            return
    yield Line(head, indent)
    yield from value_lines(args, indent=indent + 2, full=full)


def _tool_result(name: str | None, content: Any, failed: bool, indent: int, full: bool) -> Iterator[Line]:
    style = "red" if failed else "dim"
    yield said(f"{'✗' if failed else '←'} {name or 'result'}", style, indent)
    text = message.text_of(content) if isinstance(content, list) else content
    blocks = message.blocks(content) if isinstance(content, list) else ()
    others = [block for block in blocks if block.get("type") not in _TEXTS]
    if text or not others:
        yield from value_lines(text, indent=indent + 2, full=full)
    for block in others:
        yield from _block_lines(block, {}, indent + 2, full)


_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s"{}\[\],:]+')


def json_lines(raw: bytes) -> Iterator[Line]:
    """A line of JSON spread out, each of its tokens as it was written: numbers keep their digits."""
    row: list[Span] = []
    depth, opened = 0, False
    for found in _TOKEN.finditer(raw):
        token = found[0]
        if token in b"}]":
            depth -= 1
            if not opened and row:
                yield Line(tuple(row), 2 * (depth + 1))
                row = []
        elif opened and row:
            yield Line(tuple(row), 2 * (depth - 1))
            row = []
        opened = token in b"{["
        row.append((visible(token.decode("utf-8", "replace")), ""))
        if opened:
            depth += 1
        elif token == b",":
            yield Line(tuple(row), 2 * depth)
            row = []
        elif token == b":":
            row[-1:] = [(": ", "")]
            row[-2] = (row[-2][0], "cyan")
    if row:
        yield Line(tuple(row), 2 * depth)
