"""Records the runs in this folder again: `python examples/record.py [failed] [fixed]`.

They are real ones: the agent as it is, and with the prompt in fixed-prompt.txt. Two things are taken out of them:
the name of this machine, and the folder of this checkout, which stands in the tracebacks.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
RUNS: dict[str, tuple[int, list[str | Path]]] = {  # the status of the agent, and its options
    "failed": (1, []),
    "fixed": (0, ["--prompt", HERE / "fixed-prompt.txt"]),
}


def record(name: str) -> None:
    """Writes NAME-run.jsonl."""
    status, options = RUNS[name]
    without_key = {key: value for key, value in os.environ.items() if key != "ANTHROPIC_API_KEY"}
    with TemporaryDirectory() as folder:
        trace = Path(folder, "run.jsonl")
        command = [sys.executable, HERE / "agent.py", "--out", trace, *options]
        if subprocess.run(command, env=without_key, check=False).returncode != status:
            sys.exit(f"the agent was to end with status {status}")
        lines = trace.read_text()
    lines = lines.replace(f'"hostname":{json.dumps(platform.node())}', '"hostname":"reports-1"')
    lines = lines.replace(f"{HERE.parent}/", "")
    (HERE / f"{name}-run.jsonl").write_text(lines)


if __name__ == "__main__":
    for each in sys.argv[1:] or RUNS:
        record(each)
