"""Writes the traces of this folder: small runs that fail, recover and break off as agents do.

    python tests/samples/make.py [FOLDER]

The files are committed, to be read and tried by hand. All times, ids and texts are invented.
"""

import json
import sys
from pathlib import Path
from typing import Any

Event = tuple[str, str | None, dict[str, Any]]
STEP = "step_id"  # of a payload: goes into the head
SPAN = "span"  # the same: a trace_id and a span_id


def run(run_id: str, events: list[Event], minute: int = 17) -> list[bytes]:
    """The lines of one run in the format of trace-events(5), a second between two events."""
    lines = []
    for seq, (kind, call_id, payload) in enumerate(events):
        head: dict[str, Any] = {
            "v": 1,
            "type": kind,
            "timestamp": f"2026-05-24T03:{minute:02}:{seq:02}.000250Z",
            "run_id": run_id,
            "seq": seq,
        }
        if call_id is not None:
            head["call_id"] = call_id
        if STEP in payload:
            head["step_id"] = payload[STEP]
        if SPAN in payload:
            head["trace_id"], head["span_id"] = payload[SPAN]
        shown = {key: value for key, value in payload.items() if key not in (STEP, SPAN)}
        lines.append(dump({**head, "payload": shown}))
    return lines


def dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def started(name: str) -> Event:
    return "run.started", None, {"name": name, "metadata": {"quarter": "Q1"}}


def ended(error: str | None = None) -> Event:
    return (
        "run.ended",
        None,
        {"status": "error" if error else "ok", "error": error, "duration_ms": 12345.678, "dropped": 0},
    )


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def request(call: str, messages: list[dict[str, Any]], attempt: int = 1) -> Event:
    body = {"model": "claude-test-1", "max_tokens": 512, "system": "You write reports.", "messages": messages}
    url = "https://api.example.com/v1/messages"
    return "model.request", call, {"method": "POST", "url": url, "body": body, "attempt": attempt}


def response(call: str, content: list[dict[str, Any]], stop: str = "tool_use", **more: Any) -> Event:
    usage = {"input_tokens": 812, "cache_read_input_tokens": 100, "output_tokens": 44}
    body = {"role": "assistant", "stop_reason": stop, "content": content, "usage": usage, **more}
    return "model.response", call, {"status": 200, "body": body, "complete": True, "duration_ms": 1210.5}


def failure(call: str, status: int | None, kind: str, type_: str, message: str) -> Event:
    error = {"kind": kind, "type": type_, "message": message}
    return "model.error", call, {"status": status, "body": None, "error": error, "duration_ms": 98.5}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(call: str, tool: str, **args: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call, "name": tool, "input": args}


def came_back(call: str, words: str, is_error: bool | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call, "content": words}
    return block if is_error is None else {**block, "is_error": is_error}


def called(call: str, tool: str, **args: Any) -> Event:
    return "tool.called", call, {"tool_name": tool, "args": args}


def result(call: str, tool: str, value: Any, error: str | None = None) -> Event:
    return "tool.result", call, {"tool_name": tool, "result": value, "error": error, "duration_ms": 3.25}


RATE = (429, "http", "rate_limit_error", "slow down")
BUSY = (529, "http", "overloaded_error", "Overloaded")
ASK = [user("Write the Q1 report.")]
SEARCHING = [text("I will search first.\nThen write."), use("toolu_1", "search", query="Q1 revenue")]
WRITING = [text("Now the report."), use("toolu_2", "write", path="q1.md")]


def searched(found: str, is_error: bool | None = None) -> list[dict[str, Any]]:
    return [
        *ASK,
        {"role": "assistant", "content": SEARCHING},
        {"role": "user", "content": [came_back("toolu_1", found, is_error)]},
    ]


