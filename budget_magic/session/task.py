"""`Task`: a budgeted conversation with Claude that goes on over many turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from budget_magic.errors import ConfigurationError, TaskInterrupted
from budget_magic.events import Carry, Ceilings
from budget_magic.loop import TaskContext
from budget_magic.loop.calling import CALLING
from budget_magic.meter import Outcome
from budget_magic.meter.estimate import Ratios
from budget_magic.report import LiveState, TurnView
from budget_magic.session import registry
from budget_magic.session.caller_executor import interrupts_stop
from budget_magic.session.portal import is_shared_loop
from budget_magic.session.runner import Run
from budget_magic.session.settings import Settings, ToolEntry, as_tools, defaults, with_changes
from budget_magic.session.surroundings import HERE
from budget_magic.session.turning import Start, Turning
from budget_magic.session.turns import Prompt

Unset = Literal["unset"]
_UNSET: Final[Unset] = "unset"


class Task(Turning):
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
    inference_geo
        Region that requests ask for, `us` (1.1 times the price) or `global`; None leaves it to the
        workspace's default.

    Raises
    ------
    ConfigurationError
        A value cannot work; the sentence says what does.

    Notes
    -----
    What is not given comes from the session's defaults.

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
        inference_geo: str | None = _UNSET,
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
            "inference_geo": inference_geo,
        }
        changes: dict[str, Any] = {
            key: value for key, value in given.items() if value is not _UNSET
        }
        self._set_up(name, replace(defaults().settings, **changes))
        registry.register(self)

    @classmethod
    def from_settings(cls, name: str, settings: Settings) -> Task:
        """Return a task that enters the registry only when its first turn starts."""
        task = cls.__new__(cls)
        task._set_up(name, settings)  # noqa: SLF001 - another way to construct this class
        return task

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
        return self._to_the_end(lambda run: self.begin(Prompt(typed=prompt, sent=prompt), run=run))

    async def arun(self, prompt: str) -> Outcome:
        """Return the same as `run` in async code; cancelling it stops the turn."""
        run = Run()
        with run:
            self.begin(Prompt(typed=prompt, sent=prompt), run=run)
            await _await(run)
        return self._ended()

    def resume(self, **changes: Any) -> Outcome:
        """Go on after a halt, an interruption or a failure, without a new prompt.

        Parameters
        ----------
        **changes
            Settings that hold from now on, by name, such as `max_cost=15`; see `change`.
        """
        start = Start(settings=with_changes(self.settings, changes))
        return self._to_the_end(lambda run: self.begin_again(self.turn_to_resume(), start, run))

    def wait(self) -> Outcome:
        """Wait for the turn that runs, or give the outcome of the last one.

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
        """Return the same as `wait` in async code; cancelling it ends only the waiting."""
        await self._any_run().watch_async()
        return self._ended()

    # What is shown

    @property
    def client_text(self) -> str:
        """Which client answers, in words."""
        if self._chosen is not None:
            return "simulated" if self._chosen.simulated else self._chosen.name
        client = self._settings.client
        return client if isinstance(client, str) else self._settings.client_name

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
        """Return the static report of a turn by MIME type; of the last one where none is named."""
        return self._reports.bundle(turn)

    def view(self, turn: int, live: LiveState | None = None) -> TurnView:
        """Return what a reader of a turn is shown at this moment."""
        return self._reports.view(turn, live)

    def whole_result(self, call_id: str) -> str | None:
        """Return the whole answer to a call, as it was sent; None where there is none."""
        return self._reports.whole_result(call_id)

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        return self.report()

    def __repr__(self) -> str:
        return f"Task({self.name!r}, turns={len(self.turns)})"

    # Inside

    def _to_the_end(self, begin: Callable[[Run], Run]) -> Outcome:
        self._refuse_on_the_loop()
        run = Run()
        with interrupts_stop(run), run:
            begin(run)
            run.wait()
        return self._ended()

    def _refuse_on_the_loop(self) -> None:
        if is_shared_loop():
            raise ConfigurationError(
                f"an async tool declared with reads=True cannot block for {self.name}:"
                " use `await task.arun(...)` there"
            )

    def _enter(self) -> None:
        registry.register(self)
        if CALLING.get() is None:  # a tool of another task runs it; that one is the cell's
            registry.used(self.name)

    def _any_run(self) -> Run:
        if self._run is None:
            raise ConfigurationError(f"{self.name} has not run yet; give it a prompt first")
        return self._run

    def _ended(self) -> Outcome:
        outcome = self.outcome
        assert outcome is not None  # noqa: S101 - a run that is done has one
        if outcome.state == "interrupted":
            raise TaskInterrupted(outcome)
        return outcome


async def _await(run: Run) -> None:
    was_cancelled = False

    def on_cancel() -> None:
        nonlocal was_cancelled
        was_cancelled = True
        run.stop("keyboard")

    finished = await run.wait_async(on_cancel)
    # A cell that a person interrupted ends as its turn did, unless that had ended well before.
    if was_cancelled and not (HERE.awaits_cells() and finished.state == "interrupted"):
        raise asyncio.CancelledError
