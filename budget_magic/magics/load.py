"""Loading and unloading the extension: everything added is removed again."""

from __future__ import annotations

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from budget_magic.magics.cell_transform import make_transform
from budget_magic.magics.claude_task import ClaudeTaskMagics
from budget_magic.magics.complete import make_matcher
from budget_magic.magics.host import IPythonHost
from budget_magic.magics.shell_context import ShellContext
from budget_magic.session.host import PythonHost
from budget_magic.session.session import default_session

_LOADED: dict[int, tuple[ClaudeTaskMagics, object, object]] = {}


def load(shell: InteractiveShell) -> None:
    """Register magics, completion and the hook that awaits cells; tasks of before stay."""
    if id(shell) in _LOADED:
        return
    shell_context = ShellContext(shell)
    session = default_session()
    magics = ClaudeTaskMagics(shell_context, session)
    transform, matcher = make_transform(shell_context), make_matcher(shell_context, session)
    shell.register_magics(magics)
    shell.events.register("pre_execute", shell_context.before_code)
    shell.events.register("post_execute", shell_context.after_code)
    shell.events.register("pre_run_cell", shell_context.before_cell)
    shell.input_transformers_post.append(transform)
    if shell.Completer is not None:
        shell.Completer.custom_matchers.insert(0, matcher)
    session.host = IPythonHost(shell_context, magics)
    _LOADED[id(shell)] = (magics, transform, matcher)


def unload(shell: InteractiveShell) -> None:
    """Remove what `load` added.

    Raises
    ------
    UsageError
        A task runs.
    """
    if id(shell) not in _LOADED:
        return
    magics, transform, matcher = _LOADED[id(shell)]
    running = [task.name for task in magics.session.tasks.values() if task.is_running]
    if running:
        raise UsageError(
            f"{', '.join(running)} still runs; `%claude_stop` stops it, then unload again"
        )
    del _LOADED[id(shell)]
    if "actions" in vars(magics):
        magics.actions.close()
    shell_context = magics.shell_context
    shell.events.unregister("pre_execute", shell_context.before_code)
    shell.events.unregister("post_execute", shell_context.after_code)
    shell.events.unregister("pre_run_cell", shell_context.before_cell)
    shell.input_transformers_post.remove(transform)
    if shell.Completer is not None and matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    for kind, names in magics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    shell.configurables.remove(magics)  # type: ignore[arg-type] # typed too narrowly there
    magics.session.host = PythonHost()
