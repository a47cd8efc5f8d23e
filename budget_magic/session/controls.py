"""Implement the panel's buttons for a task; they may be used from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from budget_magic.loop import Approver
from budget_magic.loop.contexts import Decision
from budget_magic.meter.advice import budget_with_room
from budget_magic.models import find_model
from budget_magic.report.live_turn import LiveTurn
from budget_magic.report.view_models import CeilingKind
from budget_magic.session.approvers import by_input
from budget_magic.session.live_changes import raised, raises, rewrite_cost
from budget_magic.session.task import Task
from budget_magic.tools.approval import Call
from budget_magic.widgets import Offers
from budget_magic.widgets.controls import When

BUDGET_IF_NONE: Final = 64_000
"""What the budgets that are offered are computed from if there is none."""
BUDGET_SHARES: Final = (0.75, 1, 1.5)
"""The budgets that are offered, as shares of one with room."""


class TaskControls:
    """The panel's controls of one task; `live_turn` shows that it is stopping."""

    def __init__(self, task: Task, live_turn: LiveTurn) -> None:
        self._task, self._live_turn = task, live_turn
        self._waiting: dict[str, asyncio.Future[Decision]] = {}
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Stop the turn."""
        self._live_turn.stopping()
        self._task.stop()

    def decide(self, call_id: str, kind: Literal["once", "task", "denied"], reason: str) -> None:
        """Answer a call that waits for approval; the first answer counts."""
        with self._lock:
            waiting = self._waiting.pop(call_id, None)
        if waiting is not None:
            decision = Decision(kind=kind, reason=reason)
            waiting.get_loop().call_soon_threadsafe(_answer, waiting, decision)

    def set_effort(self, level: str, when: When) -> None:
        """Change the effort, from the next step or the next cell on."""
        if level in self.offers().levels:
            self._change(when, effort=level)

    def set_budget(self, value: int | None, to: str, when: When) -> None:
        """Change the task's budget, unless it has changed since the panel showed `value`."""
        with self._lock:
            if self.offers().budget == value:
                self._change(when, budget=to)

    def _change(self, when: When, **changes: Any) -> None:
        change = self._task.change if when == "now" else self._task.change_next
        change(**changes)

    def raise_ceiling(self, ceiling: CeilingKind, value: str, to: str) -> None:
        """Raise a ceiling, unless it has changed since the raise was offered."""
        with self._lock:
            offered = raises(self._task.settings.ceilings).get(ceiling)
            if offered is not None and (offered.value, offered.to) == (value, to):
                ceilings = raised(self._task.settings.ceilings, ceiling)
                self._task.change(ceilings=ceilings)

    def offers(self) -> Offers:
        """Return the changes that the panel offers now."""
        task = self._task
        settings, context = task.settings, task.context
        model = find_model(settings.model)
        budget = settings.budget if context is None else context.settings.budget
        more = budget_with_room(budget or BUDGET_IF_NONE, task.spend.budget_tokens)
        tokens, usd = (0, None) if context is None else rewrite_cost(context)
        return Offers(
            levels=() if model is None else model.effort_levels,
            effort=settings.effort if context is None else context.settings.effort,
            next_effort=settings.effort,
            rewrite_tokens=tokens,
            rewrite_usd=usd,
            by_message=model is not None and model.effort_per_message,
            budget=budget,
            next_budget=settings.budget,
            budgets=()
            if model is not None and model.budget == "no"
            else tuple(round(share * more / 1000) * 1000 for share in BUDGET_SHARES),
            ceilings=raises(settings.ceilings),
        )

    def approver(self, answers: Callable[[], Awaitable[bool]]) -> Approver:
        """Return an approver that asks in the panel, or with `input()` if its buttons do not work.

        `answers` returns whether they work while the cell runs.
        """

        async def ask(call: Call) -> Decision:
            # Before `answers`: the panel shows the call already, and may be answered meanwhile.
            answered: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
            with self._lock:
                self._waiting[call.id] = answered
            try:
                run = self._task.current_run
                if run is not None and not await answers() and not answered.done():
                    return await by_input(run.caller, self._task.session.host)(call)
                return await answered
            finally:
                with self._lock:
                    self._waiting.pop(call.id, None)

        return ask


def _answer(waiting: asyncio.Future[Decision], decision: Decision) -> None:
    if not waiting.done():
        waiting.set_result(decision)
