"""Describe a turn in words: its state, what happens now, how it ended, what it may still cost."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from budget_magic.errors import join_clauses
from budget_magic.events import HeldReleased, Suggestion, Word
from budget_magic.meter import Reading
from budget_magic.meter.reading import Held
from budget_magic.report.numbers import clock, compact, dollars, plural
from budget_magic.report.text import one_line
from budget_magic.report.turn_facts import TurnFacts
from budget_magic.report.view_models import (
    LiveState,
    StateName,
    StateView,
    VerdictView,
)

_STATES: Final[dict[StateName, tuple[str, str, str]]] = {
    "starting": ("Starting", "▶", "RUN"),
    "running": ("Running", "▶", "RUN"),
    "retrying": ("Retrying", "▶", "RUN"),
    "waiting": ("Waiting for you", "?", "ASK"),
    "wrapping_up": ("Wrapping up", "◔", "LAST"),
    "stopping": ("Stopping", "▶", "RUN"),
    "completed": ("Completed", "✓", "OK"),
    "halted": ("Halted", "‖", "HALT"),
    "interrupted": ("Stopped", "⊖", "STOP"),
    "failed": ("Failed", "✕", "FAIL"),
}
DETAIL_CHARS: Final = 2_000
"""An ending's detail may hold a whole error page."""
CLAUSE_CHARS: Final = 400
SCOPE_CHARS: Final = 200
_COMMAND: Final = re.compile(r"`([^`]+)`")
CENT: Final = Decimal("0.01")
SIMULATED: Final = (
    "A script answers instead of Claude, and nothing is billed; the simulator counts the tokens "
    "and prices them as the model's."
)


def state_view(facts: TurnFacts, live: LiveState | None) -> StateView:
    """Return the state of the turn; while it runs, what it waits for."""
    name = _state_name(facts, live)
    word, glyph, ascii_word = _STATES[name]
    ended = facts.finished is not None
    return StateView(name=name, word=word, glyph=glyph, ascii=ascii_word, ended=ended)


def _state_name(facts: TurnFacts, live: LiveState | None) -> StateName:
    if facts.finished is not None:
        return facts.finished.state
    doing = live.doing if live else ""
    if doing in {"starting", "stopping"}:
        return "starting" if doing == "starting" else "stopping"
    if facts.open_approvals or doing == "waiting for approval":
        return "waiting"
    step = facts.live_step
    if doing == "retrying" or (live is None and step is not None and step.retry is not None):
        return "retrying"
    if step is not None and step.started is not None and step.started.last_answer:
        return "wrapping_up"
    return "running"


def now(  # noqa: PLR0911 - one for each state
    facts: TurnFacts, reading: Reading, live: LiveState | None
) -> str:
    """Return what happens now; after the end, how many steps it took and how long."""
    if facts.finished is not None:
        steps = plural(reading.this_turn.steps, "step")
        return f"{steps}, {clock(facts.finished.elapsed_s)}"
    name = _state_name(facts, live)
    number = live.step if live else (facts.steps[-1].number if facts.steps else 1)
    if name == "starting":
        return "loading the SDK"
    if name == "stopping":
        return f"cancelling step {number}"
    if name == "waiting":
        return f"step {number}, clock paused"
    if facts.waiting_for_room is not None:
        account = one_line(facts.waiting_for_room.account, 60)
        return f"step {number}, waiting for room under {account}; the clock is paused"
    if name == "retrying":
        return f"step {number}, {_retry_text(facts, live)}"
    if name == "wrapping_up":
        return f"step {number}, last answer"
    return f"step {number}, {one_line(live.doing, 60) if live else 'working'}"


def _retry_text(facts: TurnFacts, live: LiveState | None) -> str:
    retry = facts.live_step.retry if facts.live_step else None
    if retry is None:
        return "trying again"
    left = retry.wait_s if live is None or live.retry_in_s is None else live.retry_in_s
    why = one_line(retry.why, 120)
    return f"try {retry.attempt} of {retry.attempts} in {max(0, round(left))} s: {why}"


