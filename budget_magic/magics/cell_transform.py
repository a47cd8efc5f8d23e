"""Rewrite cells so that the outermost awaits its magic and widget events keep arriving."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from budget_magic.magics.shell_context import ShellContext

AWAITED_CELL: Final = "_claude_task_awaited"
_HELP: Final = re.compile(r"(get_ipython\(\)\.run_cell_magic\('claude_task', .*--help.*), ''\)")
"""A cell with an empty body, which IPython would refuse."""
_NO_BODY: Final = ", '')"
AWAITED_RESUME: Final = "_claude_resume_awaited"
_CELL: Final = "get_ipython().run_cell_magic('claude_task',"
_RESUME: Final = re.compile(
    r"^(?P<target>[\w., ]+= *)?get_ipython\(\)\.run_line_magic\('claude_resume',(?P<rest>.*)$"
)
_SHOWN: Final = re.compile(
    r"^(?P<call>get_ipython\(\)\.run_line_magic\('claude_(?:task|resume)',.*\))$"
)
"""A bare line, whose magic displays the task: the value must not be displayed again."""


def make_transform(shell_context: ShellContext) -> Callable[[list[str]], list[str]]:
    """Return an entry for `input_transformers_post`: IPython does not await magics by itself.

    Terminals, nested calls (`%%time`, `%run`, `ip.run_cell`) and shells whose autoawait is off or
    runs something else than asyncio keep the blocking form.
    """

    def transform(lines: list[str]) -> list[str]:
        if lines and lines[0].rstrip().endswith(_NO_BODY):
            return [_HELP.sub(r"\1, ' ')", lines[0]), *lines[1:]]
        if shell_context.depth or not lines or not _can_await(shell_context):
            return [_SHOWN.sub(r"\g<call> and None", line) for line in lines]
        if lines[0].startswith(_CELL):
            return ["await " + lines[0].replace("'claude_task'", repr(AWAITED_CELL), 1), *lines[1:]]
        lines = [_RESUME.sub(_awaited, line) for line in lines]
        return [_SHOWN.sub(r"\g<call> and None", line) for line in lines]

    transform.has_side_effects = False  # type: ignore[attr-defined] # IPython reads this mark
    return transform


def _can_await(shell_context: ShellContext) -> bool:
    """Return whether to await cells: a kernel then hears widgets; a terminal would lose Ctrl-C."""
    shell = shell_context.shell
    asyncio_runner, _ = shell.loop_runner_map["asyncio"]
    return bool(shell_context.kernel and shell.autoawait and shell.loop_runner is asyncio_runner)


def _awaited(match: re.Match[str]) -> str:
    target, rest = match["target"] or "", match["rest"]
    newline = "\n" if match.string.endswith("\n") else ""
    call = f"await get_ipython().run_line_magic({AWAITED_RESUME!r},{rest.rstrip()}"
    return f"{target}{call}{newline}" if target else f"({call}) and None{newline}"
