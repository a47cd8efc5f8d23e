"""The seam between the loop and what Claude may do: a tool, and the answer to one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from budget_magic.tools.secrets import Redactor
from budget_magic.tools.text import capped, explained, without_lone_surrogates

T = TypeVar("T")

RESULT_CAP_BYTES: Final = 20_000


class RunInCaller(Protocol):
    """Runs a function on the thread that waits for the turn (the notebook's), one at a time.

    An `Exception` of the function is raised here too, anything else as a `ToolRefusal`; an
    interrupt of the waiting thread reaches the loop as a cancellation of the turn.
    """

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return what the function returns."""
        ...


class Tool(Protocol):
    """Something that Claude may call."""

    @property
    def name(self) -> str:
        """What the model calls it."""
        ...

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing: it then runs without asking, and beside others."""
        ...

    @property
    def runs(self) -> object:
        """What a call runs; an approval for the rest of the task holds for this very object."""
        ...

    @property
    def why_it_asks(self) -> str:
        """One sentence for the approval card."""
        ...

    def definition(self) -> dict[str, Any]:
        """Return the entry for the API's `tools`, as plain JSON."""
        ...

    async def call(self, arguments: dict[str, Any], run_in_caller: RunInCaller) -> str:
        """Return the result as text; raises `ToolRefusal`, or whatever went wrong."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """The answer to one call, as it is sent, shown and kept."""

    content: str
    is_error: bool = False
    cut_bytes: int = 0
    """UTF-8 bytes left out of the middle to keep the cap."""


async def answer(
    tool: Tool,
    arguments: dict[str, Any],
    run_in_caller: RunInCaller,
    redactor: Redactor,
    cap_bytes: int = RESULT_CAP_BYTES,
) -> ToolAnswer:
    """Return the answer to one call: secrets replaced, length capped, every error told as text.

    Credentials that the call brought into the environment count already.

    A cancellation alone passes through. A KeyboardInterrupt or SystemExit that arrives here is the
    tool's own, and would end the event loop that all tasks share.
    """
    try:
        content, is_error = await tool.call(arguments, run_in_caller), False
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises is told to the model
        redactor.refresh()
        content, is_error = explained(error, redactor.redact), True
    return sendable(content, redactor, is_error=is_error, cap_bytes=cap_bytes)


def sendable(
    content: str, redactor: Redactor, *, is_error: bool = False, cap_bytes: int = RESULT_CAP_BYTES
) -> ToolAnswer:
    """Return a text as the answer to a call: secrets are replaced before a cut could split one."""
    redactor.refresh()
    text = redactor.redact(without_lone_surrogates(content))
    text, cut_bytes = capped(text, cap_bytes)
    return ToolAnswer(content=text, is_error=is_error, cut_bytes=cut_bytes)