# A search finds nothing, the agent goes on regardless, and the write fails three turns later.
FAILED = [
    started("report"),
    request("c1", ASK),
    response("c1", SEARCHING),
    called("toolu_1", "search", query="Q1 revenue"),
    result("toolu_1", "search", []),
    request("c2", searched("[]")),
    response("c2", WRITING),
    called("toolu_2", "write", path="q1.md"),
    result("toolu_2", "write", None, "ValueError: no rows [/] in q1"),
    ended("ValueError: no rows [/] in q1"),
]

# The SDK sends a request again after a 429, and all is well.
FINE = [
    started("report"),
    request("c1", ASK),
    failure("c1", *RATE),
    request("c2", ASK, 2),
    response("c2", SEARCHING),
    called("toolu_1", "search", query="Q1 revenue"),
    result("toolu_1", "search", ["31 M"]),
    request("c3", searched("31 M")),
    response("c3", [text("Revenue was 31 M.")], "end_turn"),
    ended(),
]

# The SDK gives up after three attempts.
EXHAUSTED = [
    started("report"),
    request("c1", ASK),
    failure("c1", *BUSY),
    request("c2", ASK, 2),
    failure("c2", *BUSY),
    request("c3", ASK, 3),
    failure("c3", *BUSY),
    ended("OverloadedError: Overloaded"),
]

# Killed while a tool was running.
KILLED = [*FAILED[:8]]

# The search fails and then works; the write fails and never does.
RECOVERED = [
    started("report"),
    called("toolu_1", "search", query="Q1"),
    result("toolu_1", "search", None, "TimeoutError: 30 s"),
    called("toolu_2", "search", query="Q1 revenue"),
    result("toolu_2", "search", ["31 M"]),
    called("toolu_3", "write", path="q1.md"),
    result("toolu_3", "write", None, "OSError: disk full"),
    ended(),
]

# Without tool.result events: a failed tool shows in the requests that follow, each time again.
WRAPPED = [
    request("c1", ASK),
    response("c1", SEARCHING),
    request("c2", searched("no such index", is_error=True)),
    response("c2", WRITING),
    request(
        "c3",
        [
            *searched("no such index", is_error=True),
            {"role": "assistant", "content": WRITING},
            {"role": "user", "content": [came_back("toolu_2", "read-only file system", is_error=True)]},
        ],
    ),
    response("c3", [text("I could not.")], "end_turn"),
]

# The failed tool is told by its tool.result, and by the request that follows.
TOLD = [
    started("report"),
    request("c1", ASK),
    response("c1", SEARCHING),
    called("toolu_1", "search", query="Q1 revenue"),
    result("toolu_1", "search", None, "ConnectionError: refused"),
    request("c2", searched("ConnectionError: refused", is_error=True)),
    response("c2", [text("I could not.")], "end_turn"),
    ended(),
]

