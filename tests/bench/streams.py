"""The kernel's side of the streaming benchmark: text at a fixed rate, shown one of three ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import anywidget
import ipywidgets  # type: ignore[import-untyped]  # it has no types
import traitlets
from IPython.display import display

from budget_magic.events import BlockStarted, Delta
from budget_magic.meter.estimate import Ratios
from budget_magic.report.live_turn import LiveTurn
from budget_magic.widgets import Panel
from tests.report.records import Story
from tests.widgets.panels import Pressed

RATE_PER_S: Final = 2_000
LINE: Final = 40
"""Deltas in a line of text."""
_TRAIT_ESM: Final = """
export default { render({ model, el }) {
  const pre = document.createElement("pre");
  pre.className = "bench-trait";
  pre.style.cssText = "white-space:pre-wrap;max-height:400px;overflow:auto";
  el.append(pre);
  model.on("change:text", () => { pre.textContent = model.get("text"); pre.scrollTop = 1e9; });
} };
"""


class Way(Protocol):
    """One way to show text that grows."""

    def add(self, text: str) -> None:
        """Show a piece more."""
        ...

    def close(self) -> None:
        """Take it away."""
        ...


class ByPanel:
    """The panel as a task shows it: each delta goes in, the panel decides when to tell."""

    def __init__(self) -> None:
        self._turn = LiveTurn(Story().start().ask().fold, Ratios)
        self._panel = Panel(self._turn, Pressed())
        display(self._panel.mime_bundle(), raw=True)  # type: ignore[no-untyped-call]  # IPython has no types here
        self._turn.live(BlockStarted(turn=1, step=1, block=0, kind="text"))

    def add(self, text: str) -> None:
        """One delta."""
        self._turn.live(Delta(turn=1, step=1, block=0, kind="text", text=text))

    def close(self) -> None:
        """Close the panel."""
        self._panel.close()


class Batched:
    """What peers do: all text so far, set again so many times a second."""

    def __init__(self, per_s: float, show: Callable[[str], None]) -> None:
        self._every_s, self._show = 1 / per_s, show
        self._pending: list[str] = []
        self._told_at = 0.0

    def add(self, text: str) -> None:
        """Show the piece now or with a later one; the last one at once."""
        self._pending.append(text)
        now = time.monotonic()
        if now - self._told_at >= self._every_s or text.startswith("the end"):
            self._told_at = now
            self._show("".join(self._pending))
            self._pending.clear()


class TraitWidget(anywidget.AnyWidget):
    """A text in a trait."""

    _esm = _TRAIT_ESM
    text = traitlets.Unicode("").tag(sync=True)


class ByTrait(Batched):
    """A trait that holds the whole text, at 30 Hz."""

    def __init__(self) -> None:
        self._widget = TraitWidget()
        super().__init__(30, self._more)
        display(self._widget)  # type: ignore[no-untyped-call]  # IPython has no types here

    def _more(self, text: str) -> None:
        self._widget.text += text

    def close(self) -> None:
        """Close the widget."""
        self._widget.close()


class ByOutput(Batched):
    """`Output.append_stdout`, at 10 Hz."""

    def __init__(self) -> None:
        self._widget = ipywidgets.Output()
        super().__init__(10, self._widget.append_stdout)
        display(self._widget)  # type: ignore[no-untyped-call]  # IPython has no types here

    def close(self) -> None:
        """Close the widget."""
        self._widget.close()


WAYS: Final[dict[str, Callable[[], Way]]] = {
    "panel": ByPanel,
    "trait": ByTrait,
    "output": ByOutput,
}


def end(part: int) -> str:
    """The last delta of a part, by which the page knows that all of it is painted."""
    return f"the end {part}\n"


def deltas(count: int, part: int) -> Iterator[str]:
    """So many pieces of ten characters."""
    for number in range(1, count):
        yield f"word{number:05}" + ("\n" if number % LINE == 0 else " ")
    yield end(part)


class Play:
    """One way, shown in the cell that makes it; later cells stream and wait."""

    def __init__(self, way: str) -> None:
        self._way = WAYS[way]()
        self._part = 0
        self.began_at = self.ended_at = 0.0
        self.late_s = 0.0

    async def stream(self, count: int) -> None:
        """Stream so many deltas from a thread, as the agent's loop does, while the cell waits."""
        await asyncio.to_thread(self._stream, count)

    def close(self) -> None:
        """Take it away."""
        self._way.close()

    def _stream(self, count: int) -> None:
        self._part += 1
        self.began_at = began = time.time()
        for number, text in enumerate(deltas(count, self._part)):
            wait_s = began + number / RATE_PER_S - time.time()
            if wait_s > 0:
                time.sleep(wait_s)
            self._way.add(text)
        self.ended_at = time.time()
        self.late_s = self.ended_at - began - count / RATE_PER_S
