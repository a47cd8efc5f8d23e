"""The live panel: an anywidget that receives a turn in small messages, and its buttons."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from budget_magic.report.live_turn import LiveTurn
from budget_magic.report.text import cut_text
from budget_magic.report.turn_fold import TurnFold
from budget_magic.widgets.controls import Controls, Offers, offers_json
from budget_magic.widgets.panel_sync import Message, PanelSync
from budget_magic.widgets.requests import Requests
from budget_magic.widgets.serialize import current_step

logger = logging.getLogger("budget_magic")

WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"
STATIC: Final = Path(__file__).parent / "static"
TEXT_S: Final = 0.08
"""Most time between messages while text streams."""
LEAST_S: Final = 0.02
"""Least time between messages."""
PAUSE_S: Final = 0.008
"""A pause of the stream after which its text is sent at once."""
GAUGE_S: Final = 0.2
"""Least time between views while text streams."""
IDLE_S: Final = 1.0
"""Most time between views while a turn runs, so that its clocks move."""
WHOLE_LINES: Final = 200
WHOLE_CHARS: Final = 100_000
CLOSE_S: Final = 5.0


class PanelWidget(anywidget.AnyWidget):
    """The widget; `snapshot` and `saved` are computed when they are sent, never before."""

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    snapshot = traitlets.Dict().tag(sync=True)
    """The turn for a page that loads now, or missed a message."""
    saved = traitlets.Dict().tag(sync=True)
    """The report for the notebook's file, for a page that loads now."""

    def __init__(
        self, snapshot: Callable[[], dict[str, Any]], saved: Callable[[str], dict[str, Any]]
    ) -> None:
        # It has no id before it is open, and then its output stands in the page.
        self._computed: dict[str, Callable[[], dict[str, Any]]] = {
            "snapshot": snapshot,
            "saved": lambda: saved(self.model_id) if self.comm else {},
        }
        super().__init__()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - the signature of ipywidgets
        """Return the state for a page that loads now: what was sent so far."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        asked = self._computed if key is None else {key} if isinstance(key, str) else key
        return state | {name: make() for name, make in self._computed.items() if name in asked}


class Panel:
    """Shows one turn while it runs; created on the thread that runs the cell.

    Parameters
    ----------
    turn
        What happens.
    controls
        What the buttons do.
    report
        Returns the static report as it is now, by MIME type, for the notebook's file.
    cell_id
        Id of the notebook's cell; empty if it has none.
    redact
        Returns a copy of a message without secrets.
    """

    def __init__(
        self,
        turn: LiveTurn,
        controls: Controls,
        report: Callable[[], Mapping[str, object]] = dict,
        cell_id: str = "",
        redact: Callable[[Any], Any] = lambda message: message,
    ) -> None:
        self._turn, self._controls, self._redact = turn, controls, redact
        self._report, self._cell_id = report, cell_id
        self._sync = PanelSync()
        self._requests = Requests(controls)
        self._closed = threading.Event()
        self._fold_shown: TurnFold | None = None
        self._shown: tuple[int, tuple[str, ...]] = 0, ()
        """Steps and waiting calls of the last view."""
        self._saved_as: tuple[int, tuple[str, ...]] | None = None
        """The same of the last report that was sent for the file."""
        self._looks_again = self._no_events = self._ended = False
        self._viewed_at = 0.0
        self._logged: set[str] = set()
        try:
            self._look()  # the view begins with the first state
        except Exception as error:  # noqa: BLE001 - a view must not break a run
            self._log("the panel", error)
        self.widget = PanelWidget(lambda: redact(self._sync.snapshot()), self._saved)
        self.widget.on_msg(self._heard)
        self._thread = threading.Thread(target=self._run, name="budget_magic panel", daemon=True)
        self._thread.start()
        self._look_again()

    @property
    def said_hello(self) -> threading.Event:
        """Set when a view in a browser says hello, so that events arrive while the cell runs."""
        return self._requests.hello

    @property
    def is_saved_by_page(self) -> bool:
        """Whether a page keeps the report in the notebook's file."""
        return self._requests.saves.is_set()

    def say_no_events(self) -> None:
        """Show that the buttons do not work, unless a view says hello."""
        self._no_events = True
        self._look_again()

    def mime_bundle(self) -> dict[str, Any]:
        """Return the widget by its MIME type, for one bundle with the saved form."""
        reference = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {WIDGET_MIME: reference}

    def finish(self) -> None:
        """Send the rest and stop; a reloaded page still finds the widget."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._turn.news.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    def close(self) -> None:
        """Finish, and remove the widget with its view."""
        self.finish()
        self.widget.close()

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:
        # On the kernel's thread, while a cell runs: nothing may be printed or raised here.
        try:
            self._requests.take(content)
        except Exception as error:  # noqa: BLE001 - an error here would reach nobody
            self._log("a button", error)
        self._look_again()

    def _look_again(self) -> None:
        self._looks_again = True
        self._turn.news.set()

    def _run(self) -> None:
        timeout: float | None = None
        sent_at = 0.0
        while not self._closed.is_set():
            if self._turn.news.wait(timeout):
                self._let_text_gather(sent_at)
            timeout = self._beat(last=False)
            sent_at = time.monotonic()
        self._beat(last=True)
        if self.is_saved_by_page:
            self._tell_saved()

    def _let_text_gather(self, sent_at: float) -> None:
        """Wait for more text, so that messages are few; end with its first pause."""
        news = self._turn.news
        while not self._closed.is_set():
            news.clear()
            since_s = time.monotonic() - sent_at
            if since_s >= TEXT_S:
                return
            if not news.wait(PAUSE_S) and since_s >= LEAST_S:
                return

    def _beat(self, *, last: bool) -> float | None:
        """Send what is new; return seconds until the next view, None to wait for the next event."""
        try:
            self._answer()
            has_changed = self._looks_again or self._turn.fold is not self._fold_shown
            due_s = self._viewed_at + GAUGE_S - time.monotonic()
            if due_s > 0 and not (has_changed or last):
                self._send(self._sync.text_beat(self._turn.look().blocks))
                return due_s
            before, _ = self._shown
            self._send(self._look())
            # The final report is sent once, after the display has it.
            if self.is_saved_by_page and not self._ended and self._saved_as != self._shown:
                self._saved_as = self._shown
                self._tell_saved()
            if self._shown[0] > before and not self.said_hello.is_set():
                # A browser that cannot ask for a snapshot may have missed something.
                self.widget.send_state("snapshot")
        except Exception as error:  # noqa: BLE001 - a view must not break a run
            self._log("the panel", error)
        return None if self._ended else IDLE_S

    def _look(self) -> Message:
        self._looks_again = False
        look = self._turn.look()
        view = look.view()
        self._fold_shown, self._ended = look.fold, view.state.ended
        self._shown = look.fold.reading.total.steps, tuple(look.fold.facts.waiting)
        extra = {
            "offers": offers_json(
                Offers() if self._ended else self._controls.offers(), current_step(view)
            ),
            "no_events": self._no_events and not self.said_hello.is_set(),
        }
        message = self._sync.beat(view, look.blocks, extra)
        self._viewed_at = time.monotonic()
        return message

    def _saved(self, panel: str) -> dict[str, Any]:
        """Return the report, and where it belongs; nothing once a page has its final form."""
        if self._requests.kept.is_set():
            return {}
        bundle = dict(self._report())
        return {"panel": panel, "cell": self._cell_id, "ended": self._ended, "bundle": bundle}

    def _tell_saved(self) -> None:
        try:
            # The report is redacted already.
            self.widget.send({"saved": self._saved(self.widget.model_id)})
        except Exception as error:  # noqa: BLE001 - a view must not break a run
            self._log("the report for the notebook's file", error)

    def _answer(self) -> None:
        """Send what the browser asked for."""
        known, wholes, steps = self._requests.asked()
        if any(revision != self._sync.revision for revision in known):
            self.widget.send_state("snapshot")
        for number in steps:
            self._send(self._sync.step_again(number))
        for part, call_id in wholes:
            text = self._sync.whole(part, call_id)
            cut = cut_text(text, lines=WHOLE_LINES, chars=WHOLE_CHARS)
            name = f"call {call_id}" if part == "call" else call_id
            self._send({"w": [name, cut.text, cut.note]})

    def _send(self, message: Mapping[str, Any]) -> None:
        if message:
            self.widget.send(self._redact(dict(message)))

    def _log(self, what: str, error: Exception) -> None:
        # The message may hold what was shown; it must not reach the log.
        name = type(error).__name__
        if name not in self._logged:
            self._logged.add(name)
            logger.warning("%s failed with %s; the task goes on", what, name)
