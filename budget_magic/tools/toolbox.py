"""The tools of a task, from the names and functions that `tools` gives."""

from __future__ import annotations

import builtins
import difflib
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self, get_args

import anyio

from budget_magic.errors import ConfigurationError, ToolRefusal
from budget_magic.settings.parsers import tools as parse_tools
from budget_magic.tools.files import FILE_TOOL_NAMES, file_tools
from budget_magic.tools.functions import TOOL_NAME, function_tool
from budget_magic.tools.text import explained
from budget_magic.tools.tool import Thread, Tool

logger = logging.getLogger("budget_magic")

LATER: Final = frozenset({"edit", "shell", "python", "memory", "delegate"})
MCP: Final = "mcp:"
OPEN_S: Final = 30.0
"""How long one tool may take to open."""
CLOSE_S: Final = 5.0
"""How long one tool may take to close, even if the turn was stopped."""

Lookup = Callable[[str], object]
"""Finds an object of the notebook by name; raises LookupError or NameError if there is none."""


class Toolbox:
    """The tools of a task, sorted by name; open while a turn runs (`async with toolbox:`)."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        by_name: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in by_name:
                taken = "a file tool" if tool.name in FILE_TOOL_NAMES else "another tool"
                raise ConfigurationError(
                    f"{tool.name} is also the name of {taken}; give the function another name"
                )
            by_name[tool.name] = tool
        # Sorted: the cached prefix of a task begins with the tools, in this order.
        self._tools = dict(sorted(by_name.items()))
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open all tools, or none; raise `ToolRefusal` if one could not be opened."""
        async with AsyncExitStack() as opened:
            for tool in self._tools.values():
                await _open(tool)
                opened.push_async_callback(_close, tool)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tools, sorted."""
        return tuple(self._tools)

    def definitions(self) -> list[dict[str, Any]]:
        """Return the entries for the API's `tools`, sorted by name."""
        return [tool.definition() for tool in self._tools.values()]

    def get(self, name: str) -> Tool | None:
        """Return the tool of that name; None if there is none."""
        return self._tools.get(name)

    def for_background(self) -> Toolbox:
        """Return the tools that neither ask nor need the thread that waits for the turn."""
        return Toolbox(
            tool
            for tool in self._tools.values()
            if not tool.needs_approval and tool.thread != "caller"
        )

    def without(self, others: Toolbox) -> tuple[Tool, ...]:
        """Return the tools that `others` does not have, sorted by name."""
        return tuple(tool for name, tool in self._tools.items() if name not in others.names)


async def _open(tool: Tool) -> None:
    try:
        with anyio.fail_after(OPEN_S):
            await tool.open()
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        why = explained(error)
        raise ToolRefusal(f"the tool {tool.name} could not be opened: {why}") from error


async def _close(tool: Tool) -> None:
    try:
        with anyio.move_on_after(CLOSE_S, shield=True):
            await tool.close()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the turn has ended
        # The message may hold secrets.
        logger.warning("closing the tool %s failed with %s", tool.name, type(error).__name__)


def build_toolbox(
    entries: str | Sequence[object],
    *,
    root: Path,
    lookup: Lookup,
    candidates: Iterable[str] = (),
) -> Toolbox:
    """Return the toolbox that the entries of `tools` ask for.

    Parameters
    ----------
    entries
        `files`, names of functions in the notebook, functions, tools; or `none` alone. One text is
        split at its commas.
    root
        The only folder that the file tools may touch.
    lookup, candidates
        Finds a function of the notebook by name; names to suggest for one that is not found.
    """
    asked = parse_tools(entries)
    words = [entry for entry in asked if isinstance(entry, str)]
    if "none" in words:
        if len(asked) > 1:
            raise ConfigurationError("none cannot be combined with other tools", setting="tools")
        return Toolbox([])
    twice = next((word for word in words if words.count(word) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"names {twice} twice; name it once", setting="tools")
    tools: list[Tool] = []
    for entry in asked:
        if not isinstance(entry, str):
            tools.append(_as_tool(entry))
        elif entry == "files":
            tools += file_tools(root)
        else:
            tools.append(_named(entry, lookup, candidates))
    return Toolbox(tools)


def _as_tool(entry: object, name: str | None = None) -> Tool:
    if not isinstance(entry, Tool):
        return function_tool(entry, name)
    called, threads = getattr(entry, "name", None), get_args(Thread)
    if not isinstance(called, str) or not TOOL_NAME.fullmatch(called):
        raise ConfigurationError(
            f"a {type(entry).__name__} has the name {called!r}; use at most 64 letters a-z, digits,"
            " _ and -"
        )
    if entry.thread not in threads:
        raise ConfigurationError(
            f"the thread of {called} is {entry.thread!r}; use {', '.join(threads)}"
        )
    return entry


def _named(name: str, lookup: Lookup, candidates: Iterable[str]) -> Tool:
    if name in LATER or name.startswith(MCP):
        raise ConfigurationError(
            f"{name} is not part of this version; use files or functions of your own",
            setting="tools",
        )
    try:
        found = lookup(name)
    except (LookupError, NameError, AttributeError) as error:
        told = f"{name}: there is no function of that name in the notebook"
        hint = "; use files or define it"
        if type(error) is LookupError:  # the host says why
            told, hint = f"{name}: {error}", ""
        known = [one for one in candidates if not hasattr(builtins, one)]
        close = difflib.get_close_matches(name, ["files", "none", *known], n=3)
        if close:
            hint = f"; did you mean {' or '.join(close)}?"
        raise ConfigurationError(told + hint, setting="tools") from None
    # The API takes no dots, which a method such as `table.rows` has.
    return _as_tool(found, name.replace(".", "_"))
