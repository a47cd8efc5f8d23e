"""Text at 2,000 deltas a second in JupyterLab: the panel beside two usual ways, as tables."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, replace
from typing import Final

from tests.bench.streaming_page import TEXTS, Streamed, open_bench
from tests.bench.streams import RATE_PER_S

LONG: Final = 20_000
SHORT, LONGER = 2_000, 8_000
REPEATS: Final = 3
PAINTED_MS: Final = 33
BYTES_PER_BYTE: Final = 1.5
GROWTH: Final = 1.1
NAMES: Final = {
    "panel": "the panel",
    "trait": "whole text in a trait, 30 Hz",
    "output": "`Output.append_stdout`, 10 Hz",
}
COLUMNS: Final = (
    "way",
    "lost",
    "last text painted after",
    "tasks > 50 ms, longest",
    "page's work",
    "bytes a byte",
    "to open",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All runs."""

    opening: dict[str, int]
    """Bytes that each way takes before its first delta."""
    long: dict[str, Streamed]
    """`LONG` deltas each way; the panel's figures are medians, its long tasks of the best run."""
    grown: dict[str, tuple[Streamed, Streamed]]
    """`SHORT` and `LONGER` deltas each way."""


def measure() -> Measured:
    """Every way at every length; the panel is measured several times, each time anew."""
    opening: dict[str, int] = {}
    long: dict[str, Streamed] = {}
    grown: dict[str, tuple[Streamed, Streamed]] = {}

    def fresh(way: str, count: int) -> Streamed:
        opening[way] = bench.open(way)
        streamed = bench.stream(way, count)
        bench.close()
        return streamed

    with open_bench() as bench:
        fresh("panel", SHORT)  # not counted: the page's first widget loads and compiles
        for way in TEXTS:
            grown[way] = (fresh(way, SHORT), fresh(way, LONGER))
            runs = [fresh(way, LONG) for _ in range(REPEATS if way == "panel" else 1)]
            long[way] = _middle(runs)
    return Measured(opening=opening, long=long, grown=grown)


def _middle(runs: list[Streamed]) -> Streamed:
    """Medians; long tasks of the best run, as what else the machine does can only add some."""
    return replace(
        min(runs, key=lambda run: sum(run.long_tasks)),
        lost=max(run.lost for run in runs),
        painted_ms=statistics.median(run.painted_ms for run in runs),
        work_s=statistics.median(run.work_s for run in runs),
        bytes_out=max(run.bytes_out for run in runs),
    )


def report(measured: Measured) -> tuple[list[str], bool]:
    """Two tables, and whether the panel keeps within its limits."""
    panel, (short, longer) = measured.long["panel"], measured.grown["panel"]
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    lines = [
        f"{LONG:,} deltas of 10 characters at {RATE_PER_S:,} a second in JupyterLab; {load}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| ---{' | ---:' * (len(COLUMNS) - 1)} |",
        *(_row(way, run, measured.opening[way]) for way, run in measured.long.items()),
        f"| limit for the panel | 0 | {PAINTED_MS} ms | 0 | | {BYTES_PER_BYTE:.1f} | |",
        "",
        f"| {LONGER:,} deltas against {SHORT:,} | bytes a delta | ratio | page | ratio |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_growth(way, *runs) for way, runs in measured.grown.items()),
        f"| limit for the panel | | {GROWTH:.2f} | | {GROWTH:.2f} |",
    ]
    holds = (
        panel.lost == 0
        and panel.painted_ms <= PAINTED_MS
        and not panel.long_tasks
        and panel.bytes_per_byte <= BYTES_PER_BYTE
        and longer.bytes_per_byte <= GROWTH * short.bytes_per_byte
        and longer.page_bytes <= GROWTH * short.page_bytes
    )
    return [*lines, *([] if holds else ["", "the panel is above a limit"])], holds


def _row(way: str, run: Streamed, opening: int) -> str:
    longest = max(run.long_tasks, default=0)
    tasks = f"{len(run.long_tasks)}, {longest:.0f} ms" if run.long_tasks else "0"
    return (
        f"| {NAMES[way]} | {run.lost:,} | {run.painted_ms:,.0f} ms | {tasks} | {run.work_s:.1f} s"
        f" | {run.bytes_per_byte:.2f} | {opening / 1000:.0f} kB |"
    )


def _growth(way: str, short: Streamed, longer: Streamed) -> str:
    told, held = longer.bytes_per_byte / short.bytes_per_byte, longer.page_bytes / short.page_bytes
    return (
        f"| {NAMES[way]} | {10 * short.bytes_per_byte:.0f} to {10 * longer.bytes_per_byte:.0f}"
        f" | {told:.2f} | {short.page_bytes / 1e6:.1f} to {longer.page_bytes / 1e6:.1f} MB"
        f" | {held:.2f} |"
    )
