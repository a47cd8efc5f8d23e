"""Before a turn: everything it needs, or an error that leaves the task as it was."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from budget_magic.errors import ConfigurationError
from budget_magic.events import Suggestion, TurnSettings
from budget_magic.loop import TaskContext
from budget_magic.loop.calling import CALLING
from budget_magic.loop.task import Approver
from budget_magic.meter.cost import price_table
from budget_magic.meter.reserve import Account
from budget_magic.session.accounts import GATE, SESSION, session_account
from budget_magic.session.bus import Bus
from budget_magic.session.caller_executor import CallerExecutor
from budget_magic.session.clients import AUTO, SIMULATOR, Chosen, choose_client, kind_of_auto
from budget_magic.session.redaction import process_redactor, refuse_unreadable_secrets
from budget_magic.session.settings import Settings, check, defaults
from budget_magic.session.surroundings import HERE
from budget_magic.tools.approval import parse_policy
from budget_magic.tools.toolbox import Toolbox, build_toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a task has so far."""

    name: str
    bus: Bus
    account: Account
    group: Account | None
    """The cap that it shares with other tasks."""
    chosen: Chosen | None
    context: TaskContext | None
    has_turns: bool


def checked(settings: Settings) -> Settings:
    """Return the settings, if they can work.

    Raises
    ------
    ConfigurationError
        They cannot; the sentence says what does.
    """
    check(settings)
    parse_policy(settings.approve)
    make_toolbox(settings)
    return settings


def make_toolbox(settings: Settings) -> Toolbox:
    """Return the tools that the settings name."""
    return build_toolbox(
        settings.tools,
        root=settings.root_path(),
        lookup=HERE.lookup,
        candidates=HERE.candidates(),
    )


def prepare(
    ground: Ground,
    settings: Settings,
    *,
    caller: CallerExecutor,
    approver: Approver,
    reads_only: bool,
) -> tuple[TaskContext, Chosen]:
    """Return the context of the next turn and the client that answers it; changes nothing.

    Raises
    ------
    ConfigurationError
        The turn cannot run.
    """
    check(settings)
    toolbox = make_toolbox(settings)
    refuse_unreadable_secrets()
    chosen = choose(ground, settings)
    bus, redactor = ground.bus, process_redactor(chosen.secrets)
    around = _around(ground, chosen)
    context = TaskContext(
        name=ground.name,
        client=chosen.client,
        settings=turn_settings(settings, chosen, system=redactor.redact(settings.system_text)),
        toolbox=toolbox.reading_only() if reads_only else toolbox,
        policy=parse_policy(settings.approve),
        approver=approver,
        run_in_caller=caller.run,
        redactor=redactor,
        accounts=_chain(around, settings, chosen),
        around=around,
        gate=GATE,
        own_prices=settings.prices,
        stuck_rule=settings.stuck_rule,
        emit=bus.emit,
        live=bus.live,
        reading=lambda: bus.reading,
        now=time.monotonic,
        jitter=random.random,
    )
    before = ground.context
    if before is not None:
        context.conversation = before.conversation.copy()
        context.approved_tools = before.approved_tools
        context.ratios, context.noted = before.ratios, before.noted
    return context, chosen


def _around(ground: Ground, chosen: Chosen) -> tuple[Account, ...]:
    """Return the accounts of the task, its group, the tasks whose tools run it, and the session."""
    call = CALLING.get()
    found = [ground.account, *filter(None, [ground.group]), *(call.accounts if call else ())]
    if chosen.simulated is None:
        found.append(session_account(defaults()))
    return tuple(dict.fromkeys(found))


def _chain(around: tuple[Account, ...], settings: Settings, chosen: Chosen) -> tuple[Account, ...]:
    """Return the accounts a task counts against; simulated spend counts in simulated ones."""
    own, *others = around
    if chosen.simulated is not None:
        others = [account for account in others if account.simulated]
    if price_table(settings.model, settings.prices) is None:
        for account in others:
            _refuse_without_price(settings.model, account)
    return (own, *others)


def _refuse_without_price(model: str, account: Account) -> None:
    if account.cost_usd is None:
        return
    held, ways = account.cost_setting, [Suggestion(action="price", lead="or give a price with")]
    way_out = " run the task outside it"
    if account.of_task:
        held = f"the cost ceiling of {account.name}, whose tool runs this task,"
    elif account is SESSION:
        held, way_out = f"the cost ceiling of {account.name}", ""
        ways.insert(0, Suggestion(action="set", name=account.cost_setting, lead="unset"))
    raise ConfigurationError(
        f"no price is known for the model {model!r}, so {held} could not be held:{way_out}", *ways
    )


def choose(ground: Ground, settings: Settings) -> Chosen:
    """Return the task's client; it stays the one of the first turn."""
    if ground.has_turns and ground.chosen is not None:
        _refuse_another_client(ground.name, settings, ground.chosen)
        if ground.chosen.name == SIMULATOR or settings.client != AUTO:
            return ground.chosen
    return choose_client(
        settings.client, name=settings.client_name, someone_watches=HERE.has_stdin()
    )


def _refuse_another_client(task: str, settings: Settings, chosen: Chosen) -> None:
    if settings.client == AUTO:
        now = kind_of_auto()
    else:
        now = settings.client if isinstance(settings.client, str) else settings.client_name
    if now != chosen.name:
        was = "was simulated" if chosen.simulated else f"ran on {_called(chosen.name)}"
        effect = f"starts it on {_called(now)}"
        restart = Suggestion(action="restart", task=task, effect=effect)
        raise ConfigurationError(f"{task} {was}", restart)


def _called(client: str) -> str:
    return {"anthropic": "the real API", "simulator": "the simulator"}.get(client, client)


def turn_settings(settings: Settings, chosen: Chosen, *, system: str) -> TurnSettings:
    """Return the settings as the records hold them."""
    return TurnSettings(
        client=chosen.name,
        simulated=chosen.simulated,
        model=settings.model,
        effort=settings.effort,
        budget=settings.budget,
        max_tokens=settings.reply_tokens,
        ceilings=settings.ceilings,
        system=system,
        tools=settings.tool_names,
        root=_shown(settings.root_path()) if "files" in settings.tools else "",
        approve=settings.approve if isinstance(settings.approve, str) else "function",
        wrap_up=settings.wrap_up,
        compact_at=settings.compact_at,
        carry=settings.carry,
        user_prices=settings.model in settings.prices,
        inference_geo=settings.inference_geo,
    )


def _shown(path: Path) -> str:
    """Return a path as a saved notebook may show it: the home folder as `~`."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def adapt(context: TaskContext) -> None:
    """Note in the history's state what the new settings mean for its cached prefix."""
    conversation, settings = context.conversation, context.settings
    tools = _fingerprint(context.toolbox.definitions())
    before, conversation.under = conversation.under, settings
    bound_to, conversation.bound_to = conversation.bound_to, tools
    if not conversation.messages or before is None:
        return
    if before.model != settings.model:
        conversation.baseline = None
        by_message = context.model is not None and context.model.effort_per_message
        spoken = conversation.message_effort() if by_message else None
        conversation.effort = settings.effort if spoken else None
        conversation.spoken_effort = spoken
    if before.budget != settings.budget:
        conversation.uncache()
    if bound_to != tools:
        conversation.baseline = None
        conversation.drops_bound_thinking = True


def _fingerprint(definitions: Sequence[dict[str, object]]) -> tuple[str, ...]:
    return tuple(json.dumps(definition, sort_keys=True) for definition in definitions)
