"""Made-up turns: the audit and the halted port of the design, and a builder for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from budget_magic.events import (
    Ceilings,
    Fact,
    MessageAppended,
    Reason,
    Record,
    State,
    StepFinished,
    StepStarted,
    Suggestion,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnSettings,
    TurnStarted,
    Usage,
)
from budget_magic.magics.wording import word
from budget_magic.meter.cost import step_cost_usd
from budget_magic.models import PriceTable
from budget_magic.report.turn_fold import TurnFold, advance
from budget_magic.report.view import view_turn
from budget_magic.report.view_models import LiveState, TurnView

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODEL = "claude-opus-5-5"
SETTINGS = TurnSettings(
    client="anthropic",
    simulated=None,
    model=MODEL,
    effort="high",
    budget=64_000,
    max_tokens=32_000,
    ceilings=Ceilings(cost_usd=5, total_tokens=500_000, steps=50, elapsed_s=600),
    system="",
    tools=("files",),
    root="~/project",
    approve="ask",
    wrap_up=True,
)


@dataclass(slots=True)
class Story:
    """Facts of a task, told one by one."""

    settings: TurnSettings = SETTINGS
    facts: list[Fact] = field(default_factory=list)
    turn: int = 0
    step: int = 0
    used: int = 0
    elapsed_s: float = 0.0
    prompt: int = 0

    def start(
        self, *, resumed: bool = False, inserted: tuple[str, ...] = (), prompt: str = ""
    ) -> Story:
        """A new turn begins, or the last one goes on."""
        if not resumed:
            self.turn, self.step, self.elapsed_s = self.turn + 1, 0, 0.0
        return self.add(
            TurnStarted(
                turn=self.turn,
                settings=self.settings,
                prompt_typed=prompt,
                prompt_sent=prompt,
                inserted=inserted,
                resumed=resumed,
            )
        )

    def add(self, fact: Fact) -> Story:
        """One more fact."""
        self.facts.append(fact)
        return self

    def ask(self, **more: Any) -> Story:
        """A request goes out."""
        self.step += 1
        step = StepStarted(turn=self.turn, step=self.step, effort="high", max_tokens=32_000)
        return self.add(replace(step, **more))

    def reply(  # noqa: PLR0913 - the figures of one step
        self,
        content: Sequence[dict[str, Any]] = (),
        *,
        thinking: int = 0,
        calls: int = 0,
        text: int = 0,
        results: int = 0,
        written: int = 0,
        fresh: int = 6,
        seconds: float = 6.2,
        **more: Any,
    ) -> Story:
        """Its reply, complete and billed; the prompt so far is read from the cache."""
        usage = Usage(
            input_tokens=fresh,
            cache_read_input_tokens=self.prompt,
            cache_creation_input_tokens=written,
            output_tokens=thinking + calls + text,
            thinking_tokens=thinking,
        )
        self.prompt += written
        counted = thinking + calls + text + results
        self.used += counted
        self.elapsed_s += seconds
        budget = self.settings.budget
        reply = StepFinished(
            turn=self.turn,
            step=self.step,
            model=self.settings.model,
            stop_reason="tool_use" if calls else "end_turn",
            usage=usage,
            tool_result_tokens=results,
            call_tokens=calls,
            text_tokens=text,
            budget_tokens=counted,
            remaining=None if budget is None else budget - self.used,
            cost_usd=step_cost_usd(usage, self.settings.model, {}),
            elapsed_s=seconds,
        )
        message = {"role": "assistant", "content": list(content)}
        self.add(MessageAppended(turn=self.turn, step=self.step, message=message))
        return self.add(replace(reply, **more))

    def tool(self, call_id: str, name: str, content: str, **more: Any) -> Story:
        """A call's answer."""
        started = ToolStarted(turn=self.turn, step=self.step, call_id=call_id, name=name, input={})
        answer = ToolFinished(
            turn=self.turn, step=self.step, call_id=call_id, name=name, content=content
        )
        return self.add(started).add(replace(answer, **more))

    def end(  # noqa: PLR0913 - the fields of the fact
        self,
        state: State = "completed",
        reason: Reason = "end_turn",
        detail: str = "completed",
        *,
        text: str = "",
        suggestions: tuple[Suggestion, ...] = (),
        elapsed_s: float | None = None,
    ) -> Story:
        """The turn ends."""
        return self.add(
            TurnFinished(
                turn=self.turn,
                step=self.step,
                state=state,
                reason=reason,
                detail=detail,
                text=text,
                elapsed_s=self.elapsed_s if elapsed_s is None else elapsed_s,
                suggestions=suggestions,
            )
        )

    @property
    def records(self) -> list[Record]:
        """The facts with their stamps."""
        return [
            Record(
                id=f"r{number}",
                task="audit",
                sequence=number,
                at=AT + timedelta(seconds=number),
                fact=fact,
            )
            for number, fact in enumerate(self.facts, start=1)
        ]

    def fold(self, task: str = "audit", prices: Mapping[str, PriceTable] | None = None) -> TurnFold:
        """The fold of all facts."""
        return reduce(advance, self.facts, TurnFold(task=task, prices=prices or {}, word=word))

    def view(
        self, task: str = "audit", *, live: LiveState | None = None, save_transcript: bool = True
    ) -> TurnView:
        """What a reader of the last turn is shown."""
        return view_turn(self.fold(task), live, save_transcript=save_transcript)


