"""`make bench`: prints the README's table, and fails where a figure is above its limit."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import Final

from tests.bench import load, overhead, streaming, views

_RATIO: Final = 1.10
_ADDED_MS: Final = 5.0
_LOAD_SHARE: Final = 0.05
_FIRST_SHARE: Final = 0.25


def main() -> int:
    """Measure, print, judge; 1 where a limit is passed."""
    at_once = overhead.measure(delay_ms=0, steps=40, repeats=9)
    paced = overhead.measure(delay_ms=100, steps=25, repeats=3)
    first = load.first_panel(repeats=5)
    loads = [load.measure(place, repeats=7) for place in load.STARTS]
    rows = [
        (
            "a step, server answers at once",
            f"{at_once.bare_ms:.1f} ms",
            f"{at_once.harness_ms:.1f} ms",
            f"{at_once.added_ms:+.1f} ms",
            f"at most +{_ADDED_MS:.0f} ms",
            at_once.added_ms <= _ADDED_MS,
        ),
        (
            "a step, server takes 100 ms",
            f"{paced.bare_ms:.1f} ms",
            f"{paced.harness_ms:.1f} ms",
            f"{paced.ratio:.2f} x",
            f"at most {_RATIO:.2f} x",
            paced.ratio <= _RATIO,
        ),
        *(
            (
                f"`%load_ext` in {cost.place}, beside `import anthropic`",
                f"{cost.import_ms:.0f} ms",
                f"{cost.load_ms:.1f} ms",
                f"{cost.share:.1%}",
                f"at most {_LOAD_SHARE:.0%}",
                cost.share <= _LOAD_SHARE,
            )
            for cost in loads
        ),
        (
            "a kernel's first cell until its panel, beside `import anthropic`",
            f"{first.import_ms:.0f} ms",
            f"{first.load_ms:.0f} ms",
            f"{first.share:.0%}",
            f"at most {_FIRST_SHARE:.0%}",
            first.share <= _FIRST_SHARE,
        ),
    ]
    _say("| what | bare | budget_magic | difference | limit |")
    _say("| --- | ---: | ---: | ---: | ---: |")
    for *cells, holds in rows:
        _say(f"| {' | '.join(map(str, cells))} |{'' if holds else ' above the limit'}")
    _say(
        f"\nPython {platform.python_version()}, anthropic {version('anthropic')},"
        f" ipykernel {version('ipykernel')}, {platform.machine()}, medians"
    )
    viewed = views.rows(views.looks(views.FEW), views.looks(views.MANY), views.turns())
    _say("\n| what, CPU time | beside | cost | ratio | limit |")
    _say("| --- | ---: | ---: | ---: | ---: |")
    for *cells, holds in viewed:
        _say(f"| {' | '.join(map(str, cells))} |{'' if holds else ' above the limit'}")
    lines, streams_well = streaming.report(streaming.measure())
    _say("\n" + "\n".join(lines))
    return 0 if streams_well and all(row[-1] for row in [*rows, *viewed]) else 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is what the command is for


if __name__ == "__main__":
    sys.exit(main())
