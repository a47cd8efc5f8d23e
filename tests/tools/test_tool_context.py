"""What the turn offers to a tool, and what a tool may return, seen through `Task.run`."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import anyio
import pytest

from budget_magic import Ceilings, ConfigurationError, Task
from budget_magic.errors import ToolRefusal
from budget_magic.events import NoticePosted, StepFinished, TasksRun, ToolFinished, ToolStarted
from budget_magic.events.codec import from_json, to_json
from budget_magic.simulator import Call, Reply, Simulator
from budget_magic.tools import (
    Tool,
    ToolContext,
    ToolResult,
    document_block,
    image_block,
    text_block,
)
from budget_magic.tools.tool import Thread, ToolOutput
from tests.loop.running import (
    CUT_S,
    facts,
    interruption,
    last_content,
    results,
    stopped_at,
    task_on,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200
GUARD_S = 10.0
Work = Callable[[ToolContext], ToolOutput | Coroutine[Any, Any, ToolOutput]]


class Plot(Tool):
    """A tool without arguments that does what a test gives it; it counts openings and closings."""

    name = "plot"
    needs_approval = False

    def __init__(self, work: Work, thread: Thread = "loop") -> None:
        self._work = work
        self.thread = thread
        self.log: list[str] = []

    def definition(self) -> dict[str, Any]:
        """Its name, and a schema without arguments."""
        return {"name": self.name, "input_schema": {"type": "object", "properties": {}}}

    def call(
        self, arguments: dict[str, Any], context: ToolContext
    ) -> ToolOutput | Coroutine[Any, Any, ToolOutput]:
        """Do the work."""
        assert arguments == {}
        self.log.append("called")
        return self._work(context)

    async def open(self) -> None:
        """Note it."""
        self.log.append("opened")

    async def close(self) -> None:
        """Note it."""
        self.log.append("closed")


def plotting(tool: Tool, **options: Any) -> tuple[Task, Simulator]:
    """A task whose first reply calls the tool."""
    simulator = Simulator([Reply(calls=[Call(tool.name, {})]), Reply(text="Done.")])
    return task_on(simulator, tools=[tool], **options), simulator


def returning(output: ToolOutput) -> Work:
    return lambda _: output


def test_an_image_is_sent_kept_counted_and_summed_up() -> None:
    content = [text_block("the plot:"), image_block(PNG)]
    task, simulator = plotting(Plot(returning(ToolResult(content=content, summary="a red line"))))

    assert task.run("Look.").state == "completed"

    (sent,) = last_content(simulator.requests[-1])
    (finished,) = facts(task, ToolFinished)
    assert sent["content"] == content
    assert finished.content == tuple(content)
    assert finished.shown == "a red line"
    assert 1_600 <= facts(task, StepFinished)[-1].tool_result_tokens < 2_000
    records = [record for record in task.events if isinstance(record.fact, ToolFinished)]
    assert [from_json(to_json(record)) for record in records] == records
    report = task.report()
    assert "a red line" in str(report["text/html"])
    assert "a red line" in str(report["text/markdown"])
    assert base64.b64encode(PNG).decode()[:40] not in str(report)


def test_a_large_image_needs_no_more_room_than_images_take() -> None:
    tool = Plot(returning(ToolResult(content=[image_block(PNG * 40)])))
    task, simulator = plotting(tool, ceilings=Ceilings(total_tokens=80_000))

    outcome = task.run("Look.")

    assert outcome.state == "completed"
    assert results(task) == [f"[image: image/png, {len(PNG) * 40:,} bytes]"]
    assert len(simulator.requests) == 2


def test_documents_are_sent_as_documents_and_their_text_is_capped_and_redacted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_API_KEY", "planted-key-value")
    pdf, text = b"%PDF-1.7 a page", "planted-key-value " + "line\n" * 10_000
    blocks = [document_block(pdf, "report"), document_block(text), text_block("more")]
    task, simulator = plotting(Plot(returning(ToolResult(content=blocks))))

    task.run("Look.")

    (sent,) = last_content(simulator.requests[-1])
    assert sent["content"][0] == blocks[0]
    data = sent["content"][1]["source"]["data"]
    assert data.startswith("[secret MY_API_KEY] line")
    assert "bytes left out here" in data
    assert len(data) <= 20_000
    assert "[document 'report': application/pdf, 15 bytes]" in results(task)[0]


def test_an_image_that_holds_a_secret_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "planted-key-value")
    image = image_block(PNG + b"planted-key-value in its metadata")
    task, simulator = plotting(Plot(returning(ToolResult(content=[image]))))

    task.run("Look.")

    (sent,) = last_content(simulator.requests[-1])
    assert sent["content"] == "[image left out: it holds [secret MY_API_KEY]]"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "video"}, "unsupported kind"),
        ({"type": "image", "source": {"type": "url", "url": "https://a.b"}}, "unsupported kind"),
        (image_block(b"no image"), "whose data is of another kind"),
        (image_block(PNG * 200), "at most 5,242,880 can be sent"),
    ],
)
def test_a_block_that_the_api_would_refuse_is_an_error_for_claude(
    block: dict[str, Any], said: str
) -> None:
    task, _ = plotting(Plot(returning(ToolResult(content=[block]))))

    assert task.run("Look.").state == "completed"

    (finished,) = facts(task, ToolFinished)
    assert finished.is_error
    assert said in finished.shown


EVERY_THREAD: list[Thread] = ["loop", "worker", "caller"]
every_thread = pytest.mark.parametrize("thread", EVERY_THREAD)


@every_thread
def test_a_tool_runs_on_the_thread_that_it_names(thread: Thread) -> None:
    names: list[str] = []

    def work(_: ToolContext) -> str:
        names.append(threading.current_thread().name)
        return "done"

    task, _ = plotting(Plot(work, thread))
    task.run("Look.")

    expected = {"loop": "budget_magic loop", "caller": threading.current_thread().name}
    assert names[0] not in expected.values() if thread == "worker" else names == [expected[thread]]


@every_thread
def test_a_tool_records_notices_while_its_call_is_open(thread: Thread) -> None:
    kept: list[ToolContext] = []

    def work(context: ToolContext) -> str:
        context.emit("drawing the plot")
        kept.append(context)
        return "done"

    task, _ = plotting(Plot(work, thread))
    task.run("Look.")

    assert [fact.text for fact in facts(task, NoticePosted)] == ["drawing the plot"]
    (started,) = (record for record in task.events if isinstance(record.fact, ToolStarted))
    assert kept[0].parent == started.id
    assert kept[0].session is task.session
    with pytest.raises(ToolRefusal, match="the call of plot is over"):
        kept[0].emit("too late")


@every_thread
def test_what_a_tool_spends_counts_against_the_ceilings(thread: Thread) -> None:
    def work(context: ToolContext) -> str:
        with context.reserve(usd=Decimal("0.50"), tokens=1_000) as reservation:
            reservation.settle(usd=Decimal("0.20"), tokens=300)
        return "done"

    task, simulator = plotting(Plot(work, thread))
    outcome = task.run("Look.")

    assert task.context is not None
    account = task.context.account
    assert account.spent.usd == simulator.bill.total_usd + Decimal("0.20")
    assert account.held.usd == account.unconfirmed.usd == 0
    assert outcome.spend.cost_usd == simulator.bill.total_usd
    (spent,) = facts(task, TasksRun)
    assert (spent.cost_usd, spent.tokens) == (Decimal("0.20"), 300)
    assert "including $0.20 by its tools" in " ".join(str(task.report()["text/plain"]).split())


@every_thread
def test_a_tool_is_refused_what_no_ceiling_has_room_for(thread: Thread) -> None:
    def work(context: ToolContext) -> str:
        with context.reserve(usd=Decimal(2)):
            raise AssertionError

    task, _ = plotting(Plot(work, thread), ceilings=Ceilings(cost_usd=1))
    assert task.run("Look.").state == "completed"

    (finished,) = facts(task, ToolFinished)
    assert finished.is_error
    assert finished.shown == (
        "the call needs $2.00, more than the $1.00 left under the ceilings of audit"
    )


def test_what_a_failing_tool_had_reserved_stays_unconfirmed() -> None:
    def work(context: ToolContext) -> str:
        with context.reserve(usd=Decimal("0.50")):
            raise OSError("cut off")

    task, _ = plotting(Plot(work, "worker"))
    task.run("Look.")

    assert task.context is not None
    assert task.context.account.unconfirmed.usd == Decimal("0.50")
    (spent,) = facts(task, TasksRun)
    assert spent.unconfirmed_usd == Decimal("0.50")


WRONG_AMOUNTS: list[dict[str, Any]] = [
    {"usd": Decimal(-100)}, {"usd": Decimal("nan")}, {"usd": Decimal("inf")}, {"usd": 0.5},
    {"tokens": -1}, {"tokens": 1.5},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_AMOUNTS)
@pytest.mark.parametrize("door", ["reserve", "settle"])
def test_an_amount_that_would_lift_a_ceiling_is_refused(wrong: dict[str, Any], door: str) -> None:
    def work(context: ToolContext) -> str:
        if door == "reserve":
            context.reserve(**wrong)
        with context.reserve(usd=Decimal("0.10")) as reservation:
            reservation.settle(**wrong)
        return "spent"

    task, _ = plotting(Plot(work, "worker"), ceilings=Ceilings(cost_usd=1))
    task.run("Look.")

    assert "whole tokens, at least 0" in results(task)[0]
    held = Decimal("0.10") if door == "settle" else 0
    assert task.account.unconfirmed.usd == held
    assert task.account.spent_below.usd == 0
    assert task.account.held.usd == 0


def test_a_tool_states_no_facts_of_the_loop() -> None:
    emitted: list[Any] = []

    def work(context: ToolContext) -> str:
        emitted.append(facts(task, StepFinished)[-1])
        context.emit(emitted[0])
        return "counted twice"

    task, simulator = plotting(Plot(work, "worker"))
    outcome = task.run("Look.")

    assert "a tool emits notices only" in results(task)[0]
    assert outcome.spend.steps == len(simulator.requests) == 2


def test_a_task_that_a_tool_runs_does_not_wait_for_what_the_tool_holds() -> None:
    inner = task_on(Simulator([Reply(text="Inner.")]), "inner")

    def work(context: ToolContext) -> str:
        with context.reserve(usd=Decimal("0.98")) as reservation:
            outcome = inner.run("Look.")
            reservation.settle()
        return f"{outcome.state}: {outcome.reason}"

    task, _ = plotting(Plot(work, "worker"), ceilings=Ceilings(cost_usd=1))
    assert task.run("Look.").state == "completed"

    assert results(task) == ["halted: session_ceiling"]


def test_a_tool_in_a_worker_thread_is_told_that_the_turn_stops() -> None:
    started, ended = threading.Event(), threading.Event()

    def work(context: ToolContext) -> str:
        context.cancel.on_cancel(started.clear)
        context.cancel.on_cancel(lambda: 1 / 0)
        started.set()
        assert context.cancel.wait(GUARD_S)
        ended.set()
        return "nobody waits for it"

    tool = Plot(work, "worker")
    task, _ = plotting(tool)
    task.start("Look.")
    assert started.wait(GUARD_S)
    task.stop()
    outcome = interruption(task.wait)

    assert outcome.reason == "stop_button"
    assert ended.wait(GUARD_S)
    assert not started.is_set()
    assert results(task) == ["interrupted"]
    assert tool.log == ["opened", "called", "closed"]


@pytest.mark.parametrize("thread", ["loop", "worker"])
def test_the_time_ceiling_cancels_a_tool_that_runs_alone(thread: Thread) -> None:
    def block(context: ToolContext) -> str:
        context.cancel.wait(GUARD_S)
        return "late"

    async def wait(context: ToolContext) -> str:
        await anyio.sleep(GUARD_S)
        raise AssertionError(context)

    task, _ = plotting(
        Plot(wait if thread == "loop" else block, thread),
        ceilings=Ceilings(elapsed_s=CUT_S),
        wrap_up=False,
    )

    assert task.run("Look.").reason == "time_ceiling"
    assert results(task) == ["interrupted"]


def test_tools_are_open_while_a_turn_runs() -> None:
    tool = Plot(returning("done"))
    task, _ = plotting(tool)
    task.run("Look.")
    assert tool.log == ["opened", "called", "closed"]

    task.run("Again.")
    assert tool.log[3:] == ["opened", "closed"]


def test_tools_are_closed_where_the_turn_is_stopped() -> None:
    tool = Plot(returning("done"))
    stopped_at(plotting(tool)[0], ToolStarted)

    assert tool.log[0] == "opened"
    assert tool.log[-1] == "closed"


class Broken(Plot):
    """A tool that cannot be opened, or not be closed."""

    def __init__(self, *, opens: bool, error: BaseException) -> None:
        super().__init__(returning("done"))
        self._opens, self._error = opens, error

    async def open(self) -> None:
        """Fail, or not."""
        if not self._opens:
            raise self._error

    async def close(self) -> None:
        """Fail."""
        raise self._error


ERRORS = pytest.mark.parametrize(
    "error", [ConnectionError("lost"), SystemExit("lost"), KeyboardInterrupt("lost")], ids=repr
)


@ERRORS
def test_a_tool_that_cannot_be_opened_ends_the_turn_before_anything_is_sent(
    error: BaseException,
) -> None:
    task, simulator = plotting(Broken(opens=False, error=error))

    outcome = task.run("Look.")

    assert outcome.state == "failed"
    assert f"the tool plot could not be opened: {type(error).__name__}: lost" in outcome.detail
    assert simulator.requests == []


@ERRORS
def test_a_tool_that_cannot_be_closed_changes_no_ending(
    caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    task, _ = plotting(Broken(opens=True, error=error))

    assert task.run("Look.").state == "completed"
    assert "closing the tool plot failed with " + type(error).__name__ in caplog.text


@pytest.mark.parametrize(
    ("attribute", "value", "sentence"),
    [
        ("name", "plot.it", "a Plot has the name 'plot.it'; use at most 64 letters"),
        ("name", None, "a Plot has the name None"),
        ("thread", "main", "the thread of plot is 'main'; use loop, worker, caller"),
    ],
)
def test_a_tool_that_cannot_be_offered_makes_no_task(
    attribute: str, value: object, sentence: str
) -> None:
    tool = Plot(returning("done"))
    setattr(tool, attribute, value)

    with pytest.raises(ConfigurationError, match=sentence):
        plotting(tool)


class Together(Plot):
    """A parallel tool that asks."""

    is_parallel = True
    needs_approval = True


@pytest.mark.parametrize("approve", ["all", lambda _call: True])
def test_a_parallel_tool_runs_beside_others_only_if_it_need_not_ask(approve: object) -> None:
    running, most = [0], [0]
    both = threading.Barrier(2)

    def work(_: ToolContext) -> str:
        running[0] += 1
        most[0] = max(most[0], running[0])
        if approve == "all":
            both.wait(GUARD_S)
        running[0] -= 1
        return "done"

    calls = [Call("plot", {}), Call("plot", {})]
    simulator = Simulator([Reply(calls=calls), Reply(text="Done.")])
    task = task_on(simulator, tools=[Together(work, "worker")], approve=approve)

    assert task.run("Look.").state == "completed"

    assert most == [2 if approve == "all" else 1]


def test_the_same_image_again_and_again_is_a_stuck_loop() -> None:
    simulator = Simulator(lambda _view: Reply(calls=[Call("plot", {})]))
    tool = Plot(returning(ToolResult(content=[image_block(PNG)])))
    task = Task("audit", tools=[tool], client=task_on(simulator).settings.client)

    assert task.run("Look.").reason == "stuck_loop"
    assert json.dumps(task.messages).count('"image/png"') == 2
