"""Draw bars of characters, for terminals and for viewers that strip styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budget_magic.report.view_models import GaugeView

_LEVELS: Final = "▁▂▃▄▅▆▇█"
SPARK_BARS: Final = 24
"""Most bars of a spark line; longer turns are sampled."""


def text_bar(gauge: GaugeView, width: int, *, utf8: bool = True) -> str:
    """Return the gauge as `width` characters: the four kinds, then what is left.

    A kind that has tokens gets at least one character.
    """
    sums = [kind.share + kind.live_share for kind in gauge.kinds]
    cells, done, drawn = [], 0.0, 0
    for share in sums:
        done += share
        count = max(1 if share > 0 else 0, round(done * width) - drawn)
        cells.append(count)
        drawn += count
    while sum(cells) > width:
        cells[cells.index(max(cells))] -= 1
    glyphs = [kind.glyph if utf8 else kind.ascii for kind in gauge.kinds]
    used = "".join(glyph * count for glyph, count in zip(glyphs, cells, strict=True))
    return used + ("·" if utf8 else " ") * (width - len(used))


def sampled(shares: Sequence[float], most: int = SPARK_BARS) -> list[float]:
    """Return at most `most` of the shares, evenly spaced, with the first and the last.

    >>> sampled([1.0, 0.5, 0.2], 2)
    [1.0, 0.2]
    """
    if len(shares) <= most:
        return list(shares)
    last = len(shares) - 1
    return [shares[round(place * last / (most - 1))] for place in range(most)]


def spark(shares: Sequence[float]) -> str:
    """Return shares as a line of small bars.

    >>> spark([1.0, 0.5, 0.0])
    '█▅▁'
    """
    return "".join(_LEVELS[round(min(1.0, max(0.0, share)) * 7)] for share in sampled(shares))
