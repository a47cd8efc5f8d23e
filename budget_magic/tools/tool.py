"""The base class of everything that Claude may call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, Literal

from budget_magic.tools.context import ToolContext
from budget_magic.tools.result import ToolResult

Thread = Literal["loop", "worker", "caller"]
ToolOutput = str | ToolResult
"""A `str` is a result of one text block."""


class Tool(ABC):
    """Something that Claude may call; an instance may be given in `Task(tools=[...])`.

    Whether a call needs approval, whether it may run beside others, and on which thread it runs
    are independent of each other.

    Examples
    --------
    >>> class Clock(Tool):
    ...     name, needs_approval, is_parallel = "clock", False, True
    ...
    ...     def definition(self):
    ...         return {"name": self.name, "input_schema": {"type": "object"}}
    ...
    ...     async def call(self, arguments, context):
    ...         context.emit("looking at the clock")
    ...         return "12:00"
    """

    name: str
    """What the model calls it; a-z, 0-9, _ and -."""
    needs_approval: bool = True
    """Whether a call needs approval under the policy `ask`; False for tools that change nothing."""
    approval_reason: str = "It may change something, so it asks."
    """One sentence for the approval card."""
    is_parallel: bool = False
    """Whether a call may run beside others that are parallel too."""
    thread: Thread = "loop"
    """Where `call` runs.

    - `loop`: the event loop of all tasks, which must not be blocked;
    - `worker`: a separate thread, abandoned when the turn stops (see `ToolContext.cancel`);
    - `caller`: the thread that waits for the turn (the notebook's), one call at a time.
    """

    @property
    def approval_key(self) -> object:
        """The object, by identity, that an approval for the rest of the task is tied to."""
        return self

    @abstractmethod
    def definition(self) -> dict[str, Any]:
        """Return the entry for the API's `tools`, as plain JSON."""

    @abstractmethod
    def call(
        self, arguments: dict[str, Any], context: ToolContext
    ) -> ToolOutput | Awaitable[ToolOutput]:
        """Return the result; raise `ToolRefusal` to decline, or any other error."""

    async def open(self) -> None:  # noqa: B027 - most tools hold nothing
        """Open what calls need, such as a connection; called at the start of each turn."""

    async def close(self) -> None:  # noqa: B027 - likewise
        """Close it; called at the end of each turn, however it ended."""
