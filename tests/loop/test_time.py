"""The time ceiling, on a clock that only the simulated model moves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from budget_magic import Ceilings
from budget_magic.events import Fact, StepStarted, TurnFinished, TurnSettings, TurnStarted
from budget_magic.loop import (
    History,
    ReservationGate,
    Stopwatch,
    TaskContext,
    TurnContext,
    run_turn,
)
from budget_magic.loop.admit import LAST_ANSWER
from budget_magic.meter import Reading, advance
from budget_magic.meter.account import Account
from budget_magic.simulator import Reply, SceneContext, Simulator
from budget_magic.tools.loop_thread import FunctionLoop
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.toolbox import build_toolbox
from budget_magic.wire.sdk import SdkClient, simulated_client
from tests.loop.running import LOOK, lookup

F = TypeVar("F", bound=Fact)


@dataclass
class Played:
    """One turn on a clock of its own; each reply takes ten seconds, or as long as is said."""

    elapsed_s: float
    wrap_up: bool = True
    reply_s: float = 10
    now_s: float = 0.0
    reading: Reading = field(default_factory=Reading)
    history: History = field(default_factory=History)
    facts: list[Fact] = field(default_factory=list)

    def reply(self, context: SceneContext) -> Reply:
        """A reply that takes its time and never ends the turn by itself."""
        self.now_s += self.reply_s
        if LAST_ANSWER in context.asked:
            return Reply(text="All I know.")
        return Reply(text=f"Step {context.replies + 1}.", calls=[LOOK])

    def emit(self, fact: F, /) -> F:
        """Keep a fact and count it."""
        self.facts.append(fact)
        self.history.take(fact)
        self.reading = advance(self.reading, fact)
        return fact

    def run(self) -> TurnFinished:
        """How the turn ends."""
        return asyncio.run(self._run())

    async def _run(self) -> TurnFinished:
        simulator = Simulator(self.reply)
        ceilings = Ceilings(cost_usd=None, total_tokens=None, steps=None, elapsed_s=self.elapsed_s)
        settings = TurnSettings(
            client="anthropic",
            simulated=None,
            model="claude-opus-5-5",
            effort="high",
            budget=None,
            max_tokens=4_000,
            ceilings=ceilings,
            system="",
            tools=("lookup",),
            root="",
            approve="all",
            wrap_up=self.wrap_up,
        )
        task = TaskContext(
            name="audit",
            session=None,
            client=SdkClient(simulated_client(simulator.transport())),
            history=self.history,
            toolbox=build_toolbox([lookup], root=Path.cwd(), lookup=_nothing, candidates=()),
            policy="all",
            approver=_nobody,
            run_in_caller=_nowhere,
            function_loop=FunctionLoop(),
            redactor=Redactor({}),
            accounts=(Account(name="audit", cost_usd=None, total_tokens=None),),
            around=(),
            gate=ReservationGate(),
            own_prices={},
            stuck_rule=None,
            emit=self.emit,
            live=lambda _event: None,
            recording_failure=str,
            record_of_call=lambda _call_id: None,
            reading=lambda: self.reading,
            now=lambda: self.now_s,
            jitter=lambda: 0.0,
        )
        self.emit(TurnStarted(turn=1, settings=settings, prompt_sent="Look."))
        turn = TurnContext(task=task, turn=1, watch=Stopwatch(lambda: self.now_s))
        return await run_turn(turn, lambda: None)


async def _nobody(call: Any) -> Any:
    raise AssertionError(f"nobody is asked about {call}")


async def _nowhere(_function: Any, /) -> Any:
    raise AssertionError("no function of a notebook runs")


def _nothing(name: str) -> object:
    raise KeyError(name)


def test_a_step_with_less_time_left_than_the_longest_took_is_the_last_answer() -> None:
    played = Played(elapsed_s=35)

    finished = played.run()

    last = [fact.last_answer for fact in played.facts if isinstance(fact, StepStarted)]
    assert last == [False, False, False, True]
    assert (finished.reason, finished.text, finished.step) == ("time_ceiling", "All I know.", 4)
    assert "the time ceiling of 0:35 is reached" in finished.detail
    assert finished.suggestions[-1].changes == {"max_time": 70}


def test_a_time_ceiling_that_one_step_overran_is_raised_above_what_was_used() -> None:
    finished = Played(elapsed_s=20, reply_s=300).run()

    assert finished.suggestions[-1].changes == {"max_time": 600}


def test_a_step_with_just_as_much_time_left_as_the_longest_took_is_an_ordinary_one() -> None:
    played = Played(elapsed_s=30)

    finished = played.run()

    last = [fact.last_answer for fact in played.facts if isinstance(fact, StepStarted)]
    assert last == [False, False, False]
    assert (finished.reason, finished.elapsed_s) == ("time_ceiling", 30)


def test_without_wrap_up_the_turn_works_until_its_time_is_up() -> None:
    played = Played(elapsed_s=35, wrap_up=False)

    finished = played.run()

    last = [fact.last_answer for fact in played.facts if isinstance(fact, StepStarted)]
    assert last == [False] * 4
    assert (finished.reason, finished.text) == ("time_ceiling", "Step 4.")


def test_a_stopwatch_leaves_pauses_out_and_goes_on_from_what_was() -> None:
    now = 0.0
    watch = Stopwatch(lambda: now, 5.0)
    now = 2.0
    with watch.paused():
        now = 100.0
        with watch.paused():
            now = 200.0
        assert watch.elapsed_s == 7.0
    now = 201.5

    assert watch.elapsed_s == 8.5


def test_an_open_time_ceiling_is_no_number() -> None:
    assert Ceilings(elapsed_s=None).elapsed_s is None
    assert Ceilings(elapsed_s=1.5).elapsed_s == 1.5
