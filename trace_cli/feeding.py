"""A trace read into an index by a thread of its own, so that a session can begin while it is being read."""

import threading
from collections.abc import Callable
from time import monotonic

from trace_cli import streams
from trace_cli.index import Index
from trace_cli.reading import Reading

NOTICE_S = 0.1  # how often those who wait are told that there are more events, while there are more and more


class Feeder:
    """Reads `trace` into `index`. `notice` is called, in the thread, when there are more events or all were read.

    The one file of a trace can be followed: what is written to it behind its end is read as well, from then on.
    `failure` is what ended reading before the trace did.
    """

    def __init__(self, trace: Reading, index: Index) -> None:
        self.trace = trace
        self.notice: Callable[[], None] = streams.nothing
        self.failure: Exception | None = None
        self._index = index
        self._begun = threading.Event()  # there is an event, or there is none
        self._wanted = threading.Event()  # following is
        self._thread = threading.Thread(target=self._run, name="trace-feeder", daemon=True)

    @property
    def can_follow(self) -> bool:
        """Whether the trace is one plain file."""
        return len(self.trace.files) == 1 and streams.is_plain(self.trace.files[0])

    def start(self) -> None:
        """Begins to read; returns when there is an event, or all was read."""
        self._thread.start()
        self._begun.wait()

    def read_all(self) -> None:
        """Reads all of it, here and now."""
        if not self._index.complete:
            self._read()

    def follow(self, on: bool) -> None:
        """Goes on behind the end of the file, or no longer."""
        if on:
            self._wanted.set()
        else:
            self._wanted.clear()

    def _run(self) -> None:
        try:
            self.read_all()
            self._begun.set()
            self.notice()
            self._wanted.wait()
            self._index.reopen()
            self._read_on()
        except Exception as error:  # noqa: BLE001 - whoever waits for this thread is told, and raises it
            self.failure = error
            self._index.close()
            self._begun.set()
            self.notice()

    def _read(self) -> None:
        self.trace.pause = self._told
        due = 0.0  # the first event is told at once
        for event in self.trace:
            self._index.add(event)
            if monotonic() >= due:
                self._told()
                due = monotonic() + NOTICE_S
        self._index.close()

    def _told(self) -> None:
        """Tells those who wait that there are events, if there are."""
        if len(self._index):
            self._begun.set()
            self.notice()

    def _read_on(self) -> None:
        trace = Reading(
            self.trace.files, say=self.trace.say, follow=True, behind=self.trace.end, pause=self._caught_up
        )
        for event in trace:
            self._index.add(event, copied=True)  # the file may be renamed away

    def _caught_up(self) -> None:
        self.notice()
        self._wanted.wait()