WEB_FETCH_FAILED = [
    {"type": "server_tool_use", "id": "srv_1", "name": "web_fetch", "input": {"url": "https://example.com"}},
    {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srv_1",
        "content": {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"},
    },
]
MCP_FAILED = [
    {"type": "mcp_tool_use", "id": "mcp_1", "name": "query", "server_name": "db", "input": {}},
    {"type": "mcp_tool_result", "tool_use_id": "mcp_1", "is_error": True, "content": [text("no such table")]},
]
ERROR_BODY = (
    "model.response",
    "c1",
    {"status": 200, "body": {"error": {"message": "provider returned error", "code": 502}}, "duration_ms": 5.5},
)

STEPS = [
    started("report"),
    ("step.started", None, {"name": "plan", "attributes": {}}),
    ("step.ended", None, {"name": "plan", "attributes": {}, "error": "KeyError: 'rows'"}),
    ("note", None, {"message": "gave up", "rows": 0}),
    ended(),
]


def in_step(step: str, event: Event) -> Event:
    """An event within a step."""
    kind, call, payload = event
    return kind, call, {STEP: step, **payload}


def step(step_id: str, kind: str, name: str, parent: str | None = None, **more: Any) -> Event:
    """The beginning or the end of a step."""
    payload = {"name": name, "attributes": more.pop("attributes", {}), "parent_id": parent, **more}
    return f"step.{kind}", None, {STEP: step_id, **payload}


def inside(step_id: str, *events: Event) -> list[Event]:
    """Events of a step, under one span of OpenTelemetry."""
    spans = {SPAN: ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"), STEP: step_id}
    return [(kind, call, {**spans, **payload}) for kind, call, payload in events]


OK = {"error": None, "exception": None}
NO_INDEX = {
    "error": "no such index",
    "exception": {"type": "LookupError", "traceback": '  File "agent.py", line 7, in search\nLookupError'},
}
CITED = {"attached": {"citations": [{"claim": "31 M", "source": "ledger"}], "budget": {"left_out": "it raised"}}}
# Steps in steps: the second search fails in the step that the report's are retrieved in.
NESTED = [
    started("report"),
    step("s1", "started", "report"),
    step("s2", "started", "retrieve", "s1", attributes={"region": "EMEA"}),
    *inside(
        "s2",
        request("c1", ASK),
        response("c1", SEARCHING),
        called("toolu_1", "search", query="Q1 revenue"),
        result("toolu_1", "search", ["31 M"]),
    ),
    step("s2", "ended", "retrieve", "s1", attributes={"region": "EMEA"}, **OK, duration_ms=2210.5),
    step("s3", "started", "retrieve", "s1", attributes={"region": "APAC"}),
    step("s4", "started", "rank", "s3"),
    *inside("s4", called("toolu_2", "search", query="APAC"), result("toolu_2", "search", None, "no such index")),
    step("s4", "ended", "rank", "s3", **NO_INDEX, duration_ms=104.25),
    step("s3", "ended", "retrieve", "s1", attributes={"region": "APAC"}, **NO_INDEX, duration_ms=150.5),
    in_step("s1", request("c2", searched("31 M"))),
    in_step("s1", response("c2", [text("31 M.")], "end_turn")),
    step("s1", "ended", "report", **OK, duration_ms=9000.5),
    ("note", None, {"message": "published"}),
    ended(),
]
NESTED[4][2].update(CITED)
NESTED[15][2].update(attached={"citations": [{"claim": "31 M", "source": "q1.md"}]})

ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J [bold]x[/] \u202egnp.exe \x08\x7f \r\n\ttab"
HOSTILE = [
    started(ESCAPES),
    called("toolu_1", "rm \x1b[2J", path=ESCAPES),
    result("toolu_1", "rm \x1b[2J", None, ESCAPES),
    ended(ESCAPES),
]


def answered(call: str, items: list[dict[str, Any]], number: int, **more: Any) -> Event:
    """A response of OpenAI's responses API."""
    usage = {"input_tokens": 200, "input_tokens_details": {"cached_tokens": 120}, "output_tokens": 30}
    body = {"id": f"resp_{number}", "object": "response", "status": "completed", "output": items, "usage": usage}
    return (
        "model.response",
        call,
        {"status": 200, "body": {**body, **more}, "complete": True, "duration_ms": 804.5},
    )


def openai(call: str, path: str, **body: Any) -> Event:
    """A request to OpenAI."""
    url = f"https://api.example.com/v1/{path}"
    body = {"model": "gpt-test-1", **body}
    return "model.request", call, {"provider": "openai", "method": "POST", "url": url, "body": body, "attempt": 1}


def function(call: str, name: str, **args: Any) -> dict[str, Any]:
    return {"id": call, "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}


CHAT = [{"role": "system", "content": "You write reports."}, *ASK]
CHAT_CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [function("call_1", "search", query="Q1"), function("call_2", "search", query="Q2")],
}
CHAT_USAGE = {"prompt_tokens": 90, "completion_tokens": 12, "total_tokens": 102}
CALL_ITEM = {"type": "function_call", "call_id": "call_3", "name": "search", "arguments": '{"query":"Q3"}'}

# A chat completion whose second tool fails, and a conversation that the responses API kept.
OPENAI = [
    started("report"),
    openai("c1", "chat/completions", messages=CHAT, tools=[{"type": "function", "function": {"name": "search"}}]),
    (
        "model.response",
        "c1",
        {
            "status": 200,
            "body": {"choices": [{"message": CHAT_CALLS, "finish_reason": "tool_calls"}], "usage": CHAT_USAGE},
        },
    ),
    called("call_1", "search", query="Q1"),
    result("call_1", "search", {"rows": ["31 M"]}),
    called("call_2", "search", query="Q2"),
    result("call_2", "search", None, "TimeoutError: 30 s"),
    openai("c2", "responses", instructions="You check reports.", input="Is Q3 in?"),
    answered("c2", [CALL_ITEM], 1),
    called("call_3", "search", query="Q3"),
    result("call_3", "search", []),
    openai(
        "c3",
        "responses",
        instructions="You check reports.",
        input=[{"type": "function_call_output", "call_id": "call_3", "output": "[]"}],
        previous_response_id="resp_1",
    ),
    answered(
        "c3", [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "No."}]}], 2
    ),
    openai("c4", "responses", input="And Q4?", previous_response_id="resp_9"),
    ended(),
]


