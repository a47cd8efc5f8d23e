"""`Task`: a budgeted conversation with Claude that goes on over many turns."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from budget_magic.errors import ConfigurationError, TaskInterrupted
from budget_magic.events import (
    Ceilings,
    Noted,
    Reason,
    Record,
    ToolStarted,
    TurnFinished,
    TurnSettings,
    TurnStarted,
)
from budget_magic.loop import Conversation, Stopwatch, TaskContext, TurnContext
from budget_magic.meter import Outcome, Reading, Spend, read
from budget_magic.meter.cost import rewrite_usd
from budget_magic.meter.estimate import Ratios
from budget_magic.meter.reserve import Account
from budget_magic.report import LiveState, TurnView, view_turn
from budget_magic.report.bundle import bundle, turn_json
from budget_magic.report.numbers import ceiling_dollars, compact, dollars, exact
from budget_magic.session import registry
from budget_magic.session.accounts import ROOM, session_account
from budget_magic.session.approvers import by_input
from budget_magic.session.bus import Bus, Sink
from budget_magic.session.caller import WaitingThread
from budget_magic.session.clients import AUTO, SIMULATOR, Chosen, choose_client, kind_of_auto
from budget_magic.session.runner import Run
from budget_magic.session.settings import DEFAULTS, Settings, ToolEntry, as_tools, check
from budget_magic.session.surroundings import HERE
from budget_magic.session.turns import Plan, Prompt, Turn, plan_turn
from budget_magic.tools.approval import parse_policy
from budget_magic.tools.secrets import Redactor
from budget_magic.tools.toolbox import Toolbox, build_toolbox

NAME: Final = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)
LITTLE_LEFT_TOKENS: Final = 10_000
LITTLE_LEFT_SHARE: Final = 0.2

Unset = Literal["unset"]
_UNSET: Final[Unset] = "unset"


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

    Raises
    ------
    ConfigurationError
        A value cannot work; the sentence says what does.

    Notes
    -----
    What is not given comes from `%config ClaudeTaskMagics` or the documented defaults.
    """

    def __init__(  # noqa: PLR0913 - the public signature is fixed
        self,
        name: str,
        *,
        budget: int | None | Unset = _UNSET,
        effort: str | Unset = _UNSET,
        model: str | Unset = _UNSET,
        tools: str | Sequence[ToolEntry] | Unset = _UNSET,
        ceilings: Ceilings | Unset = _UNSET,
        max_tokens: int | None | Unset = _UNSET,
        approve: object = _UNSET,
        root: str | os.PathLike[str] | Unset = _UNSET,
        system: str | None | Unset = _UNSET,
        client: object = _UNSET,
        tags: Mapping[str, str] | Unset = _UNSET,
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
        }
        changes: dict[str, Any] = {
            key: value for key, value in given.items() if value is not _UNSET
        }
        self._set_up(name, replace(DEFAULTS.settings, **changes))
        registry.register(self)

    @classmethod
    def from_settings(cls, name: str, settings: Settings) -> Task:
        """A task that enters the registry only when its first turn starts."""
        task = cls.__new__(cls)
        task._set_up(name, settings)
        return task

    def _set_up(self, name: str, settings: Settings) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no task name: use letters, digits, _ - and ., beginning with a letter"
            )
        self.name = name
        self.turns: list[Turn] = []
        self._bus = Bus(name)
        self._account = Account(name=name, cost_usd=None, total_tokens=None)
        self._chosen: Chosen | None = None
        self._context: TaskContext | None = None
        self._run: Run | None = None
        self._settings = self._checked(settings)

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
        if self._settings.budget is None:
            return None
        return self._settings.budget - self.spend.budget_tokens

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
        in_force = [turn for turn in self.turns if not turn.is_superseded]
        return in_force[-1].outcome if in_force else None

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
        self.begin(Prompt(typed=prompt, sent=prompt))
        return self.wait()

    async def arun(self, prompt: str) -> Outcome:
        """The same as `run` in async code; cancelling it stops the turn."""
        self.begin(Prompt(typed=prompt, sent=prompt))
        return await self.await_end()

    def resume(self) -> Outcome:
        """Go on after a halt, an interruption or a failure, without a new prompt."""
        self.begin_again(self.turn_to_resume())
        return self.wait()

    def stop(self) -> None:
        """Stop the turn that runs, if any; from any thread."""
        if self._run is not None:
            self._run.stop("stop_button")

    def wait(self) -> Outcome:
        """Wait for the turn that runs, or give the outcome of the last one.

        Raises
        ------
        TaskInterrupted
            The turn was stopped.
        """
        if self._run is None:
            raise ConfigurationError(f"{self.name} has not run yet; give it a prompt first")
        self._run.wait()
        return self._ended()

    async def await_end(self) -> Outcome:
        """The same as `wait` in async code."""
        if self._run is None:
            raise ConfigurationError(f"{self.name} has not run yet; give it a prompt first")
        run, was_cancelled = self._run, False

        def on_cancel() -> None:
            nonlocal was_cancelled
            was_cancelled = True
            run.stop("keyboard")

        await run.wait_async(on_cancel)
        if was_cancelled and not HERE.awaits_cells():
            import asyncio  # noqa: PLC0415 - only here

            raise asyncio.CancelledError
        return self._ended()

    # What the magics call

    def plan(self, prompt: Prompt, settings: Settings, *, again: bool = False) -> Plan:
        """What running a cell with this prompt would mean; changes nothing."""
        return plan_turn(self.turns, prompt, self._key(settings), again=again)

    def change(self, settings: Settings) -> None:
        """Put settings in force from the next turn on, all or nothing."""
        self._refuse_while_running()
        self._settings = self._checked(settings)

    def begin(
        self,
        prompt: Prompt,
        *,
        settings: Settings | None = None,
        rewind_to: Turn | None = None,
        note: str = "",
        sinks: Sequence[Sink] = (),
        reads_only: bool = False,
    ) -> Run:
        """Start a new turn; from `rewind_to` on, earlier turns are superseded.

        Raises
        ------
        ConfigurationError
            It cannot run; nothing was sent and nothing changed.
        """
        if not prompt.sent.strip():
            raise ConfigurationError("the prompt is empty; write what Claude shall do")
        prepared = self._prepare(settings or self._settings, reads_only=reads_only)
        if rewind_to is not None:
            prepared.conversation = rewind_to.before.copy()
            for turn in self.turns[self.turns.index(rewind_to) :]:
                turn.is_superseded = True
        self._adapt(prepared)
        sent = prepared.redactor.redact(prompt.sent)
        before = prepared.conversation.copy()
        prepared.conversation.prompt = sent
        turn = Turn(
            number=len(self.turns) + 1,
            prompt=replace(prompt, sent=prompt.sent),
            key=self._key(self._settings),
            before=before,
        )
        self.turns.append(turn)
        return self._start(prepared, turn, sinks, note, resumed=False)

    def begin_again(
        self,
        turn: Turn,
        *,
        settings: Settings | None = None,
        sinks: Sequence[Sink] = (),
        reads_only: bool = False,
    ) -> Run:
        """Let a turn that did not complete go on."""
        prepared = self._prepare(settings or self._settings, reads_only=reads_only)
        self._adapt(prepared)
        conversation = prepared.conversation
        if turn.outcome is not None and turn.outcome.reason == "refusal":
            conversation.prompt = prepared.redactor.redact(turn.prompt.sent)
        return self._start(prepared, turn, sinks, "", resumed=True)

    def turn_to_resume(self) -> Turn:
        """The last turn in force.

        Raises
        ------
        ConfigurationError
            The task has no turn yet, or runs now.
        """
        self._refuse_while_running()
        in_force = [turn for turn in self.turns if not turn.is_superseded]
        if not in_force:
            raise ConfigurationError(f"{self.name} has no turn to resume; give it a prompt first")
        return in_force[-1]

    def interrupt(self, reason: Reason) -> None:
        """Stop the turn that runs for a reason of its own."""
        if self._run is not None:
            self._run.stop(reason)

    @property
    def client_text(self) -> str:
        """Which client answers, in words."""
        if self._chosen is not None:
            return "simulated" if self._chosen.simulated else self._chosen.name
        return (
            self._settings.client
            if isinstance(self._settings.client, str)
            else (self._settings.client_name)
        )

    def ratios(self) -> Ratios:
        """Characters per token as the last replies showed them."""
        return Ratios() if self._context is None else self._context.ratios

    def elapsed_of_last_turn(self) -> float:
        """Running time of the last turn in seconds."""
        return self._bus.reading.this_turn.elapsed_s

    @property
    def current_run(self) -> Run | None:
        """The run under way or the last one."""
        return self._run

    def report(self, turn: int | None = None) -> dict[str, object]:
        """The static report of a turn by MIME type; of the last one where none is named."""
        number = turn or self._bus.reading.turn
        view = self.view(number)
        return bundle(view, turn_json(self.name, self._records_of(number), self.reading_of(number)))

    def view(self, turn: int, live: LiveState | None = None) -> TurnView:
        """What a reader of a turn is shown at this moment."""
        return view_turn(
            self.name,
            self._records_up_to(turn),
            self.reading_of(turn),
            live=live,
            save_transcript=DEFAULTS.save_transcript,
            prices=self._settings.prices,
        )

    def reading_of(self, turn: int) -> Reading:
        """The meter as it stood at the end of a turn, or now while that runs."""
        if turn == self._bus.reading.turn:
            return self._bus.reading
        return read(record.fact for record in self._records_up_to(turn))

    def _records_up_to(self, turn: int) -> list[Record]:
        return [record for record in list(self._bus.records) if record.fact.turn <= turn]

    def _records_of(self, turn: int) -> list[Record]:
        return [record for record in list(self._bus.records) if record.fact.turn == turn]

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        if self._bus.reading.turn:
            return self.report()
        return {"text/plain": self._described()}

    def __repr__(self) -> str:
        return f"Task({self.name!r}, turns={len(self.turns)})"

    def _described(self) -> str:
        settings, ceilings = self._settings, self._settings.ceilings
        cost = (
            "no cost ceiling" if ceilings.cost_usd is None else ceiling_dollars(ceilings.cost_usd)
        )
        budget = "no budget" if settings.budget is None else f"budget {exact(settings.budget)}"
        return (
            f"{self.name}: not run yet. {settings.model}, effort {settings.effort}, {budget},"
            f" at most {cost}; tools: {', '.join(settings.tool_names)}"
        )

    # Inside

    def _checked(self, settings: Settings) -> Settings:
        check(settings)
        parse_policy(settings.approve)
        self._toolbox(settings)
        return settings

    def _toolbox(self, settings: Settings) -> Toolbox:
        return build_toolbox(
            settings.tools,
            root=settings.root_path(),
            lookup=HERE.lookup,
            candidates=HERE.candidates(),
        )

    def _refuse_while_running(self) -> None:
        if self.is_running:
            raise ConfigurationError(
                f"{self.name} runs already; `%claude_stop {self.name}` stops it, or wait for it"
            )

    def _key(self, settings: Settings) -> tuple[object, ...]:
        client = settings.client if isinstance(settings.client, str) else id(settings.client)
        return (
            client,
            settings.model,
            settings.effort,
            settings.budget,
            settings.system_text,
            settings.tool_names,
            str(settings.root_path()),
        )

    def _prepare(self, settings: Settings, *, reads_only: bool) -> TaskContext:
        """Everything a turn needs, or an error that leaves the task as it was."""
        self._refuse_while_running()
        settings = self._checked(settings)
        toolbox = self._toolbox(settings)
        chosen = self._choose(settings)
        accounts: tuple[Account, ...] = (self._account,)
        if chosen.simulated is None:
            accounts = (self._account, session_account(DEFAULTS))
        self._settings, self._chosen = settings, chosen
        self._account.cost_usd = settings.ceilings.cost_usd
        self._account.total_tokens = settings.ceilings.total_tokens
        context = TaskContext(
            name=self.name,
            client=chosen.client,
            settings=self._turn_settings(settings, chosen),
            toolbox=toolbox.reading_only() if reads_only else toolbox,
            policy=parse_policy(settings.approve),
            approver=by_input(lambda: self._run),
            run_in_caller=_run_nowhere,
            redactor=Redactor(os.environ, {"ANTHROPIC_API_KEY": chosen.key} if chosen.key else {}),
            accounts=accounts,
            room=ROOM,
            own_prices=settings.prices,
            emit=self._bus.emit,
            live=self._bus.live,
            reading=lambda: self._bus.reading,
            now=time.monotonic,
            jitter=random.random,
        )
        if self._context is not None:
            context.conversation = self._context.conversation.copy()
            context.approved_tools = self._context.approved_tools
            context.ratios, context.factor = self._context.ratios, self._context.factor
        return context

    def _choose(self, settings: Settings) -> Chosen:
        """The task's client; it stays the one of the first turn."""
        has_run = bool(self.turns)
        if has_run and self._chosen is not None:
            self._refuse_another_client(settings, self._chosen)
            if self._chosen.name == SIMULATOR or settings.client != AUTO:
                return self._chosen
        return choose_client(
            settings.client, name=settings.client_name, someone_watches=HERE.has_stdin()
        )

    def _refuse_another_client(self, settings: Settings, chosen: Chosen) -> None:
        was = "was simulated" if chosen.simulated else f"ran on {_called(chosen.name)}"
        if settings.client == AUTO:
            now = kind_of_auto()
        else:
            now = settings.client if isinstance(settings.client, str) else settings.client_name
        if now != chosen.name:
            raise ConfigurationError(f"{self.name} {was}; `--new` starts it on {_called(str(now))}")

    def _adapt(self, context: TaskContext) -> None:
        """Note in the history's state what the new settings mean for its cached prefix."""
        conversation, settings = context.conversation, context.settings
        tools = tuple(str(definition) for definition in context.toolbox.definitions())
        model = context.model
        effort = settings.effort if model is None or model.effort_levels else None
        before = None if self._context is None else self._context.settings
        if not conversation.messages or before is None:
            conversation.effort = conversation.spoken_effort = effort
            conversation.bound_to = tools
            return
        if before.model != settings.model:
            conversation.baseline = None
            conversation.effort = conversation.spoken_effort = effort
        elif effort != conversation.spoken_effort and not (model and model.effort_per_message):
            conversation.effort = conversation.spoken_effort = effort
            _uncache(conversation)
        if before.budget != settings.budget:
            _uncache(conversation)
        if conversation.bound_to != tools:
            conversation.bound_to = tools
            conversation.baseline = None
            conversation.drops_bound_thinking = model is not None and model.binds_thinking

    def _turn_settings(self, settings: Settings, chosen: Chosen) -> TurnSettings:
        return TurnSettings(
            client=chosen.name,
            simulated=chosen.simulated,
            model=settings.model,
            effort=settings.effort,
            budget=settings.budget,
            max_tokens=settings.reply_tokens,
            ceilings=settings.ceilings,
            system=settings.system_text,
            tools=settings.tool_names,
            root=str(settings.root_path()) if "files" in settings.tools else "",
            approve=settings.approve if isinstance(settings.approve, str) else "function",
            wrap_up=settings.wrap_up,
            user_prices=settings.model in settings.prices,
        )

    def _start(
        self, context: TaskContext, turn: Turn, sinks: Sequence[Sink], note: str, *, resumed: bool
    ) -> Run:
        run = Run(WaitingThread(lambda: self.interrupt("keyboard")))
        context.run_in_caller = run.caller.run
        self._context, self._run = context, run
        self._bus.sinks = list(sinks)
        registry.register(self)
        registry.used(self.name)
        emit = self._bus.emit
        spent = self._bus.reading.this_turn if resumed else Spend()

        def make_turn() -> TurnContext:
            emit(
                TurnStarted(
                    turn=turn.number,
                    settings=context.settings,
                    prompt_typed=context.redactor.redact(turn.prompt.typed),
                    prompt_sent=context.redactor.redact(turn.prompt.sent),
                    inserted=turn.prompt.inserted,
                    cell_id=turn.prompt.cell_id,
                    resumed=resumed,
                    tags=dict(self._settings.tags),
                )
            )
            for text in (note, self._little_left(context)):
                if text:
                    emit(Noted(turn=turn.number, text=text))
            return TurnContext(
                task=context,
                turn=turn.number,
                watch=Stopwatch(time.monotonic, spent.elapsed_s),
                step=spent.steps,
            )

        run.on_done(lambda finished: self._keep(turn, finished))
        run.start(make_turn)
        return run

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

    def _little_left(self, context: TaskContext) -> str:
        """What to say before a turn that starts with little budget left."""
        budget, left = context.settings.budget, self.remaining
        if budget is None or left is None or self.spend.budget_tokens == 0:
            return ""
        if left >= LITTLE_LEFT_TOKENS and left >= budget * LITTLE_LEFT_SHARE:
            return ""
        baseline = context.conversation.baseline
        again = ""
        if baseline is not None and context.prices is not None:
            price = dollars(rewrite_usd(context.prices, baseline.prompt_tokens))
            again = (
                f" and writes the cached {compact(baseline.prompt_tokens)} tokens again for about"
                f" {price}"
            )
        left_text = exact(left) if left >= 0 else "nothing"
        return (
            f"{left_text} of {exact(budget)} left; Claude may cut this short;"
            f" `--budget {compact(budget * 2)}` gives room{again}"
        )


async def _run_nowhere(function: Callable[[], Any], /) -> Any:
    raise RuntimeError("no thread waits for this task")


def _uncache(conversation: Conversation) -> None:
    if conversation.baseline is not None:
        conversation.baseline = replace(conversation.baseline, is_cached=False)


def _called(client: str) -> str:
    return {"anthropic": "the real API", "simulator": "the simulator"}.get(client, client)
