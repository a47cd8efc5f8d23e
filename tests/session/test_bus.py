"""The border where facts and live text leave the loop."""

from __future__ import annotations

import pytest

from budget_magic.events import (
    AttemptFailed,
    BlockStarted,
    Delta,
    Fact,
    Live,
    NoticePosted,
    Record,
    TurnFinished,
)
from budget_magic.session.bus import Bus
from budget_magic.tools.redactor import Redactor
from tests.planted import ENVIRON, KEY

LABEL = "[secret PLANTED_API_KEY]"


class Told:
    """A sink that keeps what it is told, in order."""

    def __init__(self) -> None:
        self.all: list[Fact | Live] = []

    def record(self, record: Record) -> None:
        """Keep a fact."""
        self.all.append(record.fact)

    def live(self, event: Live) -> None:
        """Keep a piece."""
        self.all.append(event)

    @property
    def texts(self) -> list[tuple[int, str]]:
        """The pieces, each with its block."""
        return [(one.block, one.text) for one in self.all if isinstance(one, Delta)]


def told_by(bus: Bus) -> Told:
    told = Told()
    bus.subscribe(told)
    return told


def begin(block: int, step: int = 1) -> BlockStarted:
    return BlockStarted(turn=1, step=step, block=block, kind="text", name="")


def piece(text: str, block: int = 0) -> Delta:
    return Delta(turn=1, step=1, block=block, kind="text", text=text)


FAILED = AttemptFailed(turn=1, step=1, attempt=1, why="cut off")


@pytest.mark.parametrize("at", range(1, len(KEY)))
def test_a_secret_split_over_two_deltas_never_shows(at: int) -> None:
    bus = Bus("audit", Redactor(ENVIRON))
    told = told_by(bus)
    for event in (begin(0), piece(f"a {KEY[:at]}"), piece(f"{KEY[at:]} b")):
        bus.live(event)

    assert [text for _, text in told.texts] == ["a ", f"{LABEL} b"]


def test_what_is_held_back_comes_when_its_block_is_over_unless_it_was_cut_off() -> None:
    bus = Bus("audit", Redactor(ENVIRON))
    told = told_by(bus)
    for event in (begin(0), piece("a Pl4"), begin(1), piece("b Pl4nt", 1)):
        bus.live(event)
    assert told.texts == [(0, "a "), (0, "Pl4"), (1, "b ")]

    bus.emit(FAILED)

    assert told.texts[-1] == (1, "b ")
    assert told.all[-1] == FAILED


def test_a_note_in_mid_block_lets_nothing_out() -> None:
    bus = Bus("audit", Redactor(ENVIRON))
    told = told_by(bus)
    bus.live(begin(0))
    bus.live(piece(KEY[:9]))
    bus.emit(NoticePosted(turn=1, text="effort low"))
    bus.live(piece(KEY[9:]))

    assert told.texts == [(0, LABEL)]


def test_a_block_that_goes_on_after_its_end_shows_no_more() -> None:
    bus = Bus("audit", Redactor(ENVIRON))
    told = told_by(bus)
    for event in (begin(0), piece(KEY[:9]), begin(1), piece(KEY[9:]), piece("fine", 1)):
        bus.live(event)

    assert told.texts == [(0, KEY[:9]), (1, "fine")]


def test_the_recorded_fact_comes_back_and_its_fixed_words_stay() -> None:
    bus = Bus("audit", Redactor(ENVIRON, [("WORD", "completed")]))
    fact = TurnFinished(
        turn=1, step=1, state="completed", reason="end_turn", detail=f"completed {KEY}",
        text=f"x {KEY}", elapsed_s=1.0,
    )  # fmt: skip

    recorded = bus.emit(fact)

    assert recorded is bus.records[0].fact
    assert (recorded.state, recorded.kind) == ("completed", "turn_finished")
    assert (recorded.detail, recorded.text) == (f"[secret WORD] {LABEL}", f"x {LABEL}")
    assert fact.text == f"x {KEY}"


def test_a_fact_without_a_secret_is_recorded_as_it_is() -> None:
    fact = NoticePosted(turn=1, text="nothing to hide")

    assert Bus("audit", Redactor(ENVIRON)).emit(fact) is fact
