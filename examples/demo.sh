#!/bin/sh
# An agent fails at night, and its trace tells why: `make demo`, or `sh examples/demo.sh [TRACE]`.
# Needs `trace` and a python with the anthropic SDK in PATH. Ends with 0 when the story went as it is told here.
set -eu
cd "$(dirname "$0")/.."
unset ANTHROPIC_API_KEY AGENTTAP_DISABLED TRACE_OUTPUT  # a real model would make up a story of its own
export TRACE_PAGER=cat
run=${1:-runs/demo.jsonl}
fixed=${run%.jsonl}-fixed.jsonl
tests=${run%.jsonl}-tests
mended=${run%.jsonl}-mended
export PYTHONDONTWRITEBYTECODE=1

# On a terminal every command shows a readable view by itself. Elsewhere (a log) it is asked for.
readable=''
[ -t 1 ] || readable=' -o pretty'
# jq if it is there, else as much of it as we need.
system='jq -r .system'
command -v jq >/dev/null || system="python -c 'import json; print(json.loads(input())[\"system\"])'"

say() { printf '\n# %s\n' "$1"; }
show() { printf '$ %s\n' "$1" && eval "$1"; }
fail() { printf 'demo: %s\n' "$1" >&2 && exit 1; }

rm -rf "$run" "$fixed" "$tests" "$mended"
say '03:17, and nobody is watching.'
show "python examples/agent.py --out $run" && fail 'the agent was to fail, and did not'

say 'There is no report, and the log does not say why. What is in the trace?'
show "trace types$readable $run"

say 'What broke first? Not the model.error: the API was busy, a second try went well.'
show "trace first-error$readable $run"

say 'A division by zero, in the growth of what?'
show "trace show$readable $run"

say 'APAC, from 0 to 0? What had the searches returned?'
show "trace filter -t tool.result --tool search$readable $run"

say 'sales-apj is empty, and that is no error. Who told the model to look there?'
show "trace context -o jsonl $run | $system"

say 'Our prompt did. That index is called sales-apac by now.'
say "To walk through it on the screen: trace step $run, then x, u and u."

say 'The same agent, with the name put right in its prompt:'
show "python examples/agent.py --out $fixed --prompt examples/fixed-prompt.txt" || fail 'the agent failed again'

say 'What is different from the run that failed, and is it more than it should be?'
show "trace diff$readable -U 0 $run $fixed || true"

say 'It began with the prompt; both errors are gone, and the report is published.'

say 'But the next region without revenue will fail like this one. The failure becomes a test:'
show "trace fixture -o $tests --agent agent:prepare $run"
show "tail -n 8 $tests/test_quarterly_report_growth.py"

say 'It runs the agent again, without a network: the trace answers for the model.'
pytest='python -m pytest -q --tb=short -p no:cacheprovider'
show "PYTHONPATH=examples $pytest $tests" && fail 'the test was to fail, and did not'

say 'So growth is mended: from nothing there is no percentage.'
mkdir "$mended"
cp examples/*.py "$mended"
sed 's/\(return round(.*\)$/\1 if previous else None/' examples/agent.py >"$mended/agent.py"
show "diff examples/agent.py $mended/agent.py || true"
show "PYTHONPATH=$mended $pytest $tests" || fail 'the test failed, though the agent is mended'

say 'The agent gets past that moment now, and the test stays.'

# What was told above is what the trace holds.
trace first-error "$run" | grep -q '"error":"division by zero"' || fail 'the first error is another one'
trace filter -t tool.result --tool search -g sales-apj "$run" | grep -q '"hits":\[\]' || fail 'the search found something'
trace before -n 1 -t model.request "$run" | grep -q 'APAC: sales-apj' || fail 'the prompt names another index'
trace diff --stat "$run" "$fixed" | grep -q '"cause":"input","reason":"the system prompt differs"' || fail 'it began elsewhere'
trace diff -q "$fixed" "$fixed" || fail 'a run differs from itself'
