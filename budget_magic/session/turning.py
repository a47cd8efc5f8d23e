"""How the turns of a task start, go on, change while they run, and are kept."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from budget_magic.errors import ConfigurationError
from budget_magic.events import (
    HeldReleased,
    NoticePosted,
    Reason,
    Record,
    Suggestion,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    with_suggestions,
)
from budget_magic.loop import Approver, Stopwatch, TaskContext, TurnContext
from budget_magic.loop.calling import CALLING
from budget_magic.meter import Outcome, Spend
from budget_magic.meter.reading import Held
from budget_magic.meter.reserve import Account
from budget_magic.report.labels import released_text
from budget_magic.session.accounts import GATE
from budget_magic.session.approvers import by_input
from budget_magic.session.bus import Bus, Sink
from budget_magic.session.clients import Chosen
from budget_magic.session.live import Change, apply_change
from budget_magic.session.portal import portal
from budget_magic.session.prepare import Ground, adapt, checked, prepare
from budget_magic.session.redaction import no_secrets_in_errors, process_redactor
from budget_magic.session.reports import Reports
from budget_magic.session.runner import Run
from budget_magic.session.settings import Settings, with_changes
from budget_magic.session.surroundings import HERE
from budget_magic.session.turns import Plan, Prompt, Turn, in_force, plan_turn, turn_key
from budget_magic.session.warnings import low_budget_warning

NAME: Final = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)


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
    """Whether only tools that read are offered: the turn runs in the background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What a turn needs, before anything of it is in force."""

    settings: Settings
    context: TaskContext
    chosen: Chosen
    after: Run | None
    """The run that was the last one at that time."""


class Turning:
    """The machinery of a task: one history, one budget, one meter over all its turns."""

    def _set_up(self, name: str, settings: Settings) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigurationError(
                f"invalid task name {name!r}: use letters, digits, _, - and ., letter first"
            )
        self.name = name
        self.turns: list[Turn] = []
        redactor = process_redactor()
        if redactor.names_in(name):
            raise ConfigurationError(f"the task name {redactor.redact(name)} holds a secret")
        self._bus = Bus(name, redactor)
        self._reports = Reports(name, self._bus, lambda: self._settings)
        self._account = Account(name=name, cost_usd=None, total_tokens=None, of_task=True)
        self._group: Account | None = None
        self._chosen: Chosen | None = None
        self._context: TaskContext | None = None
        self._run: Run | None = None
        with no_secrets_in_errors(redactor.redact):
            self._settings = checked(settings)

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

    def stop(self, reason: Reason = "stop_button") -> None:
        """Stop the turn that runs, if any; from any thread."""
        if self._run is not None:
            self._run.stop(reason)

    def plan(self, prompt: Prompt, change: Callable[[Settings], Settings], *, again: bool) -> Plan:
        """Return what running a cell with this prompt and these settings means; change nothing.

        Parameters
        ----------
        prompt
            What the cell asks.
        change
            Puts the cell's settings in.
        again
            Whether the cell asks to be run anew.
        """
        return plan_turn(self.turns, prompt, self._settings, change, again=again)

    def change(self, settings: Settings | None = None, **changes: Any) -> None:
        """Put settings in force from the next turn on, all or nothing.

        Parameters
        ----------
        settings
            All of them; None starts from those in force.
        **changes
            Single ones by name, such as `effort="low"` or `max_cost=15`.
        """
        self.refuse_while_running()
        with no_secrets_in_errors(self._bus.redactor.redact):
            self._settings = checked(with_changes(settings or self._settings, changes))

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

    @property
    def held(self) -> Held:
        """What requests of unknown cost hold against the ceilings."""
        return self._bus.reading.held

    def release_held(self) -> str:
        """Replace what requests of unknown cost hold by what had streamed of their replies.

        Returns
        -------
        str
            What was released and the remaining risk, or that nothing was held.

        Raises
        ------
        ConfigurationError
            The task runs now.
        """
        self.refuse_while_running()
        return portal().call(self._release_held)

    def _release_held(self) -> str:
        self.refuse_while_running()  # again, where nothing can begin meanwhile
        reading = self._bus.reading
        if not reading.held_by_turn:
            nothing = f"{self.name} holds nothing for cut-off requests"
            others = dict.fromkeys(one.task for one in self._account.cut_off)
            return f"{nothing} of its own, {' and '.join(others)} does" if others else nothing
        GATE.release(self._account)
        for turn, held in reading.held_by_turn:
            self._bus.emit(_released(turn, held))
        return released_text(_released(reading.turn, reading.held))

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
        run: Run | None = None,
    ) -> Run:
        """Start a new turn; from `rewind_to` on, earlier turns are superseded.

        Parameters
        ----------
        prompt, start
            What is asked, and how.
        rewind_to
            The turn before which the task goes back.
        note
            Recorded with the start.
        run
            Owned by whoever waits for the turn; None makes one.

        Raises
        ------
        ConfigurationError
            It cannot run; nothing was sent and nothing changed.
        """
        if not prompt.sent.strip():
            raise ConfigurationError("the prompt is empty; write what Claude should do")
        before = self._settings if rewind_to is None else rewind_to.settings_before
        start, run = start or Start(), run or Run()
        prepared = self._prepared(start, run)
        context, key = prepared.context, turn_key(prepared.settings)

        def enter() -> TurnContext:
            self._put_in_force(prepared)
            if rewind_to is not None:
                context.conversation = rewind_to.before.copy()
                for turn in self.turns[self.turns.index(rewind_to) :]:
                    turn.is_superseded = True
            adapt(context)
            history = context.conversation.copy()
            context.conversation.prompt = context.redactor.redact(prompt.sent)
            run.turn = Turn(
                number=len(self.turns) + 1,
                prompt=prompt,
                shown_prompt=context.redactor.redact(prompt.typed),
                settings_before=before,
                key=key,
                before=history,
            )
            self.turns.append(run.turn)
            return self._enter_turn(context, run, run.turn, start.sinks, note=note)

        run.start(enter, self._keep)
        return run

    def begin_again(self, turn: Turn, start: Start | None = None, run: Run | None = None) -> Run:
        """Let a turn that did not complete go on."""
        start, run = start or Start(), run or Run()
        prepared = self._prepared(start, run)

        def enter() -> TurnContext:
            self._put_in_force(prepared)
            adapt(prepared.context)
            run.turn = turn
            return self._enter_turn(prepared.context, run, turn, start.sinks, resumed=True)

        run.start(enter, self._keep)
        return run

    def turn_to_resume(self) -> Turn:
        """Return the last turn in force.

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
            stop = Suggestion(action="stop", task=self.name, effect="stops it, or wait for it")
            raise ConfigurationError(f"{self.name} runs already", stop)

    def _prepared(self, start: Start, run: Run) -> _Prepared:
        """Everything that a turn needs; changes nothing."""
        self.refuse_while_running()
        settings = start.settings or self._settings
        run.caller.is_attended = not start.reads_only
        call = CALLING.get()
        if call is not None:
            call.on_stop(partial(run.stop, "stop_button"))
        ground = Ground(
            name=self.name,
            bus=self._bus,
            account=self._account,
            group=self._group,
            chosen=self._chosen,
            context=self._context,
            has_turns=bool(self.turns),
        )
        with no_secrets_in_errors(self._bus.redactor.redact):
            context, chosen = prepare(
                ground,
                settings,
                caller=run.caller,
                approver=start.approver or by_input(run.caller),
                reads_only=start.reads_only,
            )
        return _Prepared(settings=settings, context=context, chosen=chosen, after=self._run)

    def _put_in_force(self, prepared: _Prepared) -> None:
        self.refuse_while_running()
        if self._run is not prepared.after:
            raise ConfigurationError(
                f"another turn of {self.name} was started at the same time; run this one again"
            )
        settings = self._settings = prepared.settings
        self._context, self._chosen = prepared.context, prepared.chosen
        self._bus.redact_with(prepared.context.redactor)
        self._account.simulated = prepared.chosen.simulated is not None
        self._account.cost_usd = settings.ceilings.cost_usd
        self._account.total_tokens = settings.ceilings.total_tokens

    def _enter_turn(  # noqa: PLR0913 - what a turn starts with
        self,
        context: TaskContext,
        run: Run,
        turn: Turn,
        sinks: Sequence[Sink],
        *,
        note: str = "",
        resumed: bool = False,
    ) -> TurnContext:
        self._run = run
        self._bus.sinks = list(sinks)
        self._bus.on_interrupt = lambda: run.stop("keyboard")
        self._enter()
        spent = self._bus.reading.this_turn if resumed else Spend()
        self._announce(context, turn, resumed=resumed)
        for posted in (
            NoticePosted(turn=turn.number, text=note) if note else None,
            low_budget_warning(context, turn.number, self.remaining),
        ):
            if posted is not None:
                self._bus.emit(posted)
        watch = Stopwatch(time.monotonic, spent.elapsed_s)
        return TurnContext(task=context, turn=turn.number, watch=watch, step=spent.steps)

    def _enter(self) -> None:
        """Make the task known under its name; it is the one used last from now on."""
        raise NotImplementedError

    def _announce(self, context: TaskContext, turn: Turn, *, resumed: bool) -> None:
        """Record the start, so that the first thing shown has its budget and model."""
        self._bus.emit(
            TurnStarted(
                turn=turn.number,
                settings=context.settings,
                prompt_typed=turn.prompt.typed,
                prompt_sent=turn.prompt.sent,
                inserted=turn.prompt.inserted,
                cell_id=turn.prompt.cell_id,
                resumed=resumed,
                tags=dict(self._settings.tags),
            )
        )

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
            detail=with_suggestions(finished.detail, finished.suggestions, HERE.host.word),
            text=finished.text,
            spend=reading.this_turn,
            total=reading.total,
            budget=reading.budget,
            remaining=reading.remaining,
            bundle=lambda: self._reports.bundle(turn.number),
        )

    def _changes_things(self, tool_name: str) -> bool:
        tool = None if self._context is None else self._context.toolbox.get(tool_name)
        return tool is None or not tool.reads_only


def _released(turn: int, held: Held) -> HeldReleased:
    return HeldReleased(
        turn=turn,
        requests=held.requests,
        replies=held.replies,
        released_usd=held.usd - held.least_usd,
        released_tokens=held.tokens - held.least_tokens,
        kept_usd=held.least_usd,
        kept_tokens=held.least_tokens,
    )
