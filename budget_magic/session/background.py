"""Say which tools a turn in the background goes without."""

from __future__ import annotations

from collections.abc import Sequence

from budget_magic.events import NoticePosted
from budget_magic.tools.tool import Tool


def left_out_notice(tools: Sequence[Tool], turn: int) -> NoticePosted:
    """Return a notice that names the tools that are not offered, and why."""
    *first, last = (tool.name for tool in tools)
    names, them = (f"{', '.join(first)} and {last}", "them") if first else (last, "it")
    text = (
        f"not offered in the background, where no cell waits to approve or run {them}: {names};"
        " declare a function that only reads with `@tool(reads=True)`"
    )
    return NoticePosted(turn=turn, text=text)
