"""Read the messages of a browser, which are not trusted."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final, Literal, TypeAlias, get_args

from budget_magic.widgets.controls import CEILINGS, Controls, Decision

REASON_CHARS: Final = 2_000
BUDGET_CHARS: Final = 40
Part: TypeAlias = Literal["call", "result"]
WAITING: Final = 100
"""Most requests of a kind that wait for an answer."""


class Requests:
    """Dispatch a browser's commands at once; queue its requests for the panel's thread."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self.hello = threading.Event()
        self.saves = threading.Event()
        """Set when a page says that it keeps the report in the notebook's file."""
        self.kept = threading.Event()
        """Set when a page says that the notebook has the report of the turn, which has ended."""
        self._known: deque[int] = deque(maxlen=WAITING)
        self._wholes: deque[tuple[Part, str]] = deque(maxlen=WAITING)
        self._steps: deque[int] = deque(maxlen=WAITING)

    def take(self, content: Any) -> None:
        """Take one message; ignore an invalid one."""
        match content:
            case {"k": "hello", "r": int(revision)}:
                self.hello.set()
                self._known.append(revision)
            case {"k": "saves"}:
                self.saves.set()
            case {"k": "kept"}:
                self.kept.set()
            case {"k": "resync"}:
                self._known.append(-1)
            case {"k": "whole", "id": str(call_id)}:
                self._wholes.append(("result", call_id))
            case {"k": "whole", "call": str(call_id)}:
                self._wholes.append(("call", call_id))
            case {"k": "whole", "step": int(number)}:
                self._steps.append(number)
            case _:
                self._command(content)

    def asked(self) -> tuple[list[int], list[tuple[Part, str]], list[int]]:
        """Return the last message that each view knows, and the parts and steps it asks for."""
        return _emptied(self._known), _emptied(self._wholes), _emptied(self._steps)

    def _command(self, content: Any) -> None:
        controls = self._controls
        match content:
            case {"k": "stop"}:
                controls.stop()
            case {"k": "decide", "id": str(call_id), "kind": kind, "reason": str(reason)}:
                if kind in get_args(Decision):
                    controls.decide(call_id, kind, reason[:REASON_CHARS])
            case {"k": "effort", "level": str(level), "when": "now" | "next" as when}:
                if level in controls.offers().levels:
                    controls.set_effort(level, when)
            case {
                "k": "budget", "from": int() | None as value, "to": str(to),
                "when": "now" | "next" as when,
            }:  # fmt: skip
                controls.set_budget(value, to[:BUDGET_CHARS], when)
            case {"k": "ceiling", "ceiling": ceiling, "from": str(value), "to": str(to)}:
                if ceiling in CEILINGS:
                    controls.raise_ceiling(ceiling, value, to)
            case _:
                pass


def _emptied(waiting: deque[Any]) -> list[Any]:
    items = []
    while waiting:
        items.append(waiting.popleft())
    return list(dict.fromkeys(items))
