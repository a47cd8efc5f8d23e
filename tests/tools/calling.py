"""Calling a tool in a test as the loop does, with the test's own thread as the waiting one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from budget_magic.tools import Redactor, Tool, ToolAnswer, answer, file_tools

T = TypeVar("T")

NOTHING_SECRET = Redactor({})


async def here(function: Callable[[], T], /) -> T:
    """Run a function on the loop's own thread, which stands for the notebook's."""
    return function()


def call(tool: Tool, cap_bytes: int = 20_000, **arguments: Any) -> ToolAnswer:
    """The answer to one call."""
    return asyncio.run(answer(tool, arguments, here, NOTHING_SECRET, cap_bytes))


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
        return answered.content

    def refusal(self, name: str, **arguments: Any) -> str:
        """The text of a call that must be refused."""
        answered = call(self._tools[name], **arguments)
        assert answered.is_error, answered.content
        return answered.content

    def either(self, name: str, **arguments: Any) -> str:
        """The text of a call, refused or not."""
        return call(self._tools[name], **arguments).content
