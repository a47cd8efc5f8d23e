"""Prepare everything that a turn needs, or raise and leave the task unchanged."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from budget_magic.errors import ConfigurationError
from budget_magic.events import Suggestion, TurnSettings, TurnStarted
from budget_magic.loop import TaskContext
from budget_magic.loop.contexts import Approver
from budget_magic.meter.account import Account
from budget_magic.meter.cost import price_table
from budget_magic.session.accounts import set_ceilings
from budget_magic.session.caller_executor import CallerExecutor
from budget_magic.session.checks import check, check_compaction
from budget_magic.session.clients import AUTO, SIMULATOR, Chosen
from budget_magic.session.redaction import refuse_unreadable_secrets, session_redactor
from budget_magic.session.runner import Run
from budget_magic.session.session import Session
from budget_magic.settings import Settings
from budget_magic.tools.approval import Policy
from budget_magic.tools.context import CURRENT_CALL
from budget_magic.tools.loop_thread import FunctionLoop
from budget_magic.tools.path_sandbox import usable_root
from budget_magic.tools.tool import Tool
from budget_magic.tools.toolbox import Toolbox, build_toolbox

if TYPE_CHECKING:
    from budget_magic.session.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that a turn needs, not applied yet."""

    settings: Settings
    sent: TurnSettings
    """The settings as they are recorded."""
    context: TaskContext
    chosen: Chosen
    after: Run | None
    """The task's last run when the turn was prepared."""
    left_out: tuple[Tool, ...] = ()
    """Tools that are not offered, since nobody waits for the turn."""


class RecordedClient(NamedTuple):
    """The client that a task's turns were recorded with."""

    name: str
    simulated: bool


def checked(settings: Settings, session: Session) -> Settings:
    """Return the settings, or raise ConfigurationError if they cannot work."""
    check(settings)
    usable_root(settings.root_path())
    check_compaction(settings, make_toolbox(settings, session))
    if not isinstance(settings.client, str):
        from budget_magic.wire.sdk import check_client  # noqa: PLC0415 - imports anthropic

        check_client(settings.client)
    return settings


def make_toolbox(settings: Settings, session: Session) -> Toolbox:
    """Return the tools that the settings name."""
    return build_toolbox(
        settings.tools,
        root=settings.root_path(),
        lookup=session.host.lookup,
        candidates=session.host.candidates(),
    )


def prepare(
    task: Task,
    settings: Settings,
    *,
    caller: CallerExecutor,
    approver: Approver,
    reads_only: bool,
) -> Prepared:
    """Return what the next turn needs, or raise ConfigurationError; the task is not changed."""
    session = task.session
    check(settings)
    every = make_toolbox(settings, session)
    toolbox = every.for_background() if reads_only else every
    check_compaction(settings, every)
    refuse_unreadable_secrets(session)
    chosen = choose(task, settings)
    bus = task.bus
    redactor = session_redactor(session, chosen.secrets, bus.redactor)
    around = _around(task, chosen)
    context = TaskContext(
        name=task.name,
        session=session,
        client=chosen.client,
        history=bus.history,
        toolbox=toolbox,
        policy=cast("Policy", settings.approve),  # checked by its parser
        approver=approver,
        run_in_caller=caller.run,
        function_loop=(session.function_loop if caller.loop is None else FunctionLoop(caller.loop)),
        redactor=redactor,
        accounts=_chain(around, settings, chosen, session),
        around=around,
        gate=session.gate,
        own_prices=settings.prices,
        is_attended=session.host.has_stdin(),
        stuck_rule=settings.stuck_rule,
        emit=bus.emit,
        live=bus.live,
        recording_failure=lambda: bus.failure,
        record_of_call=bus.record_of_call,
        reading=lambda: bus.reading,
        now=time.monotonic,
        jitter=random.random,
    )
    if task.context is not None:
        context.approved_tools = task.context.approved_tools
    return Prepared(
        settings=settings,
        sent=turn_settings(
            settings,
            client=chosen.name,
            simulated=chosen.simulated,
            system=redactor.redact(settings.system_text),
        ),
        context=context,
        chosen=chosen,
        after=task.current_run,
        left_out=every.without(toolbox),
    )


