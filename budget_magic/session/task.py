"""`Task`: a budgeted conversation with Claude that goes on over many turns."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from budget_magic.errors import ConfigurationError, TaskInterrupted
from budget_magic.events import (
    Carry,
    Ceilings,
    Noted,
    Reason,
    Record,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from budget_magic.loop import Approver, Stopwatch, TaskContext, TurnContext
from budget_magic.meter import Outcome, Spend
from budget_magic.meter.estimate import Ratios
from budget_magic.meter.reserve import Account
from budget_magic.report import LiveState, TurnView
from budget_magic.session import registry
from budget_magic.session.approvers import by_input
from budget_magic.session.bus import Bus, Sink
from budget_magic.session.caller import WaitingThread
from budget_magic.session.clients import Chosen
from budget_magic.session.live import Change, apply_change
from budget_magic.session.notes import little_left
from budget_magic.session.prepare import Ground, adapt, checked, prepare
from budget_magic.session.reports import Reports
from budget_magic.session.runner import Run
from budget_magic.session.settings import Settings, ToolEntry, as_tools, defaults
from budget_magic.session.surroundings import HERE
from budget_magic.session.turns import Plan, Prompt, Turn, in_force, plan_turn, turn_key

NAME: Final = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)

Unset = Literal["unset"]
_UNSET: Final[Unset] = "unset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a cell starts a turn."""

    settings: Settings | None = None
    """Put in force if the turn can run; None keeps those of the task."""
    sinks: Sequence[Sink] = ()
    """What watches the turn."""
    approver: Approver | None = None
    """Who is asked about calls; None asks by `input()`."""
    reads_only: bool = False
    """Whether only tools that read are offered."""


