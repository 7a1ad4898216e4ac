"""The steps of runs: what each is called, and which it is a part of."""

from collections import deque

from trace_cli.event import Event

LONGEST = 1000  # characters of a path; of a longer one the end is kept
LATE = 1000  # steps that are remembered after their end: of what goes on behind it


class Steps:
    """Follows the steps of a trace, event by event, and names them by their paths, as `plan/search`.

    Memory: an entry for each step that is open, and for the last LATE that are not; with `every`, for each step.
    """

    def __init__(self, every: bool = False) -> None:
        self._paths: dict[str, str] = {}  # by step_id
        self._ended: deque[str] = deque()
        self._every = every

    def feed(self, event: Event) -> None:
        """Takes the next event."""
        step_id = event.step_id
        if step_id is None:
            return
        if event.type == "step.started":
            payload = event.payload
            around = self.path(payload.get("parent_id"))
            name = str(payload.get("name") or step_id)
            path = name if around is None else f"{around}/{name}"
            self._paths[step_id] = path if len(path) <= LONGEST else f"…{path[1 - LONGEST :]}"
        elif event.type == "step.ended" and not self._every:
            self._ended.append(step_id)
            if len(self._ended) > LATE:
                self._paths.pop(self._ended.popleft(), None)

    def path(self, step_id: object) -> str | None:
        """The names of a step and of those around it, outermost first; None for one that is not known."""
        return self._paths.get(step_id) if isinstance(step_id, str) else None
