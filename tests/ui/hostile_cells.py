"""What the cells of the hostile notebooks call: a live panel, and saved outputs."""

from __future__ import annotations

from collections.abc import Iterator

from IPython.display import display

from budget_magic.report.bundle import bundle
from tests.report.payloads import ALL
from tests.report.records import Story
from tests.report.test_static_html import hostile_turn
from tests.widgets.hostile_panel import tell_all
from tests.widgets.panels import Show

PARTS = 4
FORMULA = {"text/latex": "$x$"}


def payloads(part: int) -> tuple[str, ...]:
    """One share of all texts."""
    return ALL[part::PARTS]


def show_formula() -> None:
    """Something that is typeset: by then everything else would be, too."""
    display(FORMULA, raw=True)  # type: ignore[no-untyped-call]  # IPython has no types here


def open_panel() -> Show:
    """A live panel without anything in it."""
    show = Show(Story().start())
    display(show.panel.mime_bundle(), raw=True)  # type: ignore[no-untyped-call]  # IPython has no types here
    return show


def fill_panel(show: Show, part: int) -> None:
    """Tell it of every text, and wait until all of it is sent."""
    tell_all(show, payloads(part))
    show.panel.finish()


def saved_outputs() -> Iterator[dict[str, object]]:
    """The output of a turn for each text."""
    for payload in ALL:
        yield bundle(hostile_turn(payload), {})


def show_saved(*mimes: str) -> None:
    """Display those forms of the outputs, from a cell that was run, so that they are trusted."""
    for data in saved_outputs():
        shown = {mime: data[mime] for mime in mimes}
        display(shown, raw=True)  # type: ignore[no-untyped-call]  # IPython has no types here
