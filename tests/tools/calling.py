"""Calling a tool in a test as the loop does, with the test's own thread as the waiting one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from budget_magic.tools import Tool, ToolContext
from budget_magic.tools.context import Reservation, RunInCaller
from budget_magic.tools.files import file_tools
from budget_magic.tools.loop_thread import FunctionLoop
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.result import ToolAnswer
from budget_magic.tools.run_tool import run_tool

T = TypeVar("T")

NOTHING_SECRET = Redactor({})
FUNCTION_LOOP = FunctionLoop()
"""As a session has one for all its tasks."""


async def here(function: Callable[[], T], /) -> T:
    """Run a function on the loop's own thread, which stands for the notebook's."""
    return function()


def no_money(**_amount: object) -> Reservation:
    """Refuse to hold anything: there are no accounts."""
    raise AssertionError


def context(run_in_caller: RunInCaller = here) -> ToolContext:
    """What a call outside of any task may use."""
    return ToolContext(
        turn=1,
        step=1,
        call_id="call_1",
        emit=lambda _: None,
        reserve=no_money,
        run_in_caller=run_in_caller,
        function_loop=FUNCTION_LOOP,
    )


def call(tool: Tool, cap_bytes: int = 20_000, **arguments: Any) -> ToolAnswer:
    """The answer to one call."""
    return asyncio.run(run_tool(tool, arguments, context(), NOTHING_SECRET, cap_bytes))


def text_of(answered: ToolAnswer) -> str:
    """The answer, which is a text."""
    assert isinstance(answered.content, str)
    return answered.content


class Files:
    """The file tools of a folder, each as a method that gives the result's text."""

    def __init__(self, root: Path, limit_s: float = 10.0) -> None:
        self.root = root
        self._tools = {tool.name: tool for tool in file_tools(root, limit_s=limit_s)}

    def write(self, path: str, content: str | bytes = "hello\n") -> Path:
        """A file below the root, with its folders."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def text(self, name: str, **arguments: Any) -> str:
        """The text of a call that must succeed."""
        answered = call(self._tools[name], **arguments)
        assert not answered.is_error, answered.content
        return text_of(answered)

    def refusal(self, name: str, **arguments: Any) -> str:
        """The text of a call that must be refused."""
        answered = call(self._tools[name], **arguments)
        assert answered.is_error, answered.content
        return text_of(answered)

    def either(self, name: str, **arguments: Any) -> str:
        """The text of a call, refused or not."""
        return text_of(call(self._tools[name], **arguments))