def verdict_view(facts: TurnFacts, word: Word) -> VerdictView | None:
    """Return how the turn ended; None while it runs, and if it completed without advice."""
    ended = facts.finished
    if ended is None:
        return None
    detail = ended.detail
    if ended.state == "completed" and not ended.suggestions:
        detail = advice_of(detail)
        if not detail or unattended_text(facts):  # then that says it
            return None
    suggestions = [
        one for one in ended.suggestions if not (one.action == "release" and facts.released)
    ]
    clauses = [one_line(word(suggestion), CLAUSE_CHARS) for suggestion in suggestions]
    commands = [
        command
        for suggestion, clause in zip(suggestions, clauses, strict=True)
        if suggestion.action == "resume"
        for command in _COMMAND.findall(clause)
    ]
    detail = join_clauses(one_line(detail, DETAIL_CHARS), clauses)
    return split_verdict(detail, commands[-1] if commands else "")


def advice_of(detail: str) -> str:
    """Return what the detail of a completed turn says after its figures; often nothing.

    >>> advice_of("1 step, 0 tool calls, $0.50; the budget looks too small")
    'the budget looks too small'
    """
    return detail.partition("; ")[2]


def split_verdict(detail: str, command: str) -> VerdictView:
    """Split the detail of an ending into sentence and command.

    >>> split_verdict("halted at step 2: full; go on with `task.resume()`", "task.resume()")
    VerdictView(sentence='Halted at step 2: full.', lead='Go on with', command='task.resume()', \
after='')
    """
    if not command:
        return VerdictView(sentence=_sentence(detail))
    before, _, after = detail.partition(f"`{command}`")
    after = after.strip(" .;")
    place = max(before.rfind("; "), before.rfind(". "))
    lead = before[place + 2 :] if place >= 0 else before
    sentence = before[:place] if place >= 0 else ""
    return VerdictView(
        sentence=_sentence(sentence),
        lead=_capital(lead.strip().rstrip(":,")) or ("" if after else "Go on with"),
        command=command,
        after=_closed(after),
    )


def unattended_text(facts: TurnFacts) -> str:
    """Return how many calls were denied because no user was attached, and the way out."""
    unasked = [
        given
        for step in facts.steps
        for given in step.given.values()
        if given.decision == "denied" and given.by == "nobody"
    ]
    if not unasked:
        return ""
    names = ", ".join(dict.fromkeys(one_line(given.name, 40) for given in unasked))
    denied = plural(len(unasked), "call was denied", "calls were denied")
    # The approver has said the way out in the host's words; it differs for calls with secrets.
    ways_out = dict.fromkeys(given.reason.partition("; ")[2] for given in unasked)
    return join_clauses(f"No user is attached to approve {names}: {denied}", filter(None, ways_out))


def simulated_text(facts: TurnFacts) -> str:
    """Return why and how Claude is simulated; empty if it is not."""
    why = facts.settings.simulated if facts.settings else None
    return "" if why is None else f"Simulated: {one_line(why, 200)}. {SIMULATED}"


def unfinished_text(facts: TurnFacts) -> str:
    """Return what a report of a running turn leaves out; empty once the turn has ended."""
    if facts.finished is not None:
        return ""
    done = [step.number for step in facts.steps if step.finished is not None]
    until = f"at the end of step {done[-1]}" if done else "when the turn began"
    told = f"As it was {until}; what came later is not in this report."
    if facts.waiting:
        told += (
            " A call waits for approval: where no buttons are shown, interrupt the kernel and run"
            " the cell again to be asked anew."
        )
    return told


def unconfirmed_text(
    task: str, facts: TurnFacts, reading: Reading, verdict: VerdictView | None, word: Word
) -> str:
    """Return what requests of unknown cost may have cost, unless the verdict says so already."""
    held = dict(reading.held_by_turn).get(reading.turn, Held())
    earlier = reading.held.usd - held.usd
    unsure = reading.total.unconfirmed_usd - reading.held.usd
    told = []
    if held.requests and not _is_said(held.usd, verdict):
        span = f"at most {compact(held.tokens)} tokens (held)"
        if held.usd:
            span = span_text(held.least_usd, held.usd)
        told.append(f"{held_for(held.requests, held.replies)}: {span}.")
    if unsure > 0:
        told.append(f"{dollars(unsure)} is unconfirmed and counts against the ceilings.")
    if earlier > 0:
        told.append(f"{dollars(earlier)} more is held from earlier turns.")
    ended = facts.finished
    is_offered = ended is None or any(one.action == "release" for one in ended.suggestions)
    if reading.held.requests and not is_offered:
        task = one_line(task, 80)
        release = Suggestion(action="release", task=task, effect="releases what is held")
        told.append(_sentence(word(release)))
    return " ".join(filter(None, (*told, *map(released_text, facts.released))))