class Task:
    """A task of this process: one history, one budget, one meter over all its turns.

    Parameters
    ----------
    name
        Letters, digits, `_`, `-` and `.`, at most 64, beginning with a letter.
    budget
        Total of the advisory task budget in tokens; None sends none.
    effort
        `low`, `medium`, `high`, `xhigh` or `max`.
    model
        Model id.
    tools
        `"files"`, names of functions in the notebook, functions; or `"none"` alone.
    ceilings
        What the harness never lets pass.
    max_tokens
        Hard cap of one response; None is 32,000, at xhigh and max 64,000.
    approve
        `ask`, `all`, `none`, or a function `(call) -> True, False or a reason`.
    root
        The only folder that file tools may touch.
    system
        System prompt; None is a short built-in one.
    client
        `auto`, `simulator`, or an object with `.beta.messages.stream`.
    tags
        Labels for reports.
    compact_at
        Tokens of the prompt at which a summary by Claude replaces the history; None keeps it
        whole.
    carry
        What a later prompt sends of the budget: `today`, or `documented` for a server that starts
        a fresh budget with each prompt, as the documentation says.

    Raises
    ------
    ConfigurationError
        A value cannot work; the sentence says what does.

    Notes
    -----
    What is not given comes from `%config ClaudeTaskMagics` or the documented defaults.

    Examples
    --------
    >>> task = Task("greeting", client="simulator", tools="none")
    >>> task.run("Say hello.").state
    'completed'
    """

    def __init__(  # noqa: PLR0913 - the public signature is fixed
        self,
        name: str,
        *,
        budget: int | Unset | None = _UNSET,
        effort: str = _UNSET,
        model: str = _UNSET,
        tools: str | Sequence[ToolEntry] = _UNSET,
        ceilings: Ceilings | Unset = _UNSET,
        max_tokens: int | Unset | None = _UNSET,
        approve: object = _UNSET,
        root: str | os.PathLike[str] = _UNSET,
        system: str | None = _UNSET,
        client: object = _UNSET,
        tags: Mapping[str, str] | Unset = _UNSET,
        compact_at: int | Unset | None = _UNSET,
        carry: Carry | Unset = _UNSET,
    ) -> None:
        given = {
            "budget": budget,
            "effort": effort,
            "model": model,
            "tools": tools if tools is _UNSET else as_tools(tools),
            "ceilings": ceilings,
            "max_tokens": max_tokens,
            "approve": approve,
            "root": root if root is _UNSET else os.fspath(root),
            "system": system,
            "client": client,
            "tags": tags,
            "compact_at": compact_at,
            "carry": carry,
        }
        changes: dict[str, Any] = {
            key: value for key, value in given.items() if value is not _UNSET
        }
        self._set_up(name, replace(defaults().settings, **changes))
        registry.register(self)

    @classmethod
    def from_settings(cls, name: str, settings: Settings) -> Task:
        """A task that enters the registry only when its first turn starts."""
        task = cls.__new__(cls)
        task._set_up(name, settings)  # noqa: SLF001 - another way to construct this class
        return task

    def _set_up(self, name: str, settings: Settings) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no task name: use letters, digits, _ - and ., beginning with a letter"
            )
        self.name = name
        self.turns: list[Turn] = []
        self._bus = Bus(name)
        self._reports = Reports(name, self._bus, lambda: self._settings)
        self._account = Account(name=name, cost_usd=None, total_tokens=None)
        self._group: Account | None = None
        self._chosen: Chosen | None = None
        self._context: TaskContext | None = None
        self._run: Run | None = None
        self._settings = checked(settings)

    # What it is

    @property
    def settings(self) -> Settings:
        """The settings in force for the next turn."""
        return self._settings

    @property
    def spend(self) -> Spend:
        """What was used over all turns, superseded ones too."""
        return self._bus.reading.total

    @property
    def remaining(self) -> int | None:
        """Left of the task budget by our own meter, below 0 where overrun; None without one."""
        budget = self._settings.budget
        return None if budget is None else budget - self.spend.budget_tokens

    @property
    def events(self) -> list[Record]:
        """Everything that happened, oldest first: records whose `fact` says what."""
        return list(self._bus.records)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The history as it is sent to the API."""
        return [] if self._context is None else list(self._context.conversation.messages)

    @property
    def is_running(self) -> bool:
        """Whether a turn runs now."""
        return self._run is not None and not self._run.done.is_set()

    @property
    def outcome(self) -> Outcome | None:
        """How the last turn in force ended; None before the first and while it runs."""
        turns = in_force(self.turns)
        return turns[-1].outcome if turns else None

    @property
    def client_text(self) -> str:
        """Which client answers, in words."""
        if self._chosen is not None:
            return "simulated" if self._chosen.simulated else self._chosen.name
        client = self._settings.client
        return client if isinstance(client, str) else self._settings.client_name

    # Running it

    def run(self, prompt: str) -> Outcome:
        """Run one turn and wait for it; Ctrl-C stops it.

        Raises
        ------
        TaskInterrupted
            The turn was stopped; `.outcome` tells what was done.
        ConfigurationError
            It cannot run; nothing was sent.
        """
        return self._to_the_end(lambda: self.begin(Prompt(typed=prompt, sent=prompt)))

    async def arun(self, prompt: str) -> Outcome:
        """The same as `run` in async code; cancelling it stops the turn."""
        self.begin(Prompt(typed=prompt, sent=prompt))
        return await self.await_end()

    def resume(self) -> Outcome:
        """Go on after a halt, an interruption or a failure, without a new prompt."""
        return self._to_the_end(lambda: self.begin_again(self.turn_to_resume()))

    def stop(self, reason: Reason = "stop_button") -> None:
        """Stop the turn that runs, if any; from any thread."""
        if self._run is not None:
            self._run.stop(reason)

    def wait(self) -> Outcome:
        """Wait for the turn that runs, or give the outcome of the last one.

        Raises
        ------
        TaskInterrupted
            The turn was stopped.
        """
        self._any_run().wait()
        return self._ended()

    async def await_end(self) -> Outcome:
        """The same as `wait` in async code."""
        run, was_cancelled = self._any_run(), False

        def on_cancel() -> None:
            nonlocal was_cancelled
            was_cancelled = True
            run.stop("keyboard")

        await run.wait_async(on_cancel)
        if was_cancelled and not HERE.awaits_cells():
            raise asyncio.CancelledError
        return self._ended()

    # What the magics call

    def plan(self, prompt: Prompt, change: Callable[[Settings], Settings], *, again: bool) -> Plan:
        """What running a cell with this prompt and these options would mean; changes nothing.

        Parameters
        ----------
        prompt
            What the cell asks.
        change
            Puts the cell's options into settings.
        again
            Whether the cell asks to be run anew.
        """
        return plan_turn(self.turns, prompt, self._settings, change, again=again)

    def change(self, settings: Settings) -> None:
        """Put settings in force from the next turn on, all or nothing."""
        self.refuse_while_running()
        self._settings = checked(settings)

    def change_now(self, change: Change) -> None:
        """Change effort, budget or ceilings of the turn that runs; from any thread."""
        run = self._run
        if run is None or not self.is_running:
            return
        before = self._settings
        settings = self._settings = replace(
            before,
            effort=change.effort or before.effort,
            budget=change.budget or before.budget,
            ceilings=change.ceilings or before.ceilings,
        )
        if change.effort is not None:
            change = replace(change, max_tokens=settings.reply_tokens)
        run.on_loop(lambda turn: apply_change(turn, change))

    def join(self, group: Account | None) -> None:
        """Draw on the cap of a group too, from the next turn on; None leaves the group.

        What was spent before does not count against it.
        """
        self.refuse_while_running()
        self._group = group

    def change_next(self, effort: str) -> None:
        """Change the effort from the next turn on, also while one runs."""
        self._settings = checked(replace(self._settings, effort=effort))

    def begin(
        self,
        prompt: Prompt,
        start: Start | None = None,
        *,
        rewind_to: Turn | None = None,
        note: str = "",
    ) -> Run:
        """Start a new turn; from `rewind_to` on, earlier turns are superseded.

        Raises
        ------
        ConfigurationError
            It cannot run; nothing was sent and nothing changed.
        """
        if not prompt.sent.strip():
            raise ConfigurationError("the prompt is empty; write what Claude shall do")
        before = self._settings if rewind_to is None else rewind_to.settings_before
        start = start or Start()
        context, run = self._prepared(start)
        if rewind_to is not None:
            context.conversation = rewind_to.before.copy()
            for turn in self.turns[self.turns.index(rewind_to) :]:
                turn.is_superseded = True
        adapt(context)
        history = context.conversation.copy()
        context.conversation.prompt = context.redactor.redact(prompt.sent)
        turn = Turn(
            number=len(self.turns) + 1,
            prompt=prompt,
            settings_before=before,
            key=turn_key(self._settings),
            before=history,
        )
        self.turns.append(turn)
        return self._start(context, run, turn, start.sinks, note=note)

    def begin_again(self, turn: Turn, start: Start | None = None) -> Run:
        """Let a turn that did not complete go on."""
        start = start or Start()
        context, run = self._prepared(start)
        adapt(context)
        return self._start(context, run, turn, start.sinks, resumed=True)

    def turn_to_resume(self) -> Turn:
        """The last turn in force.

        Raises
        ------
        ConfigurationError
            The task has no turn yet, or runs now.
        """
        self.refuse_while_running()
        turns = in_force(self.turns)
        if not turns:
            raise ConfigurationError(f"{self.name} has no turn to resume; give it a prompt first")
        return turns[-1]

    def refuse_while_running(self) -> None:
        """Refuse where a turn runs.

        Raises
        ------
        ConfigurationError
            One does.
        """
        if self.is_running:
            raise ConfigurationError(
                f"{self.name} runs already; `%claude_stop {self.name}` stops it, or wait for it"
            )

    # What is shown

    @property
    def context(self) -> TaskContext | None:
        """The task as the loop sees it; None before the first turn."""
        return self._context

    @property
    def current_run(self) -> Run | None:
        """The run under way, or the last one."""
        return self._run

    def ratios(self) -> Ratios:
        """Characters per token as the last replies showed them."""
        return Ratios() if self._context is None else self._context.ratios

    def elapsed_of_last_turn(self) -> float:
        """Running time of the last turn in seconds."""
        return self._bus.reading.this_turn.elapsed_s

    def report(self, turn: int | None = None) -> dict[str, object]:
        """The static report of a turn by MIME type; of the last one where none is named."""
        return self._reports.bundle(turn)

    def view(self, turn: int, live: LiveState | None = None) -> TurnView:
        """What a reader of a turn is shown at this moment."""
        return self._reports.view(turn, live)

    def whole_result(self, call_id: str) -> str | None:
        """The whole answer to a call, as it was sent; None where there is none."""
        return self._reports.whole_result(call_id)

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        return self.report()

    def __repr__(self) -> str:
        return f"Task({self.name!r}, turns={len(self.turns)})"

    # Inside

    def _to_the_end(self, begin: Callable[[], Run]) -> Outcome:
        before = self._run
        try:
            begin()
        except KeyboardInterrupt:
            if self._run is before:
                raise
            self.stop("keyboard")
        return self.wait()

    def _any_run(self) -> Run:
        if self._run is None:
            raise ConfigurationError(f"{self.name} has not run yet; give it a prompt first")
        return self._run

    def _prepared(self, start: Start) -> tuple[TaskContext, Run]:
        self.refuse_while_running()
        settings = start.settings or self._settings
        run = Run(WaitingThread(lambda: self.stop("keyboard")))
        ground = Ground(
            name=self.name,
            bus=self._bus,
            account=self._account,
            group=self._group,
            chosen=self._chosen,
            context=self._context,
            has_turns=bool(self.turns),
        )
        context, self._chosen = prepare(
            ground,
            settings,
            caller=run.caller,
            approver=start.approver or by_input(run.caller),
            reads_only=start.reads_only,
        )
        self._settings = settings
        self._account.cost_usd = settings.ceilings.cost_usd
        self._account.total_tokens = settings.ceilings.total_tokens
        return context, run

    def _start(  # noqa: PLR0913 - what a turn starts with
        self,
        context: TaskContext,
        run: Run,
        turn: Turn,
        sinks: Sequence[Sink],
        *,
        note: str = "",
        resumed: bool = False,
    ) -> Run:
        self._context, self._run = context, run
        self._bus.sinks = list(sinks)
        registry.register(self)
        registry.used(self.name)
        spent = self._bus.reading.this_turn if resumed else Spend()
        notes = (note, little_left(context, self.remaining))
        self._announce(context, turn, notes, resumed=resumed)

        def make_turn() -> TurnContext:
            watch = Stopwatch(time.monotonic, spent.elapsed_s)
            return TurnContext(task=context, turn=turn.number, watch=watch, step=spent.steps)

        run.start(make_turn, lambda finished: self._keep(turn, finished))
        return run

    def _announce(
        self, context: TaskContext, turn: Turn, notes: Sequence[str], *, resumed: bool
    ) -> None:
        """Record the start here, so that the first thing shown has its budget and model."""
        redact = context.redactor.redact
        self._bus.emit(
            TurnStarted(
                turn=turn.number,
                settings=context.settings,
                prompt_typed=redact(turn.prompt.typed),
                prompt_sent=redact(turn.prompt.sent),
                inserted=turn.prompt.inserted,
                cell_id=turn.prompt.cell_id,
                resumed=resumed,
                tags=dict(self._settings.tags),
            )
        )
        for text in filter(None, notes):
            self._bus.emit(Noted(turn=turn.number, text=text))

    def _keep(self, turn: Turn, finished: TurnFinished) -> None:
        reading = self._bus.reading
        turn.ended_at = datetime.now(UTC)
        turn.changed_things = any(
            isinstance(record.fact, ToolStarted)
            and record.fact.turn == turn.number
            and self._changes_things(record.fact.name)
            for record in self._bus.records
        )
        turn.outcome = Outcome(
            task=self.name,
            turn=turn.number,
            state=finished.state,
            reason=finished.reason,
            detail=finished.detail,
            text=finished.text,
            spend=reading.this_turn,
            total=reading.total,
            budget=reading.budget,
            remaining=reading.remaining,
            bundle=lambda: self.report(turn.number),
        )

    def _changes_things(self, tool_name: str) -> bool:
        tool = None if self._context is None else self._context.toolbox.get(tool_name)
        return tool is None or not tool.reads_only

    def _ended(self) -> Outcome:
        outcome = self.outcome
        assert outcome is not None  # noqa: S101 - a run that is done has one
        if outcome.state == "interrupted":
            raise TaskInterrupted(outcome)
        return outcome
