"""CONTRIBUTING.md: its map shows every file of both halves and of the benchmarks, and no other."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("half", ["tap", "trace_cli", "tracereplay", "benchmarks"])
def test_the_map_has_every_file_and_no_other(half: str) -> None:
    rows = re.findall(rf"^\| \[(.+?)\]\(({half}/\S+\.py)\) \| \S.* \|$", TEXT, re.MULTILINE)
    assert all(f"{half}/{label}".replace("\\", "") == path for label, path in rows)
    on_disk = {str(path.relative_to(ROOT)) for path in (ROOT / half).rglob("*.py")}
    assert {path for _, path in rows} == on_disk
    assert len(rows) == len(on_disk)


def test_the_order_of_imports_is_the_one_that_is_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    told = re.search(r"^`(cli → .+?)`$", TEXT, re.MULTILINE | re.DOTALL)
    assert told
    shown = [set(re.findall(r"\w+", layer)) for layer in told[1].split("→")]
    checked = [set(re.findall(r"(?<=\.)\w+|tracereplay", layer)) for layer in layers if "__main__" not in layer]
    assert shown == checked


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
