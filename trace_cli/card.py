"""The card of an event: what it says and what belongs to it, as lines of text; errors first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trace_cli import attached, message, readable, usage
from trace_cli.event import Event
from trace_cli.readable import Line, said
from trace_cli.text import clock, compact, visible

COLORS = {"run": "blue", "step": "blue", "model": "cyan", "tool": "yellow", "http": "magenta"}
_CALLED = (".called", ".request")
_LAST = 2  # messages of a request that are shown: the rest is the conversation


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card is about: an event, the other half of its call, and what is known around them.

    `error` is its `_error`; `partner_error` that of the other half. `since_start` is in seconds. `whole`: the run
    was read to its end, what is missing is not to come.
    """

    event: Event
    partner: Event | None = None
    error: Mapping[str, Any] | None = None
    partner_error: Mapping[str, Any] | None = None
    run_name: str | None = None
    since_start: float | None = None
    whole: bool = True

    @property
    def halves(self) -> list[tuple[Event, Mapping[str, Any] | None]]:
        """The events of the call, in their order, each with its `_error`."""
        both = [(self.event, self.error)]
        if self.partner is not None:
            both.append((self.partner, self.partner_error))
        return sorted(both, key=lambda half: half[0].index)


def color_of(kind: str) -> str:
    """The colour of a type."""
    return COLORS.get(kind.partition(".")[0], "")


def lines(shown: Shown, full: bool = False) -> Iterator[Line]:
    """The card, from its title down. Long texts are folded unless `full`."""
    yield from _title(shown)
    yield from _errors(shown)
    event, partner = shown.event, shown.partner
    called, answer = (event, partner) if event.type.endswith(_CALLED) else (partner, event)
    if event.type.startswith("tool.") and event.type in ("tool.called", "tool.result"):
        yield from _tool(shown, called, answer, full)
    elif event.type.startswith(("model.", "http.")) and event.type.endswith((".request", ".response", ".error")):
        halves = [_answer(shown, answer, full), _request(shown, called, full)]
        for half in halves[::-1] if event is called else halves:
            yield from half
    else:
        yield from _any(event, full)
    for each, _ in shown.halves:
        if values := attached.of(each):
            yield Line()
            yield heading("attached", _elsewhere(shown, each))
            yield from readable.value_lines(values, indent=2, full=full)


def _title(shown: Shown) -> Iterator[Line]:
    event = shown.event
    what = event.tool_name or ""
    style = "bold red" if shown.error else f"bold {color_of(event.type)}".strip()
    yield Line(((visible(event.type or "(no type)"), style), (f"  {visible(what)}" if what else "", "bold")))
    facts = [f"event {event.index}", clock(event.time)]
    if shown.since_start is not None:
        facts.append(f"{shown.since_start:+.3f} s")
    facts.append(f"{event.src['file']}:{event.src.get('line')}")
    yield said(" · ".join(facts), "dim")
    run = " ".join(filter(None, (shown.run_name, event.run_id)))
    if run:
        yield said(f"run {run}", "dim")
    if event.step_id:
        yield said(f"step {' '.join(filter(None, (event.step, event.step_id)))}", "dim")
    if event.span:
        yield said("OpenTelemetry trace {} span {}".format(*event.span), "dim")


def _errors(shown: Shown) -> Iterator[Line]:
    for event, error in ((shown.event, shown.error), (shown.partner, shown.partner_error)):
        if event is None or error is None:
            continue
        text = message.with_type(str(error.get("message")), event.payload.get("exception"))
        yield from readable.text_lines(f"✗ {text}", style="bold red")
        if where := message.raised_in(event.payload.get("exception")):
            yield said(f"raised in {where}", "red", 2)
        tool = error.get("tool_name")
        facts = [str(error.get("kind")), f"in {tool}" if tool and tool != event.tool_name else ""]
        facts.append(_RECOVERED.get(error.get("recovered"), ""))
        yield said(", ".join(filter(None, facts)), "red", 2)


_RECOVERED: dict[Any, str] = {True: "recovered later", False: "never recovered"}


def heading(name: str, *facts: object) -> Line:
    """The heading of a part of a card."""
    known = " · ".join(visible(str(fact)) for fact in facts if fact not in (None, ""))
    return Line(((name, "bold"), (f"  {known}" if known else "", "dim")))


def _tool(shown: Shown, called: Event | None, result: Event | None, full: bool) -> Iterator[Line]:
    yield Line()
    if called is None:
        yield heading("call", "not in this trace")
    else:
        yield heading("call", _elsewhere(shown, called))
        yield from readable.value_lines(called.args, indent=2, full=full)
    yield Line()
    if result is None:
        yield _no_answer(shown, "result")
        return
    failed = result.payload.get("error") is not None
    yield heading("result", _elsewhere(shown, result), _took(result.payload), "an error" if failed else "")
    if result.result is not None or result.payload.get("error") is None:
        yield from readable.value_lines(result.result, indent=2, full=full)
    exception = result.payload.get("exception")
    if isinstance(exception, Mapping) and isinstance(trace := exception.get("traceback"), str):
        yield Line()
        yield heading("traceback")
        yield from readable.text_lines(trace.rstrip("\n"), indent=2, full=full)


def _elsewhere(shown: Shown, event: Event) -> str:
    """Where the other half stands."""
    return "" if event is shown.event else f"event {event.index}"


