"""How a tap gets between an SDK's client and its HTTP transport."""

from typing import TYPE_CHECKING, Any

from . import guard
from .transport import LIBRARIES, AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from .recorder import Recorder


def wrap(recorder: "Recorder", client: object) -> None:
    """Make the HTTP client inside `client` go through `tap`. Raises TypeError if there is none.

    The object stays the same, and so do its pool, its type's name and what it is an instance of: only its class
    becomes a subclass that hands out a listening transport. Where a class does not allow that, the transports
    themselves are replaced.
    """
    http = http_client(client)
    if http is None and isinstance(client, type):
        raise TypeError(f"Tap.wrap takes a client, and {client.__name__} is a class: pass {client.__name__}()")
    if http is None:
        raise TypeError(
            "Tap.wrap takes a client of the anthropic or openai SDK, or an httpx client, "
            f"not {type(client).__module__}.{type(client).__qualname__}"
        )
    swap = guard.failure(_swap_class, recorder, http)
    if swap is not None and (failed := guard.failure(_replace_transports, recorder, http)) is not None:
        guard.tell(f"wrap {type(http)}", f"cannot record this client: {guard.told(swap)}; {guard.told(failed)}")


def http_client(client: object) -> Any:
    for candidate in (client, getattr(client, "_client", None)):
        kind = type(candidate)
        ours = any(base.__module__.partition(".")[0] in LIBRARIES for base in kind.__mro__)
        if ours and hasattr(kind, "send") and hasattr(candidate, "_transport"):
            return candidate
    return None


def _swap_class(recorder: "Recorder", http: Any) -> None:
    kind = type(http)
    recorders = getattr(kind, "_agenttaps", ())
    if recorder in recorders or _replaced(recorder, http):
        return
    base = getattr(kind, "_agenttap_base", kind)
    live = tuple(other for other in recorders if not other.closed)
    http.__class__ = _subclass(base, (*live, recorder))


def _subclass(base: Any, recorders: "tuple[Recorder, ...]") -> type:
    recorder = recorders[-1]
    known = recorder.subclasses.get((base, recorders))
    if known is not None:
        return known
    _ = base._transport_for_url  # AttributeError: an httpx that works otherwise
    listening: Any = AsyncTransport if hasattr(base, "aclose") else SyncTransport

    def _transport_for_url(self: Any, url: Any) -> Any:
        transport = base._transport_for_url(self, url)  # looked up anew: `install` may have come or gone
        for recorder in recorders:
            if recorder.recording:
                transport = listening(recorder, transport)
        return transport

    made = type(
        base.__name__,
        (base,),
        {
            "__slots__": (),
            "__module__": base.__module__,
            "__qualname__": base.__qualname__,
            "__doc__": base.__doc__,
            "_agenttaps": recorders,
            "_agenttap_base": base,
            "_transport_for_url": _transport_for_url,
        },
    )
    recorder.subclasses[base, recorders] = made
    return made


def _replace_transports(recorder: "Recorder", http: Any) -> None:
    listening: Any = AsyncTransport if hasattr(type(http), "aclose") else SyncTransport
    http._transport = listening(recorder, http._transport)
    for pattern, transport in list(http._mounts.items()):
        if transport is not None:
            http._mounts[pattern] = listening(recorder, transport)


def listeners(http: Any, transport: Any) -> "list[Recorder]":
    """Return the taps that an HTTP client is wrapped in, `transport` being the one that it uses."""
    wrapped = (*getattr(type(http), "_agenttaps", ()), *_before(transport))
    return [recorder for recorder in wrapped if recorder.recording]


def _replaced(recorder: "Recorder", http: Any) -> bool:
    return recorder in _before(http._transport)


def _before(transport: Any) -> "list[Recorder]":
    recorders: list[Recorder] = []
    while isinstance(transport, SyncTransport | AsyncTransport):
        recorders.append(transport._recorder)
        transport = transport._inner
    return recorders
