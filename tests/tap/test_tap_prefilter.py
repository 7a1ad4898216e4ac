"""With hyperscan, what is found is the same as without; and where it fails, nothing gets out."""

import os
import sys
import threading

import pytest
from agenttap import redact
from agenttap.prefilter import Prefilter
from hypothesis import example, given, settings
from hypothesis import strategies as st

HEX, WORDY = "0123456789abcdef" * 4, "a1B2c3D4e5F6g7H8i9J0" * 3
RAW = b'{"password":"hunter2","key":"sk-ant-api03-x9Y8x9Y8x9Y8","text":"nothing"}'
HIDDEN = b'{"password":"[redacted]","key":"[redacted]","text":"nothing"}'


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Prefilter:
    pytest.importorskip("hyperscan")
    prefilter = Prefilter(redact.PREFILTER.signs)
    prefilter.load()
    monkeypatch.setattr(redact, "PREFILTER", prefilter)
    return prefilter


# Each is a part of what some pattern asks for. Glued together they make what it finds, and what it just does not.
PIECES = [
    *(
        "sk-",
        "sk-ant-",
        "sk-proj-",
        "xoxb-",
        "glpat-",
        "key-",
        "ghp_",
        "github_pat_",
        "sk_live_",
        "whsec_",
        "hf_",
        "r8_",
    ),
    *(
        "secret_",
        "CCIPAT_",
        "lsv2_pt_",
        "eyJ",
        ".eyJ",
        "ya29.",
        "hvs.",
        "dp.pt.",
        "SG.",
        "A",
        "KIA",
        "AKIA",
        "AIza",
    ),
    *("ATATT3", "Bearer ", "bearer ", "Basic ", "dXNlcjpwYXNz", "Token ", "BEARER "),
    *(
        "password",
        "api_key",
        "API_KEY",
        "apiKey",
        "access-key",
        "token",
        "id_token",
        "secret",
        "passphrase",
        "cookie",
    ),
    *(
        "authorization",
        "credential",
        "value",
        "name",
        "x-api-key",
        "DB_PASSWORD",
        "max_tokens",
        "auth",
        "sig",
        "code",
    ),
    *(
        '"',
        "'",
        '\\"',
        '\\\\\\"',
        ":",
        " : ",
        ": ",
        "=",
        " = ",
        "?",
        "&",
        ";",
        ",",
        "[",
        "{",
        "}",
        "\\",
        "\\n",
        "\\u00",
    ),
    *(
        "\\u0073",
        "\\u005f",
        "\\u0041",
        "%3D",
        "--",
        "://",
        "@",
        "/",
        "\\/",
        "-----BEGIN ",
        "PRIVATE KEY",
        "-----END ",
    ),
    *(
        "-----",
        '"logprobs":[',
        '{"token":"',
        HEX[:32],
        HEX[:40],
        HEX,
        WORDY[:8],
        WORDY[:16],
        WORDY[:43],
        WORDY,
        "é",
    ),
    *(
        "x-api-key: ",
        "X-Auth-Token:",
        "Server=",
        ";Password=",
        "AccountKey=",
        ";",
        "123456789:AA",
        "eyJhbGciOiJub25lIn0.",
    ),
    *("x", " ", "a b", "1", "AB12", "hunter2"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.booleans())
@example('"password" :  [ "x","y"]', True)
@example("{'name': 'x-api-key', 'value': 'hunter2'}", True)
@settings(max_examples=1500, deadline=None)
def test_what_is_found_is_the_same(text: str, whole: bool) -> None:
    pytest.importorskip("hyperscan")
    raw = f'{{"a":"{text}"}}'.encode() if whole else text.encode()
    alone, prefiltered = Prefilter(redact.PREFILTER.signs), redact.PREFILTER
    prefiltered.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redact, "PREFILTER", alone)
        expected = redact.default(raw)
    assert redact.default(raw) == expected


def test_every_detector_has_its_turn_and_no_other(loaded: Prefilter) -> None:
    always = {"logins"}
    assert loaded.present(b'{"text":"nothing to hide: max_tokens = 3"}') == always
    assert loaded.present(RAW) == {"named", "keys with -"} | always
    assert redact.default(RAW) == HIDDEN


def test_without_hyperscan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    prefilter = Prefilter(redact.PREFILTER.signs)
    prefilter.load()
    assert prefilter.present(RAW) == set(redact.PREFILTER.signs)
    monkeypatch.setattr(redact, "PREFILTER", prefilter)
    assert redact.default(RAW) == HIDDEN


def test_a_scan_that_fails(loaded: Prefilter, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def scan(self, raw: bytes) -> set[int]:
            raise RuntimeError("no such thing")

    monkeypatch.setattr(loaded, "_scanner", Broken())
    assert redact.default(RAW) == HIDDEN


def test_many_threads_and_a_fork(loaded: Prefilter) -> None:
    found: list[bytes] = []

    def work() -> None:
        found.extend(redact.default(RAW + b" " * n) for n in range(300))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if redact.default(RAW) == HIDDEN else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for thread in threads:
        thread.join()
    assert {one.rstrip() for one in found} == {HIDDEN}
    assert len(found) == 2400
