"""Rewrites cells: the outermost awaits its magic, so that widget events arrive meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from budget_magic.magics.place import Place

AWAITED_CELL: Final = "_claude_task_awaited"
AWAITED_RESUME: Final = "_claude_resume_awaited"
_CELL: Final = "get_ipython().run_cell_magic('claude_task',"
_RESUME: Final = re.compile(
    r"^(?P<target>[\w., ]+= *)?get_ipython\(\)\.run_line_magic\('claude_resume',(?P<rest>.*)$"
)
_SHOWN: Final = re.compile(r"^get_ipython\(\)\.run_line_magic\('claude_task',.*\)$")
"""A bare line that shows its task by itself; with a `;` IPython does not show it once more."""


def make_transform(place: Place) -> Callable[[list[str]], list[str]]:
    """An entry for `input_transformers_post`.

    IPython does not await magics by itself. Nested calls (`%%time`, `%run`, `ip.run_cell`) and
    shells whose autoawait is off or runs something else than asyncio keep the blocking form.
    """

    def transform(lines: list[str]) -> list[str]:
        shell = place.shell
        lines = [_SHOWN.sub(r"\g<0>;", line) for line in lines]
        if place.depth or not lines or not shell.autoawait or not _runs_asyncio(place):
            return lines
        if lines[0].startswith(_CELL):
            return ["await " + lines[0].replace("'claude_task'", repr(AWAITED_CELL), 1), *lines[1:]]
        return [_RESUME.sub(_awaited, line) for line in lines]

    transform.has_side_effects = False  # type: ignore[attr-defined] # IPython reads this mark
    return transform


def _runs_asyncio(place: Place) -> bool:
    asyncio_runner, _ = place.shell.loop_runner_map["asyncio"]
    return place.shell.loop_runner is asyncio_runner


def _awaited(match: re.Match[str]) -> str:
    """A bare line ends with `;`: the turn has been shown already."""
    target, rest = match["target"] or "", match["rest"]
    end = "" if target else ";"
    newline = "\n" if match.string.endswith("\n") else ""
    call = f"get_ipython().run_line_magic({AWAITED_RESUME!r},{rest.rstrip()}"
    return f"{target}await {call}{end}{newline}"