def _no_answer(shown: Shown, name: str) -> Line:
    why = "none: the run ends without one" if shown.whole else "none yet"
    return Line(((name, "bold"), (f"  {why}", "red" if shown.whole else "dim")))


def _took(payload: Mapping[str, Any]) -> str:
    """Timing as a text, or ""."""
    first, whole = usage.number(payload.get("ttft_ms")), usage.number(payload.get("duration_ms"))
    first = first if payload.get("stream") is True else None
    token = f"first token after {_ms(first)}" if first is not None else ""
    return ", ".join(filter(None, (token, _ms(whole) if whole is not None else "")))


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if abs(value) < 1000 else f"{value / 1000:,.2f} s"


def _request(shown: Shown, event: Event | None, full: bool) -> Iterator[Line]:
    yield Line()
    if event is None:
        yield heading("request", "not in this trace")
        return
    payload = event.payload
    body = payload.get("body")
    attempt = payload.get("attempt")
    again = f"attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
    model = body.get("model") if isinstance(body, Mapping) else None
    yield heading("request", _elsewhere(shown, event), model, again, payload.get("provider"))
    yield said(f"{payload.get('method', '')} {payload.get('url', '')}".strip(), "dim", 2)
    if not isinstance(body, Mapping) or event.type == "http.request":
        yield from _missing_body(payload, full)
        return
    asked = message.parts(body)
    yield from settings_line(asked.settings)
    yield from system_lines(asked.system, full)
    yield from tools_line(asked.tools)
    messages = asked.messages
    names = message.tool_names(messages)
    start = 0 if full else max(0, len(messages) - _LAST)
    before = f"the last {len(messages) - start}" if start else ""
    yield heading("messages", len(messages), before)
    for number in range(start, len(messages)):
        yield from numbered_message(number, messages[number], names, full)


def settings_line(settings: Mapping[str, Any]) -> Iterator[Line]:
    """The settings of a request, on one line."""
    shown = ", ".join(f"{key} {compact(value, 60)}" for key, value in settings.items())
    if shown:
        yield Line((("settings", "bold"), (f"  {visible(shown)}", "")), 0)


def system_lines(system: Any, full: bool) -> Iterator[Line]:
    """The system prompt of a request."""
    if system is not None:
        yield heading("system")
        text = message.text_of(system)
        yield from readable.value_lines(text or system, indent=2, full=full)


def tools_line(tools: Any) -> Iterator[Line]:
    """The names of the tools in a request."""
    if tools:
        yield Line((("tools", "bold"), (f"  {visible(', '.join(map(message.tool_of, tools)))}", "")))


def numbered_message(
    number: int, sent: Mapping[str, Any], names: Mapping[str, str], full: bool, mark: str = ""
) -> Iterator[Line]:
    """A message under its number and role."""
    role = str(sent.get("role") or sent.get("type") or "")
    yield Line(((f"{mark or ' '} {number} ", "dim"), (visible(role), _ROLES.get(role, ""))))
    yield from readable.message_lines(sent, names, indent=4, full=full)


_ROLES = {"user": "green", "assistant": "cyan", "tool": "yellow", "system": "magenta", "developer": "magenta"}


def _answer(shown: Shown, event: Event | None, full: bool) -> Iterator[Line]:
    yield Line()
    if event is None:
        yield _no_answer(shown, "response")
        return
    payload = event.payload
    body, status = payload.get("body"), payload.get("status")
    told = body if isinstance(body, Mapping) else {}
    yield heading(
        "error" if event.type.endswith(".error") else "response",
        _elsewhere(shown, event),
        f"status {status}" if status is not None else "no status",
        _took(payload),
        usage.text(told),
        message.stop_reason(told),
        "cut off" if payload.get("complete") is False else "",
        payload.get("request_id"),
    )
    failed = event.type.endswith(".error")
    if failed:
        yield from readable.value_lines(payload.get("error"), indent=2, full=full)
    if not isinstance(body, Mapping):
        yield from _missing_body(payload, full)
        return
    answers = list(message.answers(told))
    if not answers or message.error_body(told):
        if not failed or payload.get("error") is None:  # else it has been said
            yield from readable.value_lines(body, indent=2, full=full)
        return
    if failed:
        yield heading("what had arrived")
    names = message.tool_names(answers)
    for each in answers:
        yield from readable.message_lines(each, names, indent=2, full=full)


def _missing_body(payload: Mapping[str, Any], full: bool) -> Iterator[Line]:
    body = payload.get("body")
    if body is not None:
        yield from readable.value_lines(body, indent=2, full=full)
    elif payload.get("truncated") is True:
        yield said("(too large to be recorded)", "dim", 2)


def _any(event: Event, full: bool) -> Iterator[Line]:
    payload = dict(event.payload)
    if attached.of(event):
        del payload["attached"]  # comes last
    inner = payload.get("message")
    if isinstance(inner, Mapping) and ("content" in inner or "role" in inner):
        del payload["message"]
        yield Line()
        role = str(inner.get("role") or "message")
        yield Line(((visible(role), _ROLES.get(role, "bold")),))
        yield from readable.message_lines(inner, message.tool_names([inner]), indent=2, full=full)
    if payload:
        yield Line()
        yield from readable.value_lines(payload, full=full)
