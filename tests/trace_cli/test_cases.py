"""Golden runs: each folder of tests/cases holds a shell line, and what it prints over the traces of tests/samples.

pytest tests/trace_cli/test_cases.py --accept     rewrites what is expected; git shows the difference
"""

from pathlib import Path

from processes import SAMPLES, copy_samples, shell


def test_case(case: Path, accept: bool, tmp_path: Path) -> None:
    done = shell((case / "cmd").read_text(), copy_samples(tmp_path))
    found = {"stdout": done.out, "stderr": done.err.encode(), "status": b"%d\n" % done.status}
    for name, content in found.items():
        expected = case / name
        usual = b"0\n" if name == "status" else b""
        if accept and content == usual:
            expected.unlink(missing_ok=True)
        elif accept:
            expected.write_bytes(content)
        else:
            assert content == (expected.read_bytes() if expected.exists() else usual), name


def test_the_samples_are_what_their_builder_writes() -> None:
    builder: dict[str, object] = {"__name__": "make"}
    exec((SAMPLES / "make.py").read_text(), builder)
    written = builder["samples"]()  # type: ignore[operator]
    assert written == {name: (SAMPLES / name).read_bytes() for name in written}