def _around(task: Task, chosen: Chosen) -> tuple[Account, ...]:
    """Return the accounts of the task, its group, the tasks whose tools run it, and the session."""
    call = CURRENT_CALL.get()
    if call is not None and call.session is not task.session:
        raise ConfigurationError(
            f"{task.name} belongs to another session than the task whose tool runs it: create it"
            " without `session`"
        )
    found = [task.account, *filter(None, [task.group]), *(call.accounts if call else ())]
    if chosen.simulated is None:
        set_ceilings(task.session.account, task.session.defaults)
        found.append(task.session.account)
    return tuple(dict.fromkeys(found))


def _chain(
    around: tuple[Account, ...], settings: Settings, chosen: Chosen, session: Session
) -> tuple[Account, ...]:
    """Return the accounts a task counts against; simulated spend counts in simulated ones."""
    own, *others = around
    if chosen.simulated is not None:
        others = [account for account in others if account.simulated]
    if price_table(settings.model, settings.prices) is None:
        for account in others:
            _refuse_without_price(settings.model, account, session)
    return (own, *others)


def _refuse_without_price(model: str, account: Account, session: Session) -> None:
    if account.cost_usd is None:
        return
    held, ways = account.cost_setting, [Suggestion(action="price", lead="or give a price with")]
    way_out = " run the task outside it"
    if account.of_task:
        held = f"the cost ceiling of {account.name}, whose tool runs this task,"
    elif account is session.account:
        held, way_out = f"the cost ceiling of {account.name}", ""
        ways.insert(0, Suggestion(action="set", name=account.cost_setting, lead="unset"))
    raise ConfigurationError(
        f"no price is known for the model {model!r}, so {held} cannot be enforced:{way_out}", *ways
    )


def choose(task: Task, settings: Settings, recorded: RecordedClient | None = None) -> Chosen:
    """Return the task's client, which stays the one of the first turn.

    `recorded` is that client if the turn ran in an earlier process. Raise ConfigurationError if
    the settings ask for another one, or for one that is not available.
    """
    chosen = task.chosen
    refuse_another_client(task, settings, recorded)
    if task.turns and chosen and (chosen.name == SIMULATOR or settings.client != AUTO):
        return chosen
    return task.session.clients.choose(
        settings.client,
        name=settings.client_name,
        someone_watches=task.session.host.has_stdin(),
    )


def refuse_another_client(
    task: Task, settings: Settings, recorded: RecordedClient | None = None
) -> None:
    """Raise ConfigurationError if the task had its first turn on another client."""
    chosen = task.chosen
    was = recorded or (
        RecordedClient(chosen.name, chosen.simulated is not None) if chosen else None
    )
    if was is None or not task.turns:
        return
    if settings.client == AUTO:
        now = task.session.clients.kind_of_auto()
    else:
        now = settings.client if isinstance(settings.client, str) else settings.client_name
    if now != was.name:
        ran = "was simulated" if was.simulated else f"ran on {_called(was.name)}"
        effect = f"starts it on {_called(now)}"
        restart = Suggestion(action="restart", task=task.name, lead="or", effect=effect)
        told = f"{task.name} {ran}; choose {_called(was.name)} again"
        raise ConfigurationError(told, restart)


def _called(client: str) -> str:
    return {"anthropic": "the real API", "simulator": "the simulator"}.get(client, client)


def provisional_start(task: Task, settings: Settings) -> TurnStarted:
    """Return the start of the next turn as far as it is known before its client is."""
    sent = turn_settings(settings, client="", simulated=None, system="")
    return TurnStarted(turn=len(task.turns) + 1, settings=sent)


def turn_settings(
    settings: Settings, *, client: str, simulated: str | None, system: str
) -> TurnSettings:
    """Return the settings as they are recorded."""
    return TurnSettings(
        **settings.as_asked(),
        client=client,
        simulated=simulated,
        max_tokens=settings.reply_tokens,
        system=system,
        tools=settings.tool_names,
        root=shown_path(settings.root_path()) if "files" in settings.tools else "",
        approve=settings.approve if isinstance(settings.approve, str) else "function",
        user_prices=settings.model in settings.prices,
    )


def shown_path(path: Path) -> str:
    """Return a path as a saved notebook may show it: the home folder as `~`."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
