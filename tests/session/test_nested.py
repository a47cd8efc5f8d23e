"""Tasks that a tool of another task runs: they count against the ceilings around them too."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic import Ceilings, Outcome, Task, tool
from budget_magic.errors import TaskInterrupted
from budget_magic.events import TasksRun, WaitStarted
from budget_magic.meter.account import Account
from budget_magic.session import default_session
from budget_magic.session.accounts import group_account
from budget_magic.simulator import Call, Reply, SceneContext, Signal, Simulator, hold, silence
from tests.loop.running import facts, interruption, lookup, results, steps, task_on
from tests.session.test_interrupt import stop_when_silent
from tests.session.test_shared_ceilings import OnWait
from tests.support import examples

GUARD_S = 10.0
ASK = Call("ask", {"what": "a"})
Way = Callable[[Task], Callable[..., Any]]


def waited_for(inner: Task) -> Callable[..., Any]:
    """A function that runs on the thread that waits."""

    def ask(what: str) -> str:
        """Ask the other one."""
        return inner.run(what).text

    return ask


def in_a_worker(inner: Task) -> Callable[..., Any]:
    """A function that runs in a worker thread."""
    return tool(reads=True)(waited_for(inner))


def async_waited_for(inner: Task) -> Callable[..., Any]:
    """An async function that runs on the thread that waits, or in its helper thread."""

    async def ask(what: str) -> str:
        """Ask the other one."""
        return (await inner.arun(what)).text

    return ask


def async_on_the_loop(inner: Task) -> Callable[..., Any]:
    """An async function that runs on the loop of all tasks."""
    return tool(reads=True)(async_waited_for(inner))


WAYS = [waited_for, in_a_worker, async_waited_for, async_on_the_loop]
every_way = pytest.mark.parametrize("way", WAYS)


def outer_on(function: Callable[..., Any], *calls: Call, **options: Any) -> tuple[Task, Simulator]:
    """A task that makes these calls in one reply, and its simulator."""
    simulator = Simulator([Reply(calls=list(calls or [ASK])), Reply(text="Done.")])
    return task_on(simulator, "outer", tools=[function], **options), simulator


def account_of(task: Task) -> Account:
    """The account of a task that has run."""
    assert task.context is not None
    return task.context.account


def with_loop(task: Task) -> Outcome:
    """The outcome of a run in a thread whose event loop runs, as in a notebook."""

    async def main() -> Outcome:
        return task.run("Look.")

    return asyncio.run(main())


@every_way
@pytest.mark.parametrize("run", [lambda task: task.run("Look."), with_loop])
def test_what_a_task_of_a_tool_spends_counts_against_the_one_around_it(
    way: Way, run: Callable[[Task], Outcome]
) -> None:
    inner_simulator = Simulator(steps(2, output_tokens=1_500))
    outer, simulator = outer_on(way(task_on(inner_simulator, "inner")))

    assert run(outer).state == "completed"

    inner_usd = inner_simulator.bill.total_usd
    spent = account_of(outer).spent.usd
    assert spent == simulator.bill.total_usd + inner_usd == default_session().account.spent.usd
    assert outer.spend.cost_usd == simulator.bill.total_usd
    assert sum(fact.cost_usd for fact in facts(outer, TasksRun)) == inner_usd > 0
    told = " ".join(str(outer.report()["text/plain"]).split())
    assert f"${spent:.2f} spent, including ${inner_usd:.2f} by its tools" in told


@every_way
def test_a_task_of_a_tool_is_not_the_one_that_a_nameless_cell_goes_on_with(way: Way) -> None:
    outer, _ = outer_on(way(task_on(Simulator(steps(1)), "inner")))
    assert outer.run("Look.").state == "completed"
    assert default_session().last_used == "outer"


@every_way
def test_a_task_of_a_tool_halts_where_the_one_around_it_has_no_room(way: Way) -> None:
    inner_simulator = Simulator(lambda context: steps(40, output_tokens=1_500)[context.replies])
    inner = task_on(inner_simulator, "inner")
    outer, simulator = outer_on(way(inner), ceilings=Ceilings(cost_usd="0.40"))

    outcome = outer.run("Look.")

    assert inner.outcome is not None
    assert (inner.outcome.state, inner.outcome.reason) == ("halted", "session_ceiling")
    assert "of $0.40 for outer, whose tool runs this task," in inner.outcome.detail
    assert '`tasks()["outer"].change(max_cost=0.60)` gives it more room' in inner.outcome.detail
    assert '`tasks()["inner"].resume()` goes on outside of it' in inner.outcome.detail
    billed = simulator.bill.total_usd + inner_simulator.bill.total_usd
    assert Decimal("0.20") < billed <= Decimal("0.40")
    assert outcome.reason in {"cost_ceiling", "end_turn"}


def test_the_sentence_of_the_outer_task_says_what_tasks_of_its_tools_spent() -> None:
    inner = task_on(
        Simulator(lambda context: steps(40, output_tokens=1_500)[context.replies]), "inner"
    )
    outer, _ = outer_on(waited_for(inner), ceilings=Ceilings(cost_usd="0.20"))

    detail = outer.run("Look.").detail

    assert f"including ${inner.spend.cost_usd:.2f} by its tools" in detail


@every_way
def test_what_a_cut_off_task_of_a_tool_holds_stands_in_the_outer_one_s_report(way: Way) -> None:
    inner_simulator = Simulator(steps(1), faults=[silence(on=0)])
    inner = task_on(inner_simulator, "inner")
    stop_when_silent(inner, inner_simulator, 0)
    outer, _ = outer_on(way(inner))

    assert outer.run("Look.").state == "completed"

    (held,) = (fact.unconfirmed_usd for fact in facts(outer, TasksRun))
    assert held == inner.spend.unconfirmed_usd == account_of(outer).unconfirmed_below.usd > 0
    told = " ".join(str(outer.report()["text/plain"]).split())
    assert f"by its tools and ${held:.2f} unconfirmed; all of it counts" in told
    assert f"${held:.2f} held" in told
    assert outer.release_held() == (
        "outer holds nothing for cut-off requests itself, but inner does"
    )
    inner.release_held()
    assert account_of(outer).unconfirmed_below.usd == inner.spend.unconfirmed_usd < held


@every_way
def test_a_task_of_a_tool_that_is_stopped_alone_does_not_stop_the_one_around_it(way: Way) -> None:
    inner_simulator = Simulator(steps(1), faults=[silence(on=0)])
    inner = task_on(inner_simulator, "inner")
    stop_when_silent(inner, inner_simulator, 0)
    outer, _ = outer_on(way(inner))

    assert outer.run("Look.").state == "completed"

    assert inner.outcome is not None
    assert inner.outcome.reason == "stop_button"
    assert "TaskInterrupted" in results(outer)[0]


def test_a_token_ceiling_around_a_task_is_kept_and_named() -> None:
    inner = task_on(
        Simulator(lambda context: steps(40)[context.replies]), "inner", max_tokens=2_000
    )
    outer, _ = outer_on(waited_for(inner), ceilings=Ceilings(cost_usd=None, total_tokens=12_000))

    outer.run("Look.")

    assert inner.outcome is not None
    assert "of 12,000 tokens for outer, whose tool runs this task," in (inner.outcome.detail)
    assert "max_total_tokens=18000" in inner.outcome.detail
    assert inner.spend.ceiling_tokens + outer.spend.ceiling_tokens <= 12_000


def test_tasks_of_tools_that_run_beside_each_other_wait_instead_of_failing() -> None:
    go_on = Signal()
    # The first request is held until another one waits for room.
    simulator = Simulator(
        lambda context: steps(1, output_tokens=100)[context.replies],
        faults=[hold(go_on, on=0, before_headers=True)],
    )
    inners = {name: task_on(simulator, name) for name in "abc"}

    @tool(reads=True)
    def ask(what: str) -> str:
        """Ask one of them."""
        inners[what].start("Look.", sinks=[OnWait(go_on)])
        return inners[what].wait().text

    calls = [Call("ask", {"what": name}) for name in inners]
    # Room for one whole request at a time.
    outer, _ = outer_on(ask, *calls, ceilings=Ceilings(cost_usd="0.90"))

    assert outer.run("Look.").state == "completed"
    assert results(outer) == ["Done."] * 3
    assert sum(len(facts(task, WaitStarted)) for task in inners.values()) > 0


def test_ceilings_hold_over_several_levels() -> None:
    deep = Simulator(lambda context: steps(40, output_tokens=1_500)[context.replies])
    leaf = task_on(deep, "leaf")
    middle_simulator = Simulator([Reply(calls=[ASK]), Reply(text="Middle.")])
    middle = task_on(middle_simulator, "middle", tools=[async_waited_for(leaf)])
    outer, simulator = outer_on(async_on_the_loop(middle), ceilings=Ceilings(cost_usd="0.30"))

    outer.run("Look.")

    assert leaf.outcome is not None
    assert "for outer, whose tool runs this task," in leaf.outcome.detail
    bills = [one.bill.total_usd for one in (deep, middle_simulator, simulator)]
    assert sum(bills) <= Decimal("0.30")
    assert account_of(middle).spent.usd == bills[0] + bills[1]


def test_a_group_s_cap_and_the_session_s_count_a_task_of_a_tool_once() -> None:
    group = group_account("the sweep", total_tokens=40_000)
    inner_simulator = Simulator(lambda context: steps(40, output_tokens=2_000)[context.replies])
    inner = task_on(inner_simulator, "inner", ceilings=Ceilings(cost_usd=None), max_tokens=4_096)
    inner.join(group)
    outer, simulator = outer_on(waited_for(inner), ceilings=Ceilings(cost_usd=None))
    outer.join(group)

    outer.run("Look.")

    billed = simulator.bill.total_tokens + inner_simulator.bill.total_tokens
    assert inner.outcome is not None
    assert " of 40,000 tokens for the sweep in step" in inner.outcome.detail
    assert inner.spend.ceiling_tokens + outer.spend.ceiling_tokens == group.spent.tokens <= 40_000
    assert default_session().account.spent.tokens == group.spent.tokens <= billed


def test_a_simulated_task_does_not_count_against_a_real_one_around_it() -> None:
    inner = Task("pretended", client="simulator", tools="none")
    outer, simulator = outer_on(waited_for(inner))

    assert outer.run("Look.").state == "completed"

    assert inner.spend.cost_usd
    assert account_of(outer).spent.usd == simulator.bill.total_usd
    assert not facts(outer, TasksRun)


def test_a_simulated_task_counts_against_a_simulated_one_around_it() -> None:
    inner = Task("inner", client="simulator", tools="none")

    def audit_helper(path: str = ".") -> str:
        """Run a simulated task."""
        return inner.run(f"Say {path}.").state

    outer = Task("outer", client="simulator", tools=[audit_helper], approve="all")
    outer.run("Say something about audit_helper.")
    assert inner.turns, "the scene must call the tool"
    assert account_of(outer).spent_below.usd == inner.spend.cost_usd
    assert default_session().account.spent.usd == 0


def test_a_real_task_in_a_simulated_one_counts_against_a_real_one_around_both() -> None:
    leaf_simulator = Simulator(steps(1))
    leaf = task_on(leaf_simulator, "leaf")

    def audit_helper(path: str = ".") -> str:
        """Run a real task."""
        return leaf.run(path).text

    between = Task("between", client="simulator", tools=[audit_helper], approve="all")
    outer, simulator = outer_on(waited_for(between))

    outer.run("Look.")

    assert leaf.turns, "the scene must call the tool"
    billed = simulator.bill.total_usd + leaf_simulator.bill.total_usd
    assert account_of(outer).spent.usd == billed
    assert account_of(between).spent_below.usd == leaf_simulator.bill.total_usd


@pytest.mark.parametrize("way", [in_a_worker, async_on_the_loop])
def test_stopping_a_task_stops_those_that_its_tools_run(way: Way) -> None:
    inner_simulator = Simulator(steps(1), faults=[silence(on=0)])
    inner = task_on(inner_simulator, "inner")
    outer, _ = outer_on(way(inner))

    def watch() -> None:
        assert inner_simulator.arrival(0).wait()
        assert inner_simulator.requests[0].silent.wait()
        outer.stop()

    threading.Thread(target=watch, daemon=True).start()
    outcome = interruption(lambda: outer.run("Look."))

    assert outcome.state == "interrupted"
    assert inner_simulator.requests[0].closed_while_silent
    interruption(inner.wait)
    assert inner.outcome is not None
    assert inner.outcome.state == "interrupted"


def test_a_task_that_a_stopped_call_starts_afterwards_is_stopped_at_once() -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    inner_simulator = Simulator(steps(1))
    inner = task_on(inner_simulator, "inner")

    @tool(reads=True)
    def ask(what: str) -> str:
        """Start too late."""
        began.set()
        assert go_on.wait(GUARD_S)
        try:
            inner.run(what)
        except TaskInterrupted:
            ended.set()
        return what

    outer, _ = outer_on(ask)

    def watch() -> None:
        assert began.wait(GUARD_S)
        outer.stop()

    threading.Thread(target=watch, daemon=True).start()
    interruption(lambda: outer.run("Look."))
    go_on.set()

    assert ended.wait(GUARD_S)
    assert inner_simulator.requests == []


def test_many_calls_that_each_run_a_task_with_tools_in_threads_all_end() -> None:
    number = itertools.count()

    @tool(reads=True)
    def ask(what: str) -> str:
        """Run a task that needs a worker thread too."""
        return task_on(Simulator(steps(1)), f"inner-{next(number)}").run(what).text

    calls = [Call("ask", {"what": f"w{n}"}) for n in range(60)]
    outer, _ = outer_on(ask, *calls, ceilings=Ceilings(cost_usd=None))

    assert outer.run("Look.").state == "completed"
    assert results(outer) == ["Done."] * 60


def test_blocking_on_the_loop_of_all_tasks_is_refused() -> None:
    inner = task_on(Simulator(steps(1)), "inner")

    @tool(reads=True)
    async def ask(what: str) -> str:
        """Block where nothing may."""
        return inner.run(what).text

    outer, _ = outer_on(ask)

    assert outer.run("Look.").state == "completed"
    assert "use `await task.arun(...)`" in results(outer)[0]
    assert inner.turns == []


def test_a_model_without_a_price_is_refused_under_a_ceiling_around_it() -> None:
    inner = task_on(
        Simulator(steps(1)), "inner", model="claude-unheard-of", budget=None,
        ceilings=Ceilings(cost_usd=None),
    )  # fmt: skip
    outer, _ = outer_on(waited_for(inner))

    outer.run("Look.")

    assert (
        "the cost ceiling of outer, whose tool runs this task, cannot be enforced"
        in (results(outer)[0])
    )


# Random trees of tasks

TREES = st.recursive(
    st.builds(lambda usd: {"usd": usd, "parts": []}, st.integers(5, 80)),
    lambda parts: st.builds(
        lambda usd, parts: {"usd": usd, "parts": parts},
        st.integers(5, 80),
        st.lists(st.tuples(st.sampled_from(range(len(WAYS))), parts), min_size=1, max_size=3),
    ),
    max_leaves=5,
)
"""Ceilings in cents, and what tools run below: how, and what."""


class Tree:
    """A tree of tasks, each with a simulator, a ceiling and tools that run the ones below."""

    def __init__(self, shape: dict[str, Any], names: Any, tokens: int) -> None:
        self.task: Task
        self.below = [Tree(part, names, tokens) for _, part in shape["parts"]]
        self.ceiling = Decimal(shape["usd"]) / 100
        functions = []
        for (way, _), part in zip(shape["parts"], self.below, strict=True):
            function = WAYS[way](part.task)
            function.__name__ = f"ask_{part.task.name.replace('-', '_')}"
            functions.append(function)
        calls = [Call(function.__name__, {"what": "Look."}) for function in functions]

        def script(context: SceneContext) -> Reply:
            if context.replies == 1 and calls:
                return Reply(calls=calls, output_tokens=tokens)
            if context.replies < 4:
                look = Call("lookup", {"word": f"{context.replies}"})
                return Reply(calls=[look], output_tokens=tokens)
            return Reply(text="Done.", output_tokens=tokens)

        self.simulator = Simulator(script)
        self.task = task_on(
            self.simulator,
            f"node-{next(names)}",
            tools=[lookup, *functions],
            ceilings=Ceilings(cost_usd=self.ceiling, elapsed_s=60),
        )

    def all(self) -> list[Tree]:
        """Give this one and all below."""
        return [self, *(one for part in self.below for one in part.all())]

    @property
    def billed(self) -> Decimal:
        """What the simulators billed for this task and those below."""
        return sum((one.simulator.bill.total_usd for one in self.all()), Decimal(0))


@settings(max_examples=examples(12), deadline=None)
@given(shape=TREES, tokens=st.integers(100, 4_000), cap=st.integers(5, 100))
def test_trees_of_tasks_end_and_never_pass_a_ceiling(
    shape: dict[str, Any], tokens: int, cap: int
) -> None:
    tree = Tree(shape, itertools.count(), tokens)
    group = group_account("the tree", cost_usd=Decimal(cap) / 100)
    tree.task.join(group)

    tree.task.run("Look.")

    assert tree.billed <= Decimal(cap) / 100
    for one in tree.all():
        assert one.billed <= one.ceiling
        assert not one.task.is_running
        if one.task.context is not None:
            assert one.task.context.account.spent.usd == one.billed
            assert one.task.context.account.requests_held == 0
    assert group.spent.usd == tree.billed
