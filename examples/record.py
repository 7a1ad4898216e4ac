"""Records failed-run.jsonl again: `python examples/record.py`.

The run is a real one. Two things are taken out of it: the name of this machine, and the folder of this checkout,
which stands in the tracebacks.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent


def main() -> None:
    without_key = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
    with TemporaryDirectory() as folder:
        trace = Path(folder, "run.jsonl")
        done = subprocess.run([sys.executable, HERE / "agent.py", "--out", trace], env=without_key, check=False)
        if done.returncode != 1:
            sys.exit("the agent was to fail with status 1")
        lines = trace.read_text()
    lines = lines.replace(f'"hostname":{json.dumps(platform.node())}', '"hostname":"reports-1"')
    lines = lines.replace(f"{HERE.parent}/", "")
    (HERE / "failed-run.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
