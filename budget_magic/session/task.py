"""`Task`: a budgeted conversation with Claude over many turns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Any, Final

from budget_magic.errors import ConfigurationError, TaskInterrupted, join_clauses
from budget_magic.events import HeldReleased, Reason, Record, Suggestion, TurnFinished
from budget_magic.loop import Approver, TaskContext
from budget_magic.meter import Spend
from budget_magic.meter.account import Account
from budget_magic.meter.estimate import Ratios
from budget_magic.meter.reading import Held, Reading
from budget_magic.report.labels import released_text
from budget_magic.report.turn_fold import TurnFold
from budget_magic.report.view_models import TurnView
from budget_magic.session.arguments import TaskArguments, takes_arguments
from budget_magic.session.bus import Bus, Sink
from budget_magic.session.caller_executor import interrupts_stop
from budget_magic.session.clients import Chosen
from budget_magic.session.frames import Records
from budget_magic.session.live_changes import apply_changes
from budget_magic.session.outcome import Outcome
from budget_magic.session.prepare import Prepared, checked, refuse_another_client
from budget_magic.session.redaction import no_secrets_in_errors, session_redactor
from budget_magic.session.reports import Reports
from budget_magic.session.restore import restore_task, settings_of
from budget_magic.session.runner import Run, through
from budget_magic.session.session import Session, default_session
from budget_magic.session.start import Start, start_turn
from budget_magic.session.turns import Prompt, Turn, in_force
from budget_magic.settings import LIVE, Settings, evolve
from budget_magic.tools.context import CURRENT_CALL
from budget_magic.tools.loop_thread import is_loop_thread

NAME: Final = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)


class Task:
    """A task of a session: one history, one budget, one meter over all its turns.

    Raises
    ------
    ConfigurationError
        A setting is invalid; the message says what works.

    Notes
    -----
    Omitted settings take the session's defaults.

    Examples
    --------
    >>> task = Task("greeting", client="simulator", tools="none")
    >>> task.run("Say hello.").state
    'completed'
    """

    @takes_arguments(TaskArguments)
    def __init__(
        self,
        name: str,
        *,
        session: Session | None = None,
        sinks: Iterable[Sink] = (),
        **given: Any,
    ) -> None:
        """Create a task and register it in its session.

        Parameters
        ----------
        name
            Letters, digits, `_`, `-` and `.`, at most 64, beginning with a letter.
        session
            The session whose thread, ceilings and clients it shares; None is the default session,
            and inside a tool that of the tool's task.
        sinks
            Views that watch all its turns; see `subscribe`.
        """
        session = _usable(session)
        with no_secrets_in_errors(session_redactor(session).redact):
            settings = evolve(session.defaults.settings, given)
        self._set_up(name, settings, session)
        if not isinstance(sinks, Iterable):
            raise ConfigurationError(f"sinks is of type {type(sinks).__name__}; give a list")
        for sink in sinks:
            self.subscribe(sink)
        session.register(self)

    @classmethod
    def from_settings(cls, name: str, settings: Settings, session: Session) -> Task:
        """Return a task that enters the registry only when its first turn starts."""
        task = cls.__new__(cls)
        task._set_up(name, settings, session)  # noqa: SLF001 - another way to construct this class
        return task

    @classmethod
    def from_records(
        cls, records: Iterable[Record], *, session: Session | None = None, **changes: Any
    ) -> Task:
        """Rebuild a task from the records of a required sink; it continues where they end.

        Parameters
        ----------
        records
            All records of one task, oldest first.
        session
            The session that it belongs to from now on; None as in the constructor.
        **changes
            New values by name of the setting, such as a client or functions, which records cannot
            hold. Other settings are as recorded.

        Raises
        ------
        ConfigurationError
            The records are incomplete, a task of that name is running, or a client, tool or setting
            is not available here.

        Notes
        -----
        Approvals for the rest of the task are not restored: a function may have changed since.
        """
        session, records = _usable(session), list(records)
        with no_secrets_in_errors(session_redactor(session).redact):
            settings = evolve(settings_of(records, session), changes)
        known = session.tasks.get(records[0].task)
        if known is not None:
            known.refuse_while_running()
        task = cls.from_settings(records[0].task, settings, session)
        try:
            restore_task(task, records)
        except LookupError as error:
            told = "the records contradict each other; pass them as they were recorded"
            raise ConfigurationError(told) from error
        session.register(task)
        return task

    def _set_up(self, name: str, settings: Settings, session: Session) -> None:
        redactor = session_redactor(session)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigurationError(
                f"invalid task name {redactor.redact(name)!r}: use letters, digits, _, - and .,"
                " letter first"
            )
        self.name = name
        self.session = session
        self.turns: list[Turn] = []
        if redactor.names_in(name):
            told = f"the task name {redactor.redact(name)} holds a secret; choose another"
            raise ConfigurationError(told)
        self.bus = Bus(name, redactor, required=session.required_sinks)
        self.account = Account(name=name, cost_usd=None, total_tokens=None, of_task=True)
        self.group: Account | None = None
        """The cap that it shares with other tasks; see `join`."""
        self.chosen: Chosen | None = None
        """The client of its turns; None before the first turn."""
        self.context: TaskContext | None = None
        """The task as the loop sees it; None before the first turn."""
        self.current_run: Run | None = None
        """The run under way, or the last one."""
        self.reports = Reports(name, self.bus, lambda: self._settings, session)
        self._end_views: list[Callable[[], None]] = []
        with no_secrets_in_errors(redactor.redact):
            self._settings = checked(settings, session)

    # State

    @property
    def settings(self) -> Settings:
        """The settings in force for the next turn."""
        return self._settings

    @property
    def spend(self) -> Spend:
        """What all turns used, including superseded ones."""
        return self.bus.reading.total

    @property
    def remaining(self) -> int | None:
        """Left of the task budget by our own meter, negative if overrun; None without one."""
        budget = self._settings.budget
        return None if budget is None else budget - self.spend.budget_tokens

    @property
    def events(self) -> Records:
        """Everything that happened, oldest first: a list of records whose `fact` says what.

        `task.events.to_frame()` is a pandas table with a row a record.
        """
        return Records(self.bus.records)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The history as it is sent to the API."""
        return list(self.bus.history.conversation.messages)

    @property
    def is_running(self) -> bool:
        """Whether a turn runs now."""
        return self.current_run is not None and not self.current_run.done.is_set()

    @property
    def outcome(self) -> Outcome | None:
        """How the last turn in force ended; None before the first and while it runs."""
        turns = in_force(self.turns)
        return turns[-1].outcome if turns else None

    # Running it

    def run(self, prompt: str) -> Outcome:
        """Run one turn and wait for it; Ctrl-C stops it.

        A turn that failed returns its outcome, as one that halted does; a cell raises `TaskFailed`.

        Raises
        ------
        TaskInterrupted
            The turn was stopped; `.outcome` says what was done.
        ConfigurationError
            The turn cannot run; nothing was sent.
        """
        return self._to_the_end(Prompt(typed=prompt, sent=prompt), Start())

    async def arun(self, prompt: str) -> Outcome:
        """Run one turn as `run` does, in async code; cancelling it stops the turn.

        It never blocks the event loop that awaits it: async functions run on that loop, others in a
        thread beside it, one call at a time.
        """
        loop = None if is_loop_thread() else asyncio.get_running_loop()
        asks_on_loop = self.session.host.awaits_cells()
        with Run(self.session.portal, loop=loop, asks_on_loop=asks_on_loop) as run:
            asked = Prompt(typed=prompt, sent=prompt)
            await self._await(run, partial(start_turn, self, asked, Start(), run))
        return self._ended()

    def start(
        self, prompt: str, *, sinks: Sequence[Sink] = (), approver: Approver | None = None
    ) -> None:
        """Start a turn without waiting for it; `wait` waits, `stop` stops it.

        Functions that do not declare `reads=True` run on the thread that waits.

        Parameters
        ----------
        prompt
            What Claude should do.
        sinks
            Views that watch this turn only; see `subscribe`.
        approver
            Asks about calls; None uses `input()` on the thread that waits.

        Raises
        ------
        ConfigurationError
            The turn cannot run; nothing was sent.
        """
        start = Start(sinks=sinks, approver=approver)
        start_turn(self, Prompt(typed=prompt, sent=prompt), start, self.new_run())

    def resume(self, **changes: Any) -> Outcome:
        """Go on after a halt, an interruption or a failure, without a new prompt.

        Nothing is sent if the last turn completed; its outcome is returned again.

        Parameters
        ----------
        **changes
            New values of settings by name, such as `max_cost=15`; see `change`.
        """
        turn = self.turn_to_resume()
        if turn.outcome is not None and turn.outcome.state == "completed":
            self.change(**changes)
            return turn.outcome
        with no_secrets_in_errors(self._redact):
            settings = evolve(self._settings, changes)
        return self._to_the_end(turn, Start(settings=settings))

    def wait(self) -> Outcome:
        """Wait for the running turn, or return the outcome of the last one.

        Ctrl-C ends only the waiting; `stop` stops the turn.

        Raises
        ------
        TaskInterrupted
            The turn was stopped.
        KeyboardInterrupt
            The waiting was interrupted; the turn runs on.
        """
        self._refuse_on_the_loop()
        self._any_run().watch()
        return self._ended()

    async def await_end(self) -> Outcome:
        """Wait as `wait` does, in async code; cancelling it ends only the waiting."""
        await self._any_run().watch_async()
        return self._ended()

    def stop(self, reason: Reason = "stop_button") -> None:
        """Stop the running turn, if any; from any thread."""
        if self.current_run is not None:
            self.current_run.stop(reason)

    def subscribe(self, view: Sink) -> Callable[[], None]:
        """Send everything that happens from now on to a view; return a function that ends this.

        The view is called on the loop's thread, so it must be quick. Its errors are logged and
        otherwise ignored.
        """
        return self.bus.subscribe(view)

    # What is shown

    @property
    def client_text(self) -> str:
        """Which client answers, in words."""
        if self.chosen is not None:
            return "simulated" if self.chosen.simulated else self.chosen.name
        client = self._settings.client
        return client if isinstance(client, str) else self._settings.client_name

    def ratios(self) -> Ratios:
        """Return the characters per token that the last replies showed."""
        return self.bus.history.ratios

    def report(self, turn: int | None = None) -> dict[str, object]:
        """Return the static report of a turn, by default the last one, by MIME type."""
        return self.reports.bundle(turn)

    def view(self, turn: int) -> TurnView:
        """Return the current view of a turn."""
        return self.reports.view(turn)

    def fold(self) -> TurnFold:
        """Return the fold of all records so far."""
        return self.reports.fold

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        return self.report()

    def __repr__(self) -> str:
        return f"Task({self.name!r}, turns={len(self.turns)})"

    # Changing it

    def change(self, settings: Settings | None = None, **changes: Any) -> None:
        """Change settings from the next turn on, all of them or none.

        While a turn runs, effort, budget and ceilings can be changed, from its next request on.

        Parameters
        ----------
        settings
            Settings that replace the current ones; None keeps those.
        **changes
            New values by name, such as `effort="low"` or `max_cost=15`.
        """
        if not isinstance(settings, Settings | None):
            raise ConfigurationError(f"{settings!r}: pass settings by name, such as max_cost=15")
        before = self._settings
        with no_secrets_in_errors(self._redact):
            changed = evolve(settings or before, changes)
            new = {part.name: getattr(changed, part.name) for part in fields(changed)}
            different = {name for name in new if new[name] != getattr(before, name)}
            if different - LIVE:
                self.refuse_while_running(", so only effort, budget and ceilings can change")
            self.refuse_another_system(changed)
            if "client" in different:
                refuse_another_client(self, changed)
            self._settings = checked(changed, self.session)
        if self.current_run is not None and self.is_running:
            different |= LIVE & changes.keys()  # what was to change in the next turn may change now
            in_turn = {name: new[name] for name in different}
            if "effort" in different:
                in_turn["max_tokens"] = changed.reply_tokens
            self.current_run.on_loop(lambda turn: apply_changes(turn, in_turn))

    def join(self, group: Account | None) -> None:
        """Count against the cap of a group too, from the next turn on; None leaves the group.

        Earlier spend does not count against it.
        """
        self.refuse_while_running()
        self.group = group

    @property
    def held(self) -> Held:
        """What requests of unknown cost hold against the ceilings."""
        return self.bus.reading.held

    def release_held(self) -> str:
        """Release what requests of unknown cost hold, except for what had streamed.

        Return a sentence with what was released and what risk remains.
        """
        self.refuse_while_running()
        return self.session.portal.call(self._release_held)

    def _release_held(self) -> str:
        self.refuse_while_running()  # again, on the thread where turns begin
        reading = self.bus.reading
        if not reading.held_by_turn:
            nothing = f"{self.name} holds nothing for cut-off requests"
            others = dict.fromkeys(one.task for one in self.account.cut_off)
            return f"{nothing} itself, but {' and '.join(others)} does" if others else nothing
        self.session.gate.release(self.account)
        for turn, held in reading.held_by_turn:
            self.bus.emit(_released(turn, held))
        return released_text(_released(reading.turn, reading.held))

    def change_next(self, **changes: Any) -> None:
        """Change effort or budget from the next turn on, even while one runs."""
        with no_secrets_in_errors(self._redact):
            self._settings = checked(evolve(self._settings, changes), self.session)

    # For the code that starts its turns

    def new_run(self) -> Run:
        """Return a run for a turn of this task; called on the thread that waits for it."""
        return Run(self.session.portal)

    def turn_to_resume(self) -> Turn:
        """Return the last turn in force; raise ConfigurationError if there is none yet."""
        self.refuse_while_running()
        turns = in_force(self.turns)
        if not turns:
            raise ConfigurationError(f"{self.name} has no turn to resume; give it a prompt first")
        return turns[-1]

    def refuse_while_running(self, so: str = "") -> None:
        """Raise ConfigurationError if a turn is running; `so` says what that means."""
        if self.is_running:
            stop = Suggestion(action="stop", task=self.name, effect="stops it, or wait for it")
            raise ConfigurationError(f"{self.name} is already running{so}", stop)

    def refuse_another_system(self, settings: Settings, rewind_to: Turn | None = None) -> None:
        """Raise ConfigurationError if the history began with another system prompt."""
        standing = in_force(self.turns)
        kept = standing if rewind_to is None else standing[: standing.index(rewind_to)]
        sent, redact = self.reports.fold.facts.settings, self.bus.redactor.redact
        if kept and sent is not None and redact(sent.system) != redact(settings.system_text):
            raise ConfigurationError(
                "the system prompt is fixed by the first turn: Claude's thinking is bound to it",
                Suggestion(action="restart", task=self.name, effect="to use another"),
            )

    def put_in_force(self, prepared: Prepared, run: Run, sinks: Sequence[Sink]) -> None:
        """Apply what was prepared for a turn; on the loop's thread."""
        self.refuse_while_running()
        if self.current_run is not prepared.after:
            raise ConfigurationError(
                f"another turn of {self.name} was started at the same time; run this one again"
            )
        settings = self._settings = prepared.settings
        self.chosen = prepared.chosen
        self.current_run = run
        self.bus.redact_with(prepared.context.redactor)
        self.bus.on_interrupt = lambda: run.stop("keyboard")
        self.account.simulated = prepared.chosen.simulated is not None
        self.account.cost_usd = settings.ceilings.cost_usd
        self.account.total_tokens = settings.ceilings.total_tokens
        for unsubscribe in self._end_views:
            unsubscribe()
        self._end_views = [self.subscribe(view) for view in sinks]

    def keep_outcome(self, finished: TurnFinished, reading: Reading, ended_at: datetime) -> None:
        """Store the outcome of a turn."""
        turn = self.turns[finished.turn - 1]
        turn.ended_at = ended_at
        turn.outcome = Outcome(
            task=self.name,
            turn=finished.turn,
            state=finished.state,
            reason=finished.reason,
            detail=join_clauses(finished.detail, map(self.session.host.word, finished.suggestions)),
            text=finished.text,
            spend=reading.this_turn,
            total=reading.total,
            budget=reading.budget,
            remaining=reading.remaining,
            bundle=lambda: self.reports.bundle(finished.turn),
        )

    def leave_to_parent(self) -> None:
        """In a forked process, forget the turn under way: it runs in the parent."""
        if self.is_running:
            self.current_run = None
            self.account.forget_held()

    # Private

    def _to_the_end(self, asked: Prompt | Turn, start: Start) -> Outcome:
        self._refuse_on_the_loop()
        run = self.new_run()
        with interrupts_stop(run), run:
            start_turn(self, asked, start, run)
            run.wait()
        return self._ended()

    def _redact(self, text: str) -> str:
        self.bus.redactor.refresh()
        return self.bus.redactor.redact(text)

    def _refuse_on_the_loop(self) -> None:
        if is_loop_thread():
            raise ConfigurationError(
                f"cannot wait for {self.name} on the session's event loop, where async tools and"
                " sinks run: use `await task.arun(...)`"
            )

    def _any_run(self) -> Run:
        if self.current_run is None:
            raise ConfigurationError(f"{self.name} has not run yet; give it a prompt first")
        return self.current_run

    def _ended(self) -> Outcome:
        outcome = self.outcome
        assert outcome is not None  # noqa: S101 - a run that is done has one
        if outcome.state == "interrupted":
            raise TaskInterrupted(outcome)
        return outcome

    async def _await(self, run: Run, begin: Callable[[], None]) -> None:
        was_cancelled = False

        def on_cancel() -> None:
            nonlocal was_cancelled
            was_cancelled = True
            run.stop("keyboard")

        if run.caller.loop is None:
            begin()
        else:
            await through(asyncio.ensure_future(asyncio.to_thread(begin)), on_cancel)
        finished = await run.wait_async(on_cancel)
        # An interrupted cell ends as its turn did, unless the turn had already completed.
        awaits_cells = self.session.host.awaits_cells()
        if was_cancelled and not (awaits_cells and finished.state == "interrupted"):
            raise asyncio.CancelledError


def _usable(session: Session | None) -> Session:
    if not isinstance(session, Session | None):
        raise ConfigurationError(f"the session is {session!r}; pass a Session")
    return session or current_session()


def current_session() -> Session:
    """Return the session of the task whose tool runs this code, otherwise the default session."""
    call = CURRENT_CALL.get()
    session = default_session() if call is None else call.session
    assert isinstance(session, Session)  # noqa: S101 - the loop carries it as an opaque object
    return session


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
