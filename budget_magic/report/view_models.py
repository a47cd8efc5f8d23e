"""The view of a turn: everything that a reader sees, as values.

Texts are cleaned and formatted; raw figures stand beside them for drawing. Shares run from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from budget_magic.meter import Kinds
from budget_magic.report.numbers import percent
from budget_magic.report.text import one_line

TITLE_CHARS: Final = 96
CUT_OFF: Final = "cut off here"
"""Follows the text of a reply that did not end."""
StateName = Literal[
    "starting", "running", "retrying", "waiting", "wrapping_up", "stopping",
    "completed", "halted", "interrupted", "failed",
]  # fmt: skip
CeilingKind = Literal["cost", "tokens", "steps", "time"]
CeilingLevel = Literal["", "near", "reached"]
CeilingWord = Literal["", "nearest", "near", "reached", "halted here"]
KindName = Literal["thinking", "calls", "results", "text"]
RowKind = Literal["cache_read", "cache_write", "fresh", "output", "search"]
MarkKind = Literal[
    "error", "approved", "denied", "not_run", "last_answer", "summary", "retried", "cut",
    "streaming", "waiting", "running",
]  # fmt: skip


def listed(*parts: str) -> str:
    """Return the parts that are not empty, separated by commas."""
    return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """What streams right now."""

    step: int
    doing: str
    """`starting`, `thinking`, `writing`, a tool's name, `waiting for approval`, `retrying` or
    `stopping`."""
    elapsed_s: float
    """Running time of the turn, without waiting."""
    step_elapsed_s: float = 0.0
    has_begun: bool = False
    streaming: Kinds = field(default_factory=Kinds)
    """Estimated tokens of what has streamed, and of the results in the step's prompt."""
    estimated_usd: Decimal | None = None
    retry_in_s: float | None = None
    """Seconds until the next try; None shows the recorded pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """The state of the turn."""

    name: StateName
    word: str
    glyph: str
    ascii: str
    """The word for terminals without UTF-8, such as `RUN`."""
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """How a turn ended and the command that continues it."""

    sentence: str
    lead: str = ""
    """Introduces the command: "Go on with"; empty without one, or if `after` explains it."""
    command: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindView:
    """One kind of budget tokens."""

    kind: KindName
    label: str
    glyph: str
    ascii: str
    tokens: int
    """Counted tokens, including those that stream now."""
    text: str
    """`tokens`, marked if it is an estimate or a lower bound."""
    share: float
    """Share of the bar, without tokens that stream now."""
    live_tokens: int = 0
    live_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeView:
    """The task's budget over all turns: what is left and what was used for what."""

    budget: int | None
    used: int
    remaining: int | None
    number: str
    caption: str
    """What the number is: "tokens left of 64,000"."""
    used_text: str
    over: bool
    kinds: tuple[KindView, ...]
    limit_share: float | None
    """Where on the bar the budget ends; None unless it was overrun."""
    began_share: float | None
    limit_text: str
    began_text: str
    turn_line: str
    """What this turn alone used; empty in a task's first turn."""

    @property
    def line(self) -> str:
        """What follows the number."""
        return listed(self.caption, self.used_text)

    @property
    def sum_line(self) -> str:
        """The sum of the kinds: "together 38,550 tokens counted, 60 % used"."""
        return listed(f"together {self.used:,} tokens counted", self.used_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceView:
    """How fast the budget is used."""

    left: tuple[int, ...]
    """Tokens left before the turn's first step and after each step; empty without a budget."""
    shares: tuple[float, ...]
    more: int | None
    """About how many more steps fit at this pace; None after the turn or without a budget."""
    text: str
    """"4,820 a step, about 6 more"; empty before the first step."""

    @property
    def line(self) -> str:
        """`text` with its unit."""
        return self.text.replace(" a step", " tokens a step")


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingView:
    """One ceiling: spent, held and how near."""

    kind: CeilingKind
    spent: str
    held: str
    """What counts beside `spent`: "$0.64 held", or "$0.01 unconfirmed"; may be empty."""
    ceiling: str
    """Empty if there is none."""
    share: float
    held_share: float
    left: str = ""
    """What may still be spent; empty if there is no ceiling."""
    level: CeilingLevel = ""
    nearest: bool = False
    word: CeilingWord = ""

    @property
    def of(self) -> str:
        """What follows `spent`."""
        return f"of {self.ceiling}" if self.ceiling else "no ceiling"

    @property
    def phrase(self) -> str:
        """What follows `spent`: "of 12 steps", "of $5.00, near"."""
        unit = self.kind if self.ceiling and self.kind in {"tokens", "steps"} else ""
        word = "" if self.word == "nearest" else self.word
        return listed(f"{self.of} {unit}".strip(), word)

    @property
    def line(self) -> str:
        """All of it: "steps 6 of 12 (50 %), nearest"."""
        share = f" ({percent(self.share)})" if self.ceiling else ""
        return listed(f"{self.kind} {self.spent} {self.of}{share}", self.held, self.word)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputView:
    """Prompt tokens of the task, by where they came from."""

    cached: str
    new: str
    percent: str
    """"76 % from the cache"."""
    share: float

    @property
    def line(self) -> str:
        """Both parts."""
        return f"{self.cached} cached, {self.new} new"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One line of the bill."""

    kind: RowKind
    label: str
    tokens: str
    price: str
    """USD per million tokens."""
    cost: str
    """Empty if the prices are not known here."""
    token_share: float
    cost_share: float

    @property
    def line(self) -> str:
        """All of it: "input, cache read: 122,310 tokens at $0.20 per M, $0.0245"."""
        unit = "" if self.kind == "search" else " tokens"
        price = f" at {self.price}{' per M' if unit else ''}" if self.price else ""
        return listed(f"{self.label}: {self.tokens}{unit}{price}", self.cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetersView:
    """The two meters: counted against the budget, and billed."""

    counted: str
    billed: str
    cost: str
    counted_share: float
    rows: tuple[BillRow, ...]
    total: str
    source: str
    """Where the prices come from, and their date."""
    scope: str
    """`whole task`; empty if that is only this turn."""

    @property
    def line(self) -> str:
        """The two meters in one line."""
        head = listed("Two meters", self.scope)
        return f"{head}: {self.counted} tokens counted, {self.billed} billed, {self.cost}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkView:
    """A mark on a step's row."""

    kind: MarkKind
    text: str
    glyph: str = ""

    @property
    def line(self) -> str:
        """The text with its glyph."""
        return f"{self.glyph} {self.text}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class TitlePart:
    """Adjacent calls of one tool in a step's title, or only words."""

    name: str = ""
    times: int = 1
    detail: str = ""

    @property
    def line(self) -> str:
        """The part on one line."""
        times = f"\N{MULTIPLICATION SIGN}{self.times}" if self.times > 1 else ""
        return " ".join(filter(None, (self.name, times, self.detail)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """One block of a step: what Claude thought, wrote or called, or what a tool returned."""

    kind: Literal["thinking", "text", "call", "result"]
    name: str = ""
    call_id: str = ""
    index: int | None = None
    text: str
    """The whole text, cleaned; a call as `name(key="value")`."""
    is_error: bool = False
    tokens: int | None = None
    """Measured size; None if it is not known for this block alone."""
    label: str
    """`thinking`, `text`, `call`, "result, 2,266 tokens", "✕ error, 64 tokens"."""
    cut: str = ""
    """What is not in `text`: "1,024 bytes left out before it was sent"."""
    cut_off: bool = False
    """Whether the request ended here: `CUT_OFF` follows the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step: its row and its blocks."""

    number: int
    state: Literal["done", "live", "cut"]
    """`cut`: the reply never ended."""
    parts: tuple[TitlePart, ...]
    marks: tuple[MarkView, ...]
    tokens: Kinds = field(default_factory=Kinds)
    """Its own, and those of the results of its calls."""
    streaming: Kinds = field(default_factory=Kinds)
    """Estimated tokens that stream now, and of results that are not measured yet."""
    counted: str
    counted_tokens: int
    cost: str
    cost_usd: Decimal | None = None
    """None if it is unknown or not booked yet."""
    time: str = ""
    blocks: tuple[BlockView, ...] = ()
    why: str = ""
    """What the tokens and the cost consist of."""
    notable: bool = False
    """Whether it has an error or a person's decision: saved output keeps its blocks."""

    @property
    def title(self) -> str:
        """The parts on one line: "read_file a.py and grep x"."""
        words = [part.line for part in self.parts]
        joined = " and ".join(words) if len(words) < 3 else ", ".join(words)  # noqa: PLR2004 - three make a list
        return one_line(joined, TITLE_CHARS)

    @property
    def figures(self) -> str:
        """What the step counted, cost and took."""
        return listed(f"{self.counted} tokens" if self.counted else "", self.cost, self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """One field of a call's input, whole and exact: see `exact`."""

    name: str
    value: str
    size: str = ""
    """"12,400 characters"; empty for a short value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """A call that waits for a person."""

    call_id: str
    name: str
    sentence: str
    """"Claude wants to run edit_file. It changes a file, so it asks."."""
    fields: tuple[InputField, ...]
    place: str
    """"1 of 2 waiting"; empty if it is the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnView:
    """One turn as a reader sees it."""

    task: str
    turn: int
    model: str
    effort: str
    """"effort high"; empty if the model has none."""
    state: StateView
    now: str
    """Such as "step 8, writing"; after the end "8 steps, 1:35"."""
    verdict: VerdictView | None
    """None while the turn runs, and if it completed."""
    simulated: str
    """Why and how Claude is simulated, in full sentences; empty if it is not."""
    prompt: str
    """As it was typed, whole, cleaned; it may be very long."""
    notes: tuple[str, ...]
    gauge: GaugeView
    pace: PaceView
    ceilings: tuple[CeilingView, ...]
    """Cost, tokens, steps, time, in this order."""
    input: InputView
    meters: MetersView
    answer: str
    """Markdown, cleaned; empty while the turn runs."""
    answer_cut_off: bool
    """Whether its last reply did not end: `CUT_OFF` follows it."""
    steps: tuple[StepView, ...]
    steps_text: str
    scope: str
    """What Claude could see: "files below ~/project; filled in: frame"; may be empty."""
    approvals: tuple[ApprovalView, ...]
    unconfirmed: str
    """What cut-off requests may have cost; empty if there is none or the verdict says it."""
    transcript: str
    save_transcript: bool
    """False: saved output keeps only figures, prompt and answer; the live panel shows all."""

    @property
    def heading(self) -> str:
        """The task, the turn, the model, the effort, and whether Claude is simulated."""
        simulated = "simulated" if self.simulated else ""
        return listed(f"{self.task} turn {self.turn}", self.model, self.effort, simulated)

    @property
    def main_ceilings(self) -> tuple[CeilingView, ...]:
        """Cost, and the nearest ceiling if that is another one."""
        return tuple(row for row in self.ceilings if row.kind == "cost" or row.nearest)

    @property
    def note_lines(self) -> tuple[str, ...]:
        """What a reader should know first, except the verdict."""
        return tuple(filter(None, (*self.notes, self.unconfirmed, self.simulated)))

    @property
    def first_lines(self) -> bool:
        """Whether there is anything between the figures and the prompt."""
        return self.verdict is not None or bool(self.note_lines)

    @property
    def transcript_line(self) -> str:
        """How much was done, and what Claude could see."""
        return "; ".join(filter(None, (self.steps_text, self.scope)))
