"""How a tap gets between an SDK's client and its HTTP transport."""

from typing import TYPE_CHECKING, Any

from . import guard
from .transport import LIBRARIES, AsyncTransport, SyncTransport

if TYPE_CHECKING:
    from .tap import Tap


def wrap(tap: "Tap", client: object) -> None:
    """Make the HTTP client inside `client` go through `tap`. Raises TypeError if there is none.

    The object stays the same, and so do its pool, its type's name and what it is an instance of: only its class
    becomes a subclass that hands out a listening transport. Where a class does not allow that, the transports
    themselves are replaced.
    """
    http = _http_client(client)
    if http is None:
        raise TypeError(
            "Tap.wrap takes a client of the anthropic or openai SDK, or an httpx client, "
            f"not {type(client).__module__}.{type(client).__qualname__}"
        )
    swap = guard.failure(_swap_class, tap, http)
    if swap is not None and (failed := guard.failure(_replace_transports, tap, http)) is not None:
        guard.tell(f"wrap {type(http)}", f"cannot record this client: {guard.told(swap)}; {guard.told(failed)}")


def _http_client(client: object) -> Any:
    for candidate in (client, getattr(client, "_client", None)):
        kind = type(candidate)
        ours = any(base.__module__.partition(".")[0] in LIBRARIES for base in kind.__mro__)
        if ours and hasattr(kind, "send") and hasattr(candidate, "_transport"):
            return candidate
    return None


def _swap_class(tap: "Tap", http: Any) -> None:
    kind = type(http)
    taps = getattr(kind, "_agenttaps", ())
    if tap in taps or _replaced(tap, http):
        return
    base = getattr(kind, "_agenttap_base", kind)
    live = tuple(other for other in taps if not other.closed)
    http.__class__ = _subclass(base, (*live, tap))


def _subclass(base: Any, taps: "tuple[Tap, ...]") -> type:
    tap = taps[-1]
    known = tap.subclasses.get((base, taps))
    if known is not None:
        return known
    _ = base._transport_for_url  # AttributeError: an httpx that works otherwise
    listening: Any = AsyncTransport if hasattr(base, "aclose") else SyncTransport

    def _transport_for_url(self: Any, url: Any) -> Any:
        transport = base._transport_for_url(self, url)  # looked up anew: `install` may have come or gone
        for tap in taps:
            if tap.recording:
                transport = listening(tap, transport)
        return transport

    made = type(
        base.__name__,
        (base,),
        {
            "__slots__": (),
            "__module__": base.__module__,
            "__qualname__": base.__qualname__,
            "__doc__": base.__doc__,
            "_agenttaps": taps,
            "_agenttap_base": base,
            "_transport_for_url": _transport_for_url,
        },
    )
    tap.subclasses[base, taps] = made
    return made


def _replace_transports(tap: "Tap", http: Any) -> None:
    listening: Any = AsyncTransport if hasattr(type(http), "aclose") else SyncTransport
    http._transport = listening(tap, http._transport)
    for pattern, transport in list(http._mounts.items()):
        if transport is not None:
            http._mounts[pattern] = listening(tap, transport)


def listeners(http: Any, transport: Any) -> "list[Tap]":
    """Return the taps that an HTTP client is wrapped in, `transport` being the one that it uses."""
    return [tap for tap in (*getattr(type(http), "_agenttaps", ()), *_before(transport)) if tap.recording]


def _replaced(tap: "Tap", http: Any) -> bool:
    return tap in _before(http._transport)


def _before(transport: Any) -> "list[Tap]":
    taps: list[Tap] = []
    while isinstance(transport, SyncTransport | AsyncTransport):
        taps.append(transport._tap)
        transport = transport._inner
    return taps
