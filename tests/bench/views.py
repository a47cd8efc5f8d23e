"""What it costs to look at a long turn, and to run a late turn of a long task, in CPU time.

A turn of many steps is folded; then it is looked at, told to a browser and reported. A task of many
turns runs beside a bare loop that sends the same history, since what is sent grows with it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import anthropic

from budget_magic import Ceilings, Task
from budget_magic.report.bundle import bundle, turn_json
from budget_magic.report.view import view_turn
from budget_magic.session import default_session
from budget_magic.widgets.panel_sync import PanelSync
from tests.bench.overhead import PROMPT, bare_step, server
from tests.report.records import Story, call, thought

FEW: Final = 100
MANY: Final = 1_000
"""Steps of the turns that are looked at."""
TURNS: Final = 200
GROWTH: Final = 1.15
GROUP: Final = 20
"""Turns at the beginning and at the end whose CPU time is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Milliseconds at one turn."""

    steps: int
    from_zero_ms: float
    look_ms: float
    beat_ms: float
    """To look and to tell a browser what has changed."""
    report_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """CPU milliseconds a turn, medians of the first and the last turns."""

    bare_ms: tuple[float, float]
    harness_ms: tuple[float, float]

    @property
    def growth(self) -> float:
        """By how much more than the bare loop's a turn's CPU time has grown at the end."""
        (bare, bare_late), (harness, harness_late) = self.bare_ms, self.harness_ms
        return (harness_late / harness) / (bare_late / bare)


def looks(steps: int) -> Looks:
    """Fold a turn of so many steps, and look at it."""
    story = Story().start()
    for number in range(steps):
        path = f"src/part_{number}.py"
        content = [thought("I look at the next part. " * 8), call(path, "read_file", path=path)]
        story.ask().reply(content, thinking=90, calls=30, results=900, written=1_000)
        story.tool(path, "read_file", "a line of a file\n" * 150)
    fold, sync = story.ask().fold(), PanelSync()
    sync.beat(view_turn(fold), (), {})
    return Looks(
        steps=steps,
        from_zero_ms=_best(lambda: view_turn(story.fold()), 3),
        look_ms=_best(lambda: view_turn(fold), 15),
        beat_ms=_best(lambda: sync.beat(view_turn(fold), (), {}), 15),
        report_ms=_best(lambda: bundle(view_turn(fold), turn_json(fold)), 9),
    )


def turns() -> Turns:
    """Run a task of many turns, and the bare loop."""
    with server(0, 1) as url:
        return Turns(bare_ms=_ends(_bare(url)), harness_ms=_ends(_harness(url)))


def rows(few: Looks, many: Looks, run: Turns) -> list[tuple[str, str, str, str, str, bool]]:
    """Return the rows of the table: what, first, second, difference, limit, whether it holds."""

    def beside(what: str, before: float, after: float, most: float) -> Any:
        ratio = after / before
        cells = (f"{before:.2f} ms", f"{after:.2f} ms", f"{ratio:.3f} x", f"at most {most:.2f} x")
        return what, *cells, ratio <= most

    return [
        beside(f"a look at {MANY:,} steps, beside a fold from zero", many.from_zero_ms,
               many.look_ms, 0.02),
        beside(f"a whole report of {MANY:,} steps, likewise", many.from_zero_ms,
               many.report_ms, 0.25),
        beside(f"a look and the panel's message at {MANY:,} steps, beside {FEW}", few.beat_ms,
               many.beat_ms, 4),
        (
            f"turns {TURNS - GROUP + 1} to {TURNS} of a task, beside turns 2 to {GROUP + 1}",
            f"{run.harness_ms[0]:.2f} ms",
            f"{run.harness_ms[1]:.2f} ms",
            f"{run.growth:.3f} x the bare loop's growth",
            f"at most {GROWTH:.2f} x",
            run.growth <= GROWTH,
        ),
    ]  # fmt: skip


def _best(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        began = time.thread_time()
        work()
        spent.append(time.thread_time() - began)
    return min(spent) * 1000


def _ends(cpu_ms: Iterator[float]) -> tuple[float, float]:
    every = list(cpu_ms)[1:]
    return statistics.median(every[:GROUP]), statistics.median(every[-GROUP:])


def _harness(url: str) -> Iterator[float]:
    client = anthropic.AsyncAnthropic(api_key="bench", base_url=url, max_retries=0)
    task = Task("bench", client=client, tools="none", ceilings=Ceilings(cost_usd=None))
    for _ in range(TURNS):
        began = time.process_time()
        task.run(PROMPT)
        yield (time.process_time() - began) * 1000
    default_session().portal.start(client.close).result()


def _bare(url: str) -> Iterator[float]:
    with asyncio.Runner() as runner:
        client = anthropic.AsyncAnthropic(api_key="bench", base_url=url, max_retries=0)
        messages: list[Any] = []
        for _ in range(TURNS):
            began = time.process_time()
            runner.run(_bare_turn(client, messages))
            yield (time.process_time() - began) * 1000
        runner.run(client.close())


async def _bare_turn(client: anthropic.AsyncAnthropic, messages: list[Any]) -> None:
    messages.append({"role": "user", "content": [{"type": "text", "text": PROMPT}]})
    message = await bare_step(client, messages=messages)
    messages.append({"role": "assistant", "content": message.to_dict()["content"]})
