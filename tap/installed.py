"""How a tap gets into every client of httpx and httpx2, also into those that a framework hides: `Tap.install`."""

import functools
import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import guard
from .clients import listeners
from .transport import LIBRARIES, AsyncTransport, Before, SyncTransport

if TYPE_CHECKING:
    from .recorder import Recorder

_METHOD = "_transport_for_url"

# Open taps that are installed, the latest last, and whether each records everything.
_installed: dict["Recorder", bool] = {}
# Classes of clients whose method ours stands before: what stood there, and ours.
_patched: dict[type, tuple[Any, Any]] = {}


def add(recorder: "Recorder", everything: bool) -> None:
    """Record what all clients send, those that exist already and those of a library that is imported later."""
    _installed.pop(recorder, None)
    _installed[recorder] = everything
    for name in LIBRARIES:
        if name in sys.modules:
            # Waits if another thread is in the middle of importing it; imports nothing else.
            _patch(importlib.import_module(name))
    if _watch not in sys.meta_path:
        sys.meta_path.insert(0, _watch)


def remove(recorder: "Recorder") -> None:
    """Undo `add`; with the last tap everything is put back as it was."""
    if _installed.pop(recorder, None) is None or _installed:
        return
    if _watch in sys.meta_path:
        sys.meta_path.remove(_watch)
    for kind, (original, ours) in list(_patched.items()):
        # If somebody else stands before ours by now, it stays where it is, and passes everything on.
        if kind.__dict__.get(_METHOD) is ours:
            setattr(kind, _METHOD, original)
            del _patched[kind]


def _patch(module: ModuleType) -> None:
    for name, listening in (("Client", SyncTransport), ("AsyncClient", AsyncTransport)):
        kind = getattr(module, name)
        current = kind.__dict__[_METHOD]
        original, _ = _patched.get(kind, (None, None))
        if original is None or current is original:  # or put back by somebody else since
            ours = _before(current, listening)
            _patched[kind] = (current, ours)
            setattr(kind, _METHOD, ours)


def _before(original: Any, listening: Any) -> Any:
    @functools.wraps(original)
    def _transport_for_url(self: Any, url: Any) -> Any:
        transport = original(self, url)
        if not _installed:
            return transport
        return guard.attempt(_listening, self, transport, listening, default=transport)

    return _transport_for_url


def _listening(client: Any, transport: Any, listening: Any) -> Any:
    """Return what stands before `transport` for one request: each journal gets it once.

    A tap that this client is wrapped in records it anyway, and all of it.
    """
    installed = [(recorder, everything) for recorder, everything in list(_installed.items()) if recorder.recording]
    done = {id(recorder.journal) for recorder in listeners(client, transport)}
    for recorder, _ in reversed(installed):
        journal = id(recorder.journal)
        if journal not in done:
            done.add(journal)
            everything = any(wanted for other, wanted in installed if id(other.journal) == journal)
            transport = listening(recorder, transport, not everything)
    return transport


class _Watch:
    """Stands first among what finds modules, and sees the HTTP libraries when they are imported.

    Finds nothing itself: for any other name it says so at once, and for these it asks those behind it.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in LIBRARIES:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # does what a loader does
                return spec
        return None


class _Loader(Before):
    """Stands before the loader of a library until that has loaded it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        guard.attempt(_patch, module)


_watch = _Watch()