def looking(query: str) -> list[dict[str, Any]]:
    return [use(f"toolu_{query}", "search", query="revenue")]


def looked(query: str, found: str) -> list[dict[str, Any]]:
    sent = {"role": "assistant", "content": looking(query)}
    return [user("Find the revenue."), sent, {"role": "user", "content": [came_back(f"toolu_{query}", found)]}]


# Two sub-agents at once, with the same prompt, the same task and the same tool call; the second one's tool fails.
FIND = [user("Find the revenue.")]
SUBAGENTS = [
    started("report"),
    request("c1", ASK),
    response("c1", [use("toolu_left", "find", year=2025), use("toolu_right", "find", year=2026)]),
    called("toolu_left", "find", year=2025),
    called("toolu_right", "find", year=2026),
    in_step("step_left", request("l1", FIND)),
    in_step("step_right", request("r1", FIND)),
    in_step("step_right", response("r1", looking("r"))),
    in_step("step_left", response("l1", looking("l"))),
    in_step("step_right", called("toolu_r", "search", query="revenue")),
    in_step("step_left", called("toolu_l", "search", query="revenue")),
    in_step("step_left", result("toolu_l", "search", "31 M")),
    in_step("step_left", request("l2", looked("l", "31 M"))),
    in_step("step_right", result("toolu_r", "search", None, "ConnectionError: refused")),
    in_step("step_right", request("r2", looked("r", "ConnectionError: refused"))),
    in_step("step_left", response("l2", [text("31 M.")], "end_turn")),
    in_step("step_right", response("r2", [text("Unknown.")], "end_turn")),
    result("toolu_left", "find", "31 M."),
    result("toolu_right", "find", None, "LookupError: Unknown."),
    ended("LookupError: Unknown."),
]

SUMMARY = "The Q1 report was asked for. A search found 31 M of revenue. The report is not written yet."
TO_WRITE = user(f"This conversation goes on from an earlier one:\n{SUMMARY}\nGo on.")
LEDGER = [use("toolu_2", "read", path="ledger.csv")]
CLEARED = [
    *searched("[old result cleared]"),
    {"role": "assistant", "content": LEDGER},
    {"role": "user", "content": [came_back("toolu_2", "Jan 9 M\nFeb 11 M\nMar 11 M")]},
]

