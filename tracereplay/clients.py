"""How a replay gets between an SDK's client and the network: into one client, or into all of httpx and httpx2.

A client's transport is then a chain: taps, which listen, then replays, the latest first, then what was there. A
replay that is closed passes everything on, wherever it still stands.
"""

import functools
import importlib
import sys
import weakref
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from agenttap.clients import http_client
from agenttap.transport import LIBRARIES, AsyncTransport, SyncTransport

from .transport import AsyncReplay, SyncReplay

if TYPE_CHECKING:
    from .replay import Replay

_METHOD = "_transport_for_url"
_orders = count()  # which replay came later


def wrap(replay: "Replay", client: object) -> Callable[[], None]:
    """Puts the replay in the place of all transports of a client. Gives what undoes that.

    It stands behind whatever listens to the client, a tap above all: that records what is replayed. Raises
    TypeError for what is no client.
    """
    http = http_client(client)
    if http is None:
        kind = client.__name__ if isinstance(client, type) else type(client).__qualname__
        raise TypeError(
            f"Replay.wrap takes a client of the anthropic or openai SDK, or an httpx client, not {kind}"
        )
    replaying: Any = AsyncReplay if hasattr(type(http), "aclose") else SyncReplay
    order = next(_orders)
    _each_transport(http, lambda transport: _put(replay, transport, replaying, True, order))
    known = weakref.ref(http)  # a client may go before the replay does

    def undo() -> None:
        if (left := known()) is not None:
            _each_transport(left, lambda transport: _without(replay, transport))

    return undo


def _each_transport(http: Any, change: Callable[[Any], Any]) -> None:
    http._transport = change(http._transport)
    for pattern, transport in list(http._mounts.items()):
        if transport is not None:
            http._mounts[pattern] = change(transport)


def install(replay: "Replay") -> Callable[[], None]:
    """Puts the replay into every client of httpx and httpx2, for requests to a model and what was recorded.

    Libraries that are not imported yet are imported now. Gives what undoes that.
    """
    undone = []
    order = next(_orders)
    for name in LIBRARIES:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except ImportError:  # an agent has one of them, as a rule
                continue
        for kind, replaying in (("Client", SyncReplay), ("AsyncClient", AsyncReplay)):
            undone.append(_patch(replay, getattr(sys.modules[name], kind), replaying, order))

    def undo() -> None:
        for each in reversed(undone):
            each()

    return undo


def _patch(replay: "Replay", kind: Any, replaying: Any, order: int) -> Callable[[], None]:
    original = kind.__dict__[_METHOD]

    @functools.wraps(original)
    def _transport_for_url(self: Any, url: Any) -> Any:
        transport = original(self, url)
        return transport if replay.closed else _put(replay, transport, replaying, False, order)

    setattr(kind, _METHOD, _transport_for_url)

    def undo() -> None:
        # If somebody else stands before ours by now, it stays where it is, and passes everything on.
        if kind.__dict__.get(_METHOD) is _transport_for_url:
            setattr(kind, _METHOD, original)

    return undo


def _put(replay: "Replay", transport: Any, replaying: Any, everything: bool, order: int) -> Any:
    """Puts a replay into a chain of transports; gives its first."""
    if isinstance(transport, SyncTransport | AsyncTransport):
        transport._inner = _put(replay, transport._inner, replaying, everything, order)
        return transport
    if isinstance(transport, SyncReplay | AsyncReplay):
        if transport._replay is replay:
            transport._everything |= everything
            return transport
        if transport._order > order:
            if not _has(replay, transport):  # in front of the others, for this one request
                return type(transport)(
                    transport._replay,
                    _put(replay, transport._inner, replaying, everything, order),
                    transport._everything,
                    transport._order,
                )
            return transport
    return replaying(replay, transport, everything, order)


def _has(replay: "Replay", transport: Any) -> bool:
    while isinstance(transport, SyncReplay | AsyncReplay | SyncTransport | AsyncTransport):
        if getattr(transport, "_replay", None) is replay:
            return True
        transport = transport._inner
    return False


def _without(replay: "Replay", transport: Any) -> Any:
    """Takes a replay out of a chain; gives its first."""
    if isinstance(transport, SyncReplay | AsyncReplay | SyncTransport | AsyncTransport):
        transport._inner = _without(replay, transport._inner)
        if isinstance(transport, SyncReplay | AsyncReplay) and transport._replay is replay:
            return transport._inner
    return transport