def _is_said(usd: Decimal, verdict: VerdictView | None) -> bool:
    """Return whether the verdict names what is held."""
    return bool(verdict and usd and dollars(usd) in f"{verdict.sentence} {verdict.after}")


def released_text(fact: HeldReleased) -> str:
    """Return what was released, and the risk of it."""
    gone, kept = f"{compact(fact.released_tokens)} tokens", f"{compact(fact.kept_tokens)} tokens"
    if fact.released_usd or fact.kept_usd:
        gone, kept = dollars(fact.released_usd), dollars(fact.kept_usd)
    has_kept = fact.kept_usd or fact.kept_tokens
    kept = f", {kept} that had streamed still counts" if has_kept else ""
    return (
        f"Released {gone} held for {held_for(fact.requests, fact.replies)}{kept}; if the API"
        " billed more, the bill is higher than shown here."
    )


def held_for(requests: int, replies: int) -> str:
    """Return which requests hold money; `replies` of the `requests` were answered.

    >>> held_for(1, 0), held_for(3, 1)
    ('1 cut-off request', '2 cut-off requests and 1 reply with invalid usage')
    """
    cut_off = plural(requests - replies, "cut-off request") if requests > replies else ""
    usage = "with invalid usage"
    invalid = plural(replies, f"reply {usage}", f"replies {usage}") if replies else ""
    return " and ".join(filter(None, (cut_off, invalid)))


def span_text(least: Decimal, most: Decimal) -> str:
    """Return the range of what a request of unknown cost may have cost.

    >>> span_text(Decimal("0.02"), Decimal("0.64")), span_text(Decimal(0), Decimal("0.64"))
    ('at least $0.02 (streamed), at most $0.64 (held)', 'at most $0.64 (held)')
    """
    places = 2 if least >= CENT else 4
    start = f"at least {dollars(least, places)} (streamed), " if round(least, places) else ""
    return f"{start}at most {dollars(most)} (held)"


def tasks_text(reading: Reading) -> str:
    """Return what nested tasks used of the task's ceilings; empty without any."""
    own, theirs, unsure = reading.total, reading.tasks.usd, reading.tasks_unconfirmed.usd
    if own.cost_usd is not None and (theirs or unsure):
        used = f"{dollars(own.cost_usd + theirs)} spent, including {dollars(theirs)}"
        beside = f" and {dollars(unsure)} unconfirmed" if unsure else ""
    elif reading.tasks.tokens or reading.tasks_unconfirmed.tokens:
        both = own.ceiling_tokens + reading.tasks.tokens
        used = f"{compact(both)} tokens used, including {compact(reading.tasks.tokens)}"
        more = reading.tasks_unconfirmed.tokens
        beside = f" and {compact(more)} unconfirmed" if more else ""
    else:
        return ""
    return f"{used} by its tools{beside}; all of it counts against the ceilings."


def steps_text(reading: Reading) -> str:
    """Return the numbers of steps and tool calls of the turn."""
    spend = reading.this_turn
    return f"{plural(spend.steps, 'step')}, {plural(spend.tool_calls, 'tool call')}"


def scope_text(facts: TurnFacts) -> str:
    """Return what Claude could see besides the conversation."""
    parts = []
    if facts.settings is not None and facts.settings.root:
        parts.append(f"files below {one_line(facts.settings.root, SCOPE_CHARS)}")
    if facts.inserted:
        names = ", ".join(one_line(name, SCOPE_CHARS) for name in facts.inserted)
        parts.append(f"filled in: {one_line(names, SCOPE_CHARS)}")
    return "; ".join(parts)


def _sentence(text: str) -> str:
    return _closed(_capital(text.strip()))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _closed(text: str) -> str:
    return text if not text or re.search(r"[.!?…]$", text) else f"{text}."