# An old tool result is cleared, then the conversation is compacted, and what the file was called is lost.
COMPACTED = [
    started("report"),
    request("c1", ASK),
    response("c1", SEARCHING),
    called("toolu_1", "search", query="Q1 revenue"),
    result("toolu_1", "search", "31 M, in q1.md"),
    request("c2", searched("31 M, in q1.md")),
    response("c2", LEDGER),
    called("toolu_2", "read", path="ledger.csv"),
    result("toolu_2", "read", "Jan 9 M\nFeb 11 M\nMar 11 M"),
    request("c3", CLEARED),
    response("c3", [text("I go on.")]),
    request("c4", [*CLEARED, {"role": "assistant", "content": [text("I go on.")]}, user("Sum up.")]),
    response("c4", [text(SUMMARY)], "end_turn"),
    request("c5", [TO_WRITE]),
    response("c5", [use("toolu_3", "write", path="report.md")]),
    called("toolu_3", "write", path="report.md"),
    result("toolu_3", "write", None, "FileNotFoundError: report.md"),
    ended("FileNotFoundError: report.md"),
]

FOREIGN: list[dict[str, Any]] = [
    {"event_type": "tool.result", "ts": 1779592620, "run_id": "flat", "tool": "search", "error": "refused"},
    {"kind": "reply", "time": "2026-05-24T03:17:01Z", "run_id": "level", "level": "info", "msg": "hello"},
    {"kind": "reply", "time": "2026-05-24T03:17:02Z", "run_id": "level", "level": "ERROR", "msg": "it broke"},
    {"event": "answer", "@timestamp": "2026-05-24T05:17:03+02:00", "run_id": "flag", "is_error": False},
    {"event": "answer", "@timestamp": "2026-05-24T05:17:04+02:00", "run_id": "flag", "is_error": True},
    {"event": "crash", "ts": 1779592625000, "run_id": "object", "error": {"message": "boom", "code": 7}},
    {"type": "log", "timestamp": 1779592626.5, "run_id": "number", "severity": 50, "message": "level 50"},
    {"type": "log", "run_id": "null", "error": None, "level": "warning", "message": "nothing wrong"},
]


def interleaved(*runs: list[bytes]) -> list[bytes]:
    """The lines of several runs, taken in turn."""
    longest = max(map(len, runs))
    return [lines[i] for i in range(longest) for lines in runs if i < len(lines)]


def samples() -> dict[str, bytes]:
    """The name of each file, and what is in it."""
    whole = run("failed", FAILED)
    damaged = [
        whole[0],
        whole[1][:60] + b"\n",
        whole[2],
        b"not json\n",
        b"\n",
        whole[3].rstrip() + whole[4],
        b'["an", "array"]\n',
        b'{"type":"note","n":NaN,"big":' + b"1" * 40 + b"}\n",
        b'{"type":"note","text":"cut \\ud83d"}\n',
        b'{"type":"note","text":"caf\xe9"}\n',
        whole[5][:100] + whole[6],
        whole[7][:-9],
    ]
    files = {
        "failed": whole,
        "fine": run("fine", FINE, 20),
        "exhausted": run("exhausted", EXHAUSTED, 21),
        "killed": run("killed", KILLED, 22),
        "recovered": run("recovered", RECOVERED, 23),
        "wrapped": run("wrapped", WRAPPED, 24),
        "told": run("told", TOLD, 25),
        "responses": [
            *run("server-tool", [request("c1", ASK), response("c1", WEB_FETCH_FAILED)], 26),
            *run("mcp", [request("c1", ASK), response("c1", MCP_FAILED)], 27),
            *run("error-body", [request("c1", ASK), ERROR_BODY], 28),
        ],
        "steps": run("steps", STEPS, 29),
        "nested": run("nested", NESTED, 37),
        "interleaved": interleaved(run("left", FAILED, 30), run("right", RECOVERED, 31), run("fine", FINE, 32)),
        "openai": run("openai", OPENAI, 34),
        "subagents": run("subagents", SUBAGENTS, 35),
        "compacted": run("compacted", COMPACTED, 36),
        "hostile": run("hostile", HOSTILE, 33),
        "foreign": [dump(fields) for fields in FOREIGN],
        "damaged": damaged,
    }
    return {f"{name}.jsonl": b"".join(lines) for name, lines in files.items()}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in samples().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
