"""Rebuild a task from its records: settings, turns, account and history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from budget_magic.errors import ConfigurationError
from budget_magic.events import (
    AttemptFailed,
    Record,
    RetryScheduled,
    SettingsChanged,
    StepFinished,
    StepStarted,
    ToolStarted,
    TurnFinished,
    TurnSettings,
    TurnStarted,
)
from budget_magic.meter.account import book, restore
from budget_magic.session.clients import ANTHROPIC, AUTO, SIMULATOR
from budget_magic.session.prepare import RecordedClient, choose, make_toolbox
from budget_magic.session.session import Session
from budget_magic.session.turns import Prompt, Turn, turn_key
from budget_magic.settings import Settings
from budget_magic.settings.table import SYSTEM

if TYPE_CHECKING:
    from budget_magic.session.task import Task

KEPT_CLIENTS: Final = {ANTHROPIC: AUTO, SIMULATOR: SIMULATOR}
"""Clients that need no object, with the setting that chooses each."""


def restore_task(task: Task, records: Sequence[Record]) -> None:
    """Bring a new task to the end of the records without notifying sinks or views."""
    task.bus.restore(records)
    task.turns = turns_of(records, task.session)
    restore(task.account, [record.fact for record in records])
    task.chosen = choose(task, task.settings, recorded=_recorded_client(records))
    model, toolbox = "", make_toolbox(task.settings, task.session)
    for record in task.bus.records:
        task.reports.record(record)
        match record.fact:
            case TurnStarted() | SettingsChanged() as fact:
                model = fact.settings.model
            case StepFinished() as fact:
                task.chosen.client.learned.learn(fact, asked_model=model)
            case ToolStarted() as fact:
                task.turns[fact.turn - 1].note_call(fact.name, toolbox)
            case TurnFinished() as fact:
                task.keep_outcome(fact, task.reports.fold.reading, record.at)
    cut_off = _cut_off(records)
    if cut_off is not None:
        book(cut_off, (task.account,))
        task.session.portal.call(lambda: task.bus.emit(cut_off))


def _cut_off(records: Sequence[Record]) -> AttemptFailed | None:
    """Return the end of a request that was under way when the records end: its cost is unknown."""
    started: StepStarted | None = None
    attempt = 0  # of the request under way; 0 if there is none
    for record in records:
        match record.fact:
            case StepStarted() as fact:
                started, attempt = fact, 1
            case RetryScheduled() as fact:
                attempt = fact.attempt
            case StepFinished() | AttemptFailed() | TurnFinished() | TurnStarted():
                attempt = 0
    if started is None or not attempt:
        return None
    return AttemptFailed(
        turn=started.turn,
        step=started.step,
        attempt=attempt,
        why="the process ended",
        unconfirmed_usd=started.held_usd or Decimal(0),
        unconfirmed_tokens=started.held_tokens,
    )


def settings_of(records: Sequence[Record], session: Session) -> Settings:
    """Return the settings in force at the end of the records of one whole task.

    Records hold no objects. A client is looked up by its name; an approval function must be
    passed again.
    """
    if not records or not all(isinstance(record, Record) for record in records):
        raise ConfigurationError("pass the records of a task, such as `list(task.events)`")
    places = [(record.task, record.sequence) for record in records]
    if places != [(records[0].task, number) for number in range(1, len(records) + 1)]:
        raise ConfigurationError(
            "the records are not one task's without gaps; pass all of them, oldest first"
        )
    facts = [record.fact for record in reversed(records)]
    started = [fact for fact in facts if isinstance(fact, TurnStarted)]
    if not started:
        raise ConfigurationError("the records contain no turn; pass all records of a task")
    last = next(fact for fact in facts if isinstance(fact, TurnStarted | SettingsChanged))
    return _settings_from(last.settings, started[0].tags, session)


def _settings_from(sent: TurnSettings, tags: Mapping[str, str], session: Session) -> Settings:
    """Return the settings behind recorded ones."""
    before = session.defaults.settings
    client: object = KEPT_CLIENTS.get(sent.client, before.client)
    if sent.client not in KEPT_CLIENTS:
        try:
            client = session.host.lookup(sent.client)
        except LookupError:
            client = before.client
    return replace(
        before,
        **sent.as_asked(),
        max_tokens=sent.max_tokens,
        tools=sent.tools,
        approve=before.approve if sent.approve == "function" else sent.approve,
        root=sent.root or before.root,
        system=None if sent.system == SYSTEM else sent.system,
        client=client,
        client_name=sent.client,
        tags=dict(tags),
    )


def turns_of(records: Sequence[Record], session: Session) -> list[Turn]:
    """Return the recorded turns, without their outcomes."""
    turns: dict[int, Turn] = {}
    settings = session.defaults.settings
    for record in records:
        fact = record.fact
        if isinstance(fact, TurnStarted):
            before, settings = settings, _settings_from(fact.settings, fact.tags, session)
            if fact.rewinds_to is not None:
                for turn in turns.values():
                    turn.is_superseded |= turn.number >= fact.rewinds_to
            if not fact.resumed:
                turns[fact.turn] = Turn(
                    number=fact.turn,
                    prompt=Prompt(
                        typed=fact.prompt_typed,
                        sent=fact.prompt_sent,
                        inserted=fact.inserted,
                        cell_id=fact.cell_id,
                    ),
                    shown_prompt=fact.prompt_typed,
                    settings_before=before,
                    key=turn_key(settings),
                )
    return list(turns.values())


def _recorded_client(records: Sequence[Record]) -> RecordedClient:
    """Return the client of the last recorded turn."""
    *_, started = (one.fact for one in records if isinstance(one.fact, TurnStarted))
    return RecordedClient(started.settings.client, started.settings.simulated is not None)
