"""The live panel: an anywidget that is told of a turn in small messages, and its buttons."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from budget_magic.events import Live, Record, RetryScheduled, StepFinished, StepStarted
from budget_magic.report.text import clean_text, cut_text
from budget_magic.report.view_models import TurnView
from budget_magic.widgets.controls import Controls, Offers, offers_json
from budget_magic.widgets.panel_sync import Message, PanelSync
from budget_magic.widgets.requests import Requests

logger = logging.getLogger("budget_magic")

WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"
STATIC: Final = Path(__file__).parent / "static"
TEXT_S: Final = 0.045
"""Shortest time between two messages."""
GAUGE_S: Final = 0.1
"""Shortest time between two views while text streams."""
IDLE_S: Final = 1.0
"""How often clocks are looked at while nothing happens."""
VIEW_SHARE: Final = 8
"""A view that takes long is made again only after so many times its own duration."""
WHOLE_LINES: Final = 200
WHOLE_CHARS: Final = 100_000
CLOSE_S: Final = 5.0


class PanelWidget(anywidget.AnyWidget):
    """The widget; `snapshot` is made at the moment it is sent, never before."""

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, made: Callable[[], dict[str, Any]]) -> None:
        self._made = made
        super().__init__()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - the signature of ipywidgets
        """Return the state for a page that loads now: what was told so far."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None or key == "snapshot" or (not isinstance(key, str) and "snapshot" in key):
            state["snapshot"] = self._made()
        return state


class Panel:
    """Shows one turn while it runs. To be made on the thread that runs the cell.

    Parameters
    ----------
    view
        The view at this moment, from any thread; with False without the texts that stream.
    controls
        What the buttons do.
    whole
        The whole text of a call's result, by the call's id.
    """

    def __init__(
        self,
        *,
        view: Callable[[bool], TurnView],
        controls: Controls,
        whole: Callable[[str], str | None],
    ) -> None:
        self._view, self._controls, self._whole = view, controls, whole
        self._sync = PanelSync()
        self._requests = Requests(controls)
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._structure = True
        self._step_ended = False
        self._no_events = False
        self._ended = False
        self._viewed_at = self._view_took_s = 0.0
        self._complained: set[str] = set()
        self._try_look()
        self.widget = PanelWidget(self._sync.snapshot)
        self.widget.on_msg(self._heard)
        self._thread = threading.Thread(target=self._run, name="budget_magic panel", daemon=True)
        self._thread.start()
        self._wake.set()

    @property
    def said_hello(self) -> threading.Event:
        """Set as soon as a browser's view has said hello: events arrive while the cell runs."""
        return self._requests.hello

    def record(self, record: Record) -> None:
        """Take one fact."""
        fact = record.fact
        if isinstance(fact, RetryScheduled | StepStarted):
            self._sync.forget(fact.step)
        elif isinstance(fact, StepFinished):
            self._step_ended = True
        self._structure = True
        self._wake.set()

    def live(self, event: Live) -> None:
        """Take a piece of what streams."""
        self._sync.live(event)
        if not self._wake.is_set():
            self._wake.set()

    def say_no_events(self) -> None:
        """Say that the buttons do not work here, as long as no view has said hello."""
        self._no_events = True
        self._look_again()

    def mime_bundle(self) -> dict[str, Any]:
        """Return the widget by its MIME type, to stand beside the saved form in one bundle."""
        reference = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {WIDGET_MIME: reference}

    def finish(self) -> None:
        """Tell the rest and stop looking; a page that is loaded again still finds the widget."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    def close(self) -> None:
        """Finish, and take the widget away; its view goes with it."""
        self.finish()
        self.widget.close()

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:
        # On the kernel's thread, in the middle of a cell: nothing may be printed or raised here.
        try:
            self._requests.take(content)
        except Exception as error:  # noqa: BLE001 - an error here would reach nobody
            self._complain("a button", error)
        self._look_again()

    def _look_again(self) -> None:
        self._structure = True
        self._wake.set()

    def _run(self) -> None:
        timeout: float | None = None
        while not self._closed.is_set():
            self._wake.wait(timeout)
            self._wake.clear()
            timeout = self._beat(last=False)
            self._closed.wait(TEXT_S)
        self._beat(last=True)

    def _beat(self, *, last: bool) -> float | None:
        """Tell what is new. Gives seconds until the next look; None where only news matter."""
        try:
            self._answer()
            now = time.monotonic()
            due_s = self._viewed_at + max(GAUGE_S, VIEW_SHARE * self._view_took_s) - now
            if self._structure:
                due_s = self._viewed_at + VIEW_SHARE * self._view_took_s - now
            if not last and due_s > 0:
                self._send(self._sync.text_beat())
                return due_s
            ended, self._step_ended = self._step_ended, False
            self._send(self._look())
            if ended and not self.said_hello.is_set():
                # A view that cannot ask is told all now and then, should it have missed something.
                self.widget.send_state("snapshot")
        except Exception as error:  # noqa: BLE001 - a view must not break a run
            self._complain("the panel", error)
        return None if self._ended else IDLE_S

    def _try_look(self) -> None:
        """The first state, so that the view begins with it."""
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - a view must not break a run
            self._complain("the panel", error)

    def _look(self) -> Message:
        every_step, self._structure = self._structure, False
        began = time.monotonic()
        view = self._view(False)  # noqa: FBT003 - the seam is positional
        self._ended = view.state.ended
        extra = {
            "offers": offers_json(self._offers()),
            "no_events": self._no_events and not self.said_hello.is_set(),
        }
        message = self._sync.beat(view, extra, every_step=every_step)
        self._viewed_at = time.monotonic()
        self._view_took_s = self._viewed_at - began
        return message

    def _offers(self) -> Offers:
        return Offers() if self._ended else self._controls.offers()

    def _answer(self) -> None:
        """What the browser asked to be told."""
        known, wholes, steps = self._requests.asked()
        if any(revision != self._sync.revision for revision in known):
            self.widget.send_state("snapshot")
        for number in steps:
            self._send(self._sync.step_again(number))
        for part, call_id in wholes:
            is_call = part == "call"
            text = self._sync.whole_call(call_id) if is_call else self._whole(call_id)
            cut = cut_text(clean_text(text or ""), lines=WHOLE_LINES, chars=WHOLE_CHARS)
            self._send({"w": [f"call {call_id}" if is_call else call_id, cut.text, cut.note]})

    def _send(self, message: Mapping[str, Any]) -> None:
        if message:
            self.widget.send(dict(message))

    def _complain(self, what: str, error: Exception) -> None:
        # The message may hold what was shown; it must not reach the log.
        name = type(error).__name__
        if name not in self._complained:
            self._complained.add(name)
            logger.warning("%s failed with %s; the task goes on", what, name)
