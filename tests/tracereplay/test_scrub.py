"""`trace scrub`: what is hidden, under which names, and that nothing else changes."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jmespath
import pytest
from agenttap import redact as redaction
from hypothesis import given
from hypothesis import strategies as st
from recorded import answer, ask, client, line, request, response, said

from agent_replay_trace import Replay
from tracereplay import raw
from tracereplay.places import places
from tracereplay.scrub import Scrubber

BIN = Path(sys.executable).parent
KEY = "sk-ant-" + "api03-abcdefgh12345678"
OTHER = "gh" + "p_" + "abcdefghijklmnopqrstuvwxyz0123456789"


def scrub(*arguments: str, folder: Path, given: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    command = [str(BIN / "trace"), "scrub", *arguments]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, timeout=60, check=False)


def test_the_same_value_gets_the_same_name_and_every_other_byte_stays(tmp_path: Path) -> None:
    event = (
        b'{"v":1,"type":"note","timestamp":"2026-05-24T03:17:00Z","run_id":"r","seq":0,"payload": '
        b'{"a":"x %b","n":1.10,"big":12345678901234567890123,"\\u00e4":"caf\\u00e9 \\/", '
        b'"b":["%b","%b"],"password":"pw1"}}'
    )
    (tmp_path / "run.jsonl").write_bytes(event % (KEY.encode(), OTHER.encode(), KEY.encode()) + b"\n")
    done = scrub("run.jsonl", folder=tmp_path)
    assert done.returncode == 0
    assert (
        done.stdout
        == event.replace(b"pw1", b"[scrubbed:credential-1]")
        % (b"[scrubbed:key-2]", b"[scrubbed:key-1]", b"[scrubbed:key-2]")
        + b"\n"
        or done.stdout
        == event.replace(b"pw1", b"[scrubbed:credential-1]")
        % (b"[scrubbed:key-1]", b"[scrubbed:key-2]", b"[scrubbed:key-1]")
        + b"\n"
    )
    assert done.stderr == b"scrubbed: 1 \xc3\x97 credential (1 different), 3 \xc3\x97 key (2 different)\n"


def test_fields_and_patterns_and_what_is_said_of_them(tmp_path: Path) -> None:
    event = line(
        0, "tool.called", "t", tool_name="mail", args={"to": "al@x.yz", "n": 5, "ok": True, "none": None, "t": ""}
    )
    (tmp_path / "run.jsonl").write_bytes(event + line(1, "note", text="al@x.yz wrote al@x.yz", to="bo@x.yz"))
    done = scrub("--field", "payload.args", "--pattern", "[a-z]+@x", "run.jsonl", folder=tmp_path)
    args, note = (json.loads(each)["payload"] for each in done.stdout.splitlines())
    names = [args["args"][key] for key in ("to", "n", "ok")]
    assert names == ["[scrubbed:field-1]", "[scrubbed:field-2]", "[scrubbed:field-3]"]
    assert (args["args"]["none"], args["args"]["t"]) == (None, "")
    assert note == {
        "text": "[scrubbed:pattern-1].yz wrote [scrubbed:pattern-1].yz",
        "to": "[scrubbed:pattern-2].yz",
    }
    assert done.stderr.decode() == "scrubbed: 3 × field (3 different), 3 × pattern (2 different)\n"
    assert scrub("run.jsonl", folder=tmp_path).stderr == b"scrubbed: nothing\n"
    doubtful = scrub("--field", "payload.args.to", "--field", "payload.nope", "run.jsonl", folder=tmp_path)
    assert doubtful.stderr.decode().splitlines()[1:] == [
        "trace: --field number 2 points to nothing in these events",
        "trace: 1 of the texts that --field hides stand elsewhere too: name them with --pattern",
    ]


def test_a_scrubbed_trace_still_replays_and_compares(tmp_path: Path) -> None:
    trace = request(0, "a", "mail al@x.yz") + response(1, "a", "sent to al@x.yz")
    (tmp_path / "a.jsonl").write_bytes(trace)
    (tmp_path / "b.jsonl").write_bytes(trace.replace(b"r1", b"r2"))
    done = scrub("--pattern", r"[a-z]+@x\.yz", "-o", "out", "a.jsonl", "b.jsonl", folder=tmp_path)
    assert done.returncode == 0
    assert b"al@x.yz" not in (tmp_path / "out/a.jsonl").read_bytes()
    command = [str(BIN / "trace"), "diff", "-q", "out/a.jsonl", "out/b.jsonl"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    with Replay.load(tmp_path / "out/a.jsonl") as replay:
        assert said(ask(replay.wrap(client()), "mail al@x.yz")) == "sent to [scrubbed:pattern-1]"


def test_credential_headers_go_whatever_is_in_them() -> None:
    event = request(0, "a", "Hi", headers={"x-api-key": "1", "x-internal-key": "2", "accept": "3"})
    headers = json.loads(Scrubber().scrubbed(event))["payload"]["headers"]
    assert headers == {"x-api-key": "[scrubbed:header-1]", "x-internal-key": "[scrubbed:header-2]", "accept": "3"}


def test_the_head_and_what_was_scrubbed_before_stay(tmp_path: Path) -> None:
    event = line(0, "note", run_id=KEY, text="[scrubbed:key-9] [redacted]", login="token=[redacted]")
    assert Scrubber((), ()).scrubbed(event.strip()) == event.strip()


@pytest.mark.parametrize("whole", [False, True])
def test_a_secret_that_runs_over_the_pieces_of_a_stream(whole: bool) -> None:
    parts = [f'data: {{"delta":"{KEY[:9]}"}}\n\n', f'data: {{"delta":"{KEY[9:]}"}}\n\n']
    event = response(
        1, "a", "", body=KEY if whole else "".join(parts), stream=True, chunks=[[1.0, each] for each in parts]
    )
    payload = json.loads(Scrubber().scrubbed(event))["payload"]
    assert payload["chunks"] == {"left_out": "something in this stream was scrubbed"}
    assert KEY[9:] not in json.dumps(payload)


def test_log_probabilities_spell_nothing_that_a_pattern_hides() -> None:
    tokens = [{"token": each, "logprob": -1.0} for each in ("mail ", "al", "@x", ".yz")]
    body = {"choices": [{"message": {"content": "mail al@x.yz"}, "logprobs": {"content": tokens}}]}
    event = response(1, "a", "", body=body)
    import re

    done = Scrubber((), (re.compile(r"al@x\.yz"),)).scrubbed(event)
    assert b'"@x"' not in done


def test_an_agents_own_chunks_stay() -> None:
    event = line(0, "note", chunks=["one", "two"], api_key="abcdefgh")
    assert json.loads(Scrubber().scrubbed(event))["payload"]["chunks"] == ["one", "two"]


@given(st.text(), st.sampled_from([KEY, OTHER, "Authorization: Bearer abcdefgh12345678901234"]), st.text())
def test_whatever_the_tap_would_hide_is_hidden(before: str, secret: str, after: str) -> None:
    event = json.dumps({"v": 1, "payload": {"text": f"{before} {secret} {after}"}}).encode()
    scrubber = Scrubber()
    done = scrubber.scrubbed(event)
    hidden = redaction.default(event)
    assert (done != event) == (hidden != event)
    assert Scrubber().scrubbed(done) == done
    json.loads(done)


# What fields point to

EVENT: Any = {
    "payload": {
        "a": {"b": ["v1", {"c": "v2", "d": ["v3", ["v4"]]}, ["v5", "v6"]]},
        "m": {"x": {"n": "v7"}, "y": {"n": "v8"}},
        "people": [{"name": "v9", "age": 3}, {"name": "v10", "age": 9}],
    }
}
PATHS = [
    *(
        "payload.a.b[0]",
        "payload.a.b[-1][1]",
        "payload.a.b[]",
        "payload.a.b[*]",
        "payload.a.b[][]",
        "payload.a.b[1:]",
    ),
    *("payload.a.b[1].d[]", "payload.m.*.n", "payload.people[*].name", "payload.people[?age > `5`].name"),
    *("payload.people[::-1].name", "payload.people[?length(name) > `2`].name", "payload.nothing.here", "payload"),
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_to_what_jmespath_gives(path: str) -> None:
    found = [got(EVENT, each) for each in places(path)(EVENT)]
    assert sorted(leaves(found)) == sorted(leaves(jmespath.search(path, EVENT)))


def got(value: Any, path: tuple[Any, ...]) -> Any:
    for each in path:
        value = value[each]
    return value


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]
    return [] if value is None else [str(value)]


@pytest.mark.parametrize(
    "path",
    [
        "length(payload)",
        "payload ==",
        "`1`",
        "(payload.people[*].name)[0]",
        "[payload.a]",
        "@",
        "*",
        "run_id",
        "payload.a[::0]",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"is no path|head of events|Invalid|Incomplete|step"):
        places(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), values), st.sampled_from([None, 1]))
def test_values_are_found_as_they_stand(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    for name, each in value.items():
        found = raw.value(text, name)
        assert found is not None
        assert json.loads(found) == each
    assert raw.value(text, "not a key of it", "nor this") is None or "not a key of it" in value


# The command


def test_damaged_lines_are_left_out_and_told(tmp_path: Path) -> None:
    good = line(0, "note", text="fine")
    damaged = good.replace(b'{"text":"fine"}', b'{"headers":tru}')
    (tmp_path / "run.jsonl").write_bytes(good + damaged + good + b'{"torn')
    done = scrub("run.jsonl", folder=tmp_path)
    assert done.stdout == good + good
    assert done.stderr.decode().splitlines()[0].startswith("run.jsonl:2: not JSON")
    assert "torn last line" in done.stderr.decode()
    assert done.returncode == 0
    assert scrub("--strict", "run.jsonl", folder=tmp_path).returncode == 2


def test_standard_input_and_compressed_files(tmp_path: Path) -> None:
    event = line(0, "note", text=KEY)
    hidden = event.replace(KEY.encode(), b"[scrubbed:key-1]")
    assert scrub(folder=tmp_path, given=event).stdout == hidden
    (tmp_path / "run.jsonl.gz").write_bytes(gzip.compress(event))
    assert scrub("-o", "out", "run.jsonl.gz", folder=tmp_path).returncode == 0
    written = tmp_path / "out" / "run.jsonl"
    assert written.read_bytes() == hidden
    assert written.stat().st_mode & 0o777 == 0o600


WRONG = {
    "-o out run.jsonl": "out/run.jsonl: is there already",
    "-o new run.jsonl more/run.jsonl": "two of the files are called run.jsonl",
    "-o new -": "-o gives each file its name",
    "-o new run.jsonl nosuch.jsonl": "nosuch.jsonl: is no file that can be read",
    "-o run.jsonl/x run.jsonl": "Not a directory",
    "-o run.jsonl run.jsonl": "run.jsonl: is no folder",
    "--force run.jsonl": "--force is about",
    "--field length(@) run.jsonl": "is no path",
    "--pattern ( run.jsonl": "unterminated",
    "nosuch.jsonl": "No such file",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_bad_input_gets_one_clear_line(arguments: str, tmp_path: Path) -> None:
    for folder in ("out", "more"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.jsonl").write_text("mine")
    (tmp_path / "run.jsonl").write_bytes(line(0, "note", text=KEY))
    done = scrub(*arguments.split(), folder=tmp_path)
    assert done.returncode == 2
    assert WRONG[arguments] in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "out/run.jsonl").read_text() == "mine"
    assert scrub("-o", "out", "--force", "run.jsonl", folder=tmp_path).returncode == 0


def test_answers_with_a_name_in_the_place_of_a_host(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(
        request(0, "a", "Hi", url="https://[scrubbed:pattern-1]/v1/messages")
        + response(1, "a", "", body=answer("yes"))
    )
    with Replay.load(tmp_path / "run.jsonl") as replay:
        assert said(ask(replay.wrap(client()))) == "yes"