def call(call_id: str, name: str, **call_input: Any) -> dict[str, Any]:
    """A `tool_use` block."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": call_input}


def thought(text: str) -> dict[str, Any]:
    """A `thinking` block."""
    return {"type": "thinking", "thinking": text, "signature": "s"}


def said(text: str) -> dict[str, Any]:
    """A `text` block."""
    return {"type": "text", "text": text}


ANSWER = """Four findings, the worst first. I read all of `src/` and the auth tests; deployment \
settings were not in the folder.

1. **Session token compared with `==`** (`src/session.py:88`): timing reveals a valid token. Use \
`hmac.compare_digest`.
2. **SQL built by formatting** (`src/db.py:132`): the report filter reaches `execute` unescaped.
3. **No limit on sign-in attempts** (`src/auth.py:41`).
4. **Debug mode follows an environment variable** (`src/app.py:12`) that defaults to on.
"""
GREP = """src/session.py:88:    if request.headers.get("X-Token") == session.token:
src/auth.py:41:        return hmac.compare_digest(given, stored)
tests/test_auth.py:57:    assert response.status_code == 401  # wrong token"""
MISSING = "FileNotFoundError: src/config.py is not there."


def audit_until_step_8(settings: TurnSettings = SETTINGS, prompt: str = "") -> Story:
    """Seven finished steps of the design's audit."""
    story = Story(settings=settings).start(prompt=prompt)
    story.ask().reply(
        [call("a", "glob", pattern="src/**/*.py"), call("b", "read_file", path="README.md")],
        thinking=1180, calls=164, written=3400, fresh=12,
    )  # fmt: skip
    story.tool("a", "glob", "src/app.py\nsrc/auth.py").tool("b", "read_file", "# Shop\n" * 60)
    paths = ("src/auth.py", "src/session.py", "src/db.py")
    story.ask().reply(
        [call(path, "read_file", path=path) for path in paths],
        thinking=1200, calls=280, results=2907, written=4257, seconds=7.9,
    )  # fmt: skip
    for path in paths:
        story.tool(path, "read_file", "def f():\n    pass\n" * 90)
    story.ask().reply(
        [call("c", "grep", pattern="execute\\(", path="src/")],
        thinking=1100, calls=90, results=5741, written=7300, seconds=9.4,
    )  # fmt: skip
    story.tool("c", "grep", "src/db.py:132: cursor.execute(query % filter)")
    story.ask().reply(
        [call("d", "read_file", path="src/config.py")],
        thinking=990, calls=60, results=2266, written=3475, seconds=5.1,
    )  # fmt: skip
    story.tool("d", "read_file", MISSING, is_error=True)
    story.ask().reply(
        [thought("No config module."), call("e", "read_file", path="tests/test_auth.py")],
        thinking=2500, calls=90, results=64, written=1200, seconds=14.0,
    )  # fmt: skip
    story.tool("e", "read_file", "def test_sign_in():\n    ...\n" * 40)
    story.ask().reply(
        [call("f", "read_file", path="src/templates/render.py")],
        thinking=1980, calls=90, results=3250, written=5900, seconds=11.8,
    )  # fmt: skip
    story.tool("f", "read_file", "TEMPLATE = 'index.html'\n" * 30)
    story.ask().reply(
        [
            thought(
                "The token is compared with == in session.py, so timing leaks. "
                "Before I call it a finding I should see who else reads it."
            ),
            call("g", "grep", pattern="compare_digest|==.*token", path="src/ tests/"),
        ],
        thinking=3120, calls=247, results=5185, written=7335, seconds=18.3,
    )  # fmt: skip
    return story.tool("g", "grep", GREP + "\nsrc/x.py:1: pass" * 28)


def audit(settings: TurnSettings = SETTINGS, prompt: str = "") -> Story:
    """The design's audit, completed: eight steps, nine calls."""
    story = audit_until_step_8(settings, prompt).ask()
    story.reply([said(ANSWER)], thinking=1474, text=2078, results=2494, written=5313, seconds=22.0)
    return story.end(text=ANSWER, elapsed_s=95.4)


RESUME = Suggestion(action="resume", task="audit")
PORT_COMMAND = "%claude_resume port --max-cost 15"
PORT_DETAIL = "stopped at $9.88 of $10.00 in step 42: the next step could have cost up to $0.88"


def port() -> Story:
    """The design's halted port: forty-two steps."""
    ceilings = Ceilings(cost_usd=10, total_tokens=1_000_000, steps=50, elapsed_s=1800)
    settings = replace(SETTINGS, budget=800_000, ceilings=ceilings, effort="high")
    story = Story(settings=settings).start()
    for number in range(1, 42):
        story.ask().reply(
            [call(f"p{number}", "edit_file", path=f"billing/part_{number}.py")],
            thinking=4466, calls=274, results=10_684, written=15_669, seconds=14.2,
        )  # fmt: skip
        story.tool(f"p{number}", "edit_file", "done", is_error=number == 40)
    story.ask().reply(
        [call("last", "edit_file", path="billing/rounding.py")],
        thinking=3000, calls=186, written=3000, seconds=15.4,
    )  # fmt: skip
    story.tool("last", "edit_file", "not run: cost ceiling", ran=False)
    raised = Suggestion(action="resume", task="port", changes={"max_cost": "15"})
    return story.end("halted", "cost_ceiling", PORT_DETAIL, suggestions=(raised,), elapsed_s=583.0)
