"""Load and unload the extension."""

from __future__ import annotations

import logging

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from budget_magic.errors import ConfigurationError
from budget_magic.magics.cell_transform import make_transform
from budget_magic.magics.claude_task import ClaudeTaskMagics
from budget_magic.magics.complete import make_matcher
from budget_magic.magics.defaults import without_secrets
from budget_magic.magics.shell_context import ShellContext
from budget_magic.session.host import PythonHost
from budget_magic.session.session import default_session
from budget_magic.settings import TABLE

logger = logging.getLogger("budget_magic")


def load(shell: InteractiveShell) -> None:
    """Register magics, completion and the hook that awaits cells; existing tasks are kept."""
    if _loaded(shell) is not None:
        return
    session, shell_context = default_session(), ShellContext(shell)
    _drop_invalid_defaults(shell)
    magics = ClaudeTaskMagics(shell_context, session)
    shell.register_magics(magics)
    magics.on_unload.callback(_remove_magics, magics)
    for event, callback in (
        ("pre_execute", shell_context.before_code),
        ("post_execute", shell_context.after_code),
        ("pre_run_cell", shell_context.before_cell),
    ):
        shell.events.register(event, callback)
        magics.on_unload.callback(shell.events.unregister, event, callback)
    transforms, transform = shell.input_transformers_post, make_transform(shell_context)
    transforms.append(transform)
    magics.on_unload.callback(lambda: transforms.remove(transform))
    if shell.Completer is not None:
        matchers, matcher = shell.Completer.custom_matchers, make_matcher(shell_context, session)
        matchers.insert(0, matcher)
        magics.on_unload.callback(lambda: matchers.remove(matcher))
    shell_context.defaults = magics.as_defaults
    session.host = shell_context


def unload(shell: InteractiveShell) -> None:
    """Remove what `load` added; raises `UsageError` while a task runs."""
    magics = _loaded(shell)
    if magics is None:
        return
    running = [task.name for task in magics.session.tasks.values() if task.is_running]
    if running:
        raise UsageError(
            f"{' and '.join(running)} still {'runs' if len(running) == 1 else 'run'}:"
            f" {' and '.join(f'`%claude_stop {name}`' for name in running)}, then unload again"
        )
    if "actions" in vars(magics):
        for panel in magics.actions.cells.ended_panels:
            panel.close()
    magics.on_unload.close()
    magics.session.host = PythonHost()


def _drop_invalid_defaults(shell: InteractiveShell) -> None:
    """Remove configured defaults that no task can have; traitlets would refuse to load them."""
    configured = shell.config.get(ClaudeTaskMagics.__name__, {})
    for name in TABLE.keys() & configured.keys():
        try:
            TABLE[name].parse(configured[name])
        except ConfigurationError as error:
            told = f"ClaudeTaskMagics.{name} = {configured[name]!r} is ignored: {error}"
            logger.warning("%s", without_secrets(told))
            del configured[name]


def _loaded(shell: InteractiveShell) -> ClaudeTaskMagics | None:
    magics = shell.magics_manager.registry.get(ClaudeTaskMagics.__name__)
    return magics if isinstance(magics, ClaudeTaskMagics) else None


def _remove_magics(magics: ClaudeTaskMagics) -> None:
    shell = magics.shell_context.shell
    for kind, names in magics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(ClaudeTaskMagics.__name__, None)
    shell.configurables.remove(magics)  # type: ignore[arg-type] # typed too narrowly there
