"""For the tests of an agent: what it sent to its model, and what its tools answered, without a file.

    >>> from agenttap import Tap
    >>> from agenttap.testing import capture
    >>> tap = Tap("runs/run.jsonl")  # the agent's own, if it has one
    >>> @tap.tool
    ... def search(query):
    ...     return [query.upper()]
    >>> with capture() as captured:
    ...     hits = search("emea")
    >>> captured.tool_calls[0].args, captured.tool_calls[0].result
    ({'query': 'emea'}, ['EMEA'])
    >>> [event["type"] for event in captured.events]
    ['run.started', 'tool.called', 'tool.result']

As a fixture of pytest:

    @pytest.fixture
    def captured():
        with capture() as captured:
            yield captured
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from . import hooks
from . import redact as redaction
from .journal import DRAIN, Journal
from .recorder import Recorder
from .redact import Redact
from .sink import CallbackSink
from .tap import Tap, newcomers

_PATIENCE = 30.0  # seconds for a stream to be put together


class Payload(dict[str, Any]):
    """The payload of an event: its keys are attributes too, so `request.body` is `request["body"]`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name!r} in this payload; there are {', '.join(self)}") from None


class Captured:
    """What was recorded so far, up to the last call that has returned, streams included. See trace-events(5).

    Each property looks anew, and gives a list in the order of the events. It can be asked inside the block, and
    still after it.
    """

    def __init__(self, journal: Journal, lines: list[bytes]) -> None:
        self._journal = journal
        self._lines = lines

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event, as the object that stands in a trace. Raises TimeoutError if they cannot be had."""
        if not self._journal.flush(_PATIENCE):
            raise TimeoutError(f"not everything was recorded within {_PATIENCE:.0f} seconds")
        return [json.loads(line) for line in list(self._lines)]

    def payloads(self, *types: str) -> list[Payload]:
        """The payloads of the events of these types."""
        return [Payload(event["payload"]) for event in self.events if event["type"] in types]

    @property
    def requests(self) -> list[Payload]:
        """What was sent to a model: `provider`, `url`, `headers`, `body` and so on."""
        return self.payloads("model.request")

    @property
    def responses(self) -> list[Payload]:
        """What a model answered: `status`, `body` (of a stream the message put together), `complete` and so on."""
        return self.payloads("model.response")

    @property
    def tool_calls(self) -> list[Payload]:
        """Each recorded call of a tool: `tool_name`, `args`, `result`, `error`, `exception`, `duration_ms`.

        All but the first two are None as long as there is no result; the second is None for a result whose call
        is not known.
        """
        calls: list[Payload] = []
        open_calls: dict[str, Payload] = {}
        for event in self.events:
            if event["type"] == "tool.called":
                call = Payload(event["payload"], result=None, error=None, exception=None, duration_ms=None)
                open_calls[event["call_id"]] = call
                calls.append(call)
            elif event["type"] == "tool.result":
                answered = open_calls.pop(event["call_id"], None)
                if answered is None:
                    calls.append(Payload({"args": None} | event["payload"]))
                else:
                    answered.update(event["payload"])
        return calls

    @property
    def errors(self) -> list[Payload]:
        """The payloads that tell of an error, of whatever type: their `error` is not None."""
        return [Payload(event["payload"]) for event in self.events if event["payload"].get("error") is not None]


@contextmanager
def capture(
    *clients: object,
    everything: bool = False,
    redact: Redact | None = redaction.default,
    raw_streams: bool = False,
) -> Iterator[Captured]:
    """Capture what this process records inside the block, whatever the agent has for that.

    Its own taps, made before or inside, disabled or not, write here instead of to their sinks, each as a run of
    its own. Calls of a model by clients that none of them listens to are recorded as after `Tap.install`, for
    which `everything` is meant, and so is all that `clients` send. `redact` and `raw_streams` are a Tap's, for
    what its own taps do not record. After the block all is as it was.

    Blocks may be nested: the innermost has the events. Raises TypeError for a client that is none.
    """
    lines: list[bytes] = []
    journal = _Shared([CallbackSink(lines.append)])
    with ExitStack() as undo:
        undo.callback(Journal.close, journal, _PATIENCE)
        own = Tap(writer=lines.append, redact=redact, raw_streams=raw_streams)

        def borrow(recorder: Recorder) -> None:
            undo.callback(recorder.lend(journal))

        for recorder in hooks.every():
            borrow(recorder)
        newcomers.append(borrow)
        undo.callback(newcomers.remove, borrow)
        with own:
            own.install(everything=everything)
            for client in clients:
                own.wrap(client)
            yield Captured(journal, lines)


class _Shared(Journal):
    """A journal that outlives the taps that write to it."""

    def close(self, timeout: float = DRAIN) -> None:
        self.flush(timeout)
