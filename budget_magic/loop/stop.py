"""Why a turn ends, each reason as one sentence with the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Final

from budget_magic.errors import ApiError, ConfigurationError, WireError
from budget_magic.events import Reason, State
from budget_magic.loop.stuck import Made, StuckRule
from budget_magic.loop.task import TurnContext
from budget_magic.meter.reserve import Account, Refused
from budget_magic.report.numbers import ceiling_dollars, clock, dollars, plural
from budget_magic.tools.text import explained

UNAUTHORISED: Final = frozenset({401, 403})
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400
TOO_LARGE: Final = 413
CENT: Final = Decimal("0.01")
MORE: Final = Decimal("1.5")
"""How far a suggested ceiling lies above the one that was reached."""
SHOWN_INPUT: Final = 120
LITTLE_SHARE: Final = 0.1
BUDGET_TOO_SMALL: Final = (
    "the budget looks too small for this task: raise it before changing anything else"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """State, reason, and the sentence; `command` goes on."""

    state: State
    reason: Reason
    detail: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """That a turn was stopped from outside, and how."""

    reason: Reason
    why: str = ""
    """What failed; empty where a person stopped it."""


class Halted(Exception):  # noqa: N818 - how a turn ends is no error
    """Unwinds a step that cannot go on; carries how the turn ends."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.detail)
        self.ending = ending


def completed(turn: TurnContext, reason: Reason) -> Ending:
    """The turn came to its natural end."""
    spend = turn.task.reading().this_turn
    parts = [plural(turn.step, "step"), plural(spend.tool_calls, "tool call")]
    if spend.cost_usd is not None:
        parts.append(dollars(spend.cost_usd))
    return Ending(state="completed", reason=reason, detail=", ".join(parts))


def step_ceiling(turn: TurnContext) -> Ending:
    """The last step that the step ceiling allows is done."""
    steps = turn.task.settings.ceilings.steps or 0
    return _halted(
        turn,
        "step_ceiling",
        f"the ceiling of {plural(steps, 'step')} a turn is reached",
        f"--max-steps {max(steps * 2, 1)}",
    )


def time_ceiling(turn: TurnContext, why: str = "") -> Ending:
    """No time is left, or not enough for another step."""
    ceiling = turn.task.settings.ceilings.elapsed_s or 0.0
    longer = max(round(ceiling * 2), 60)
    option = f"{longer // 60}m" if longer % 60 == 0 else f"{longer}s"
    told = f"the time ceiling of {clock(ceiling)} is reached{why}"
    return _halted(turn, "time_ceiling", told, f"--max-time {option}")


def out_of_room(turn: TurnContext, reason: Reason, refused: Refused | None = None) -> Ending:
    """A cost, token or session ceiling leaves no room for another request."""
    task = turn.task
    account = refused.account if refused is not None else task.account
    if reason == "session_ceiling":
        return _session(turn, _fullest(task.accounts, account))
    if reason == "cost_ceiling":
        ceiling = account.cost_usd or Decimal(0)
        taken = account.spent.usd + account.unconfirmed.usd
        needs = refused.needs.usd if refused is not None else Decimal(0)
        parts = _cost_parts(account, needs)
        told = f"the {ceiling_dollars(ceiling)} cost ceiling is reached ({parts})"
        enough = _rounded_up(max(ceiling * MORE, (taken + needs * 2) * MORE))
        return _halted(turn, reason, told, f"--max-cost {enough}")
    ceiling_tokens = account.total_tokens or 0
    taken_tokens = account.spent.tokens + account.unconfirmed.tokens
    needs_tokens = refused.needs.tokens if refused is not None else 0
    parts = _token_parts(account, needs_tokens)
    told = f"the ceiling of {ceiling_tokens:,} tokens is reached ({parts})"
    more = _rounded_up(
        max(Decimal(ceiling_tokens) * MORE, Decimal(taken_tokens + needs_tokens * 2) * MORE)
    )
    return _halted(turn, reason, told, f"--max-total-tokens {int(Decimal(more))}")


def max_tokens(turn: TurnContext, limit: int) -> Ending:
    """A reply was cut by `max_tokens` that no ceiling had shrunk."""
    more = min(limit * 2, 128_000)
    return _halted(
        turn, "max_tokens", f"the reply was cut at {limit:,} tokens", f"--max-tokens {more}"
    )


def context_window(turn: TurnContext) -> Ending:
    """The conversation no longer fits into the model's context window."""
    told = (
        f"halted at step {turn.step}: the conversation no longer fits into the context window;"
        f" start afresh with --new and tell Claude what is known"
    )
    return Ending(state="halted", reason="context_window", detail=told)


def refusal(turn: TurnContext) -> Ending:
    """Claude declined to answer."""
    told = f"halted at step {turn.step}: Claude declined; rephrase and run the cell"
    return Ending(state="halted", reason="refusal", detail=told)


def stuck_loop(turn: TurnContext, call: Made) -> Ending:
    """The same call came with the same result too often."""
    rule = turn.task.stuck_rule or StuckRule()
    shown = call.input if len(call.input) <= SHOWN_INPUT else call.input[: SHOWN_INPUT - 3] + "..."
    shown = turn.task.redactor.redact(shown)
    command = f"%claude_resume {turn.task.name}"
    return Ending(
        state="halted",
        reason="stuck_loop",
        detail=(
            f"halted at step {turn.step}: {call.name} was called {rule.repeats} times with"
            f" {shown} and the same result, within the last {rule.among} calls; tell Claude in a"
            f" new cell what to do instead, or go on with `{command}`"
        ),
        command=command,
    )


def with_word_on_budget(turn: TurnContext, ending: Ending) -> Ending:
    """The ending, with a word where it looks as if the budget had been too small.

    A refusal does, and a natural end at which no tool was used though some were offered, or which
    left less than a tenth of the budget (platform.claude.com, "Task budgets": too small a budget
    leads to refusals and to answers that do less than was asked).
    """
    task = turn.task
    budget, reading = task.settings.budget, task.reading()
    if budget is None or ending.reason not in {"refusal", "end_turn"}:
        return ending
    unused = reading.total.tool_calls == 0 and bool(task.toolbox.names)
    used_up = reading.remaining is not None and reading.remaining < budget * LITTLE_SHARE
    if ending.reason == "end_turn" and not unused and not used_up:
        return ending
    return replace(ending, detail=f"{ending.detail}; {BUDGET_TOO_SMALL}")


def server_compaction(turn: TurnContext) -> Ending:
    """The server compacted the conversation, which nobody here had asked it to."""
    command = f"%claude_resume {turn.task.name}"
    told = (
        f"step {turn.step} failed: the reply is a compaction block of the server, and a budget"
        " cannot be carried over it: take `compaction` and `context_management` out of the client"
        f" (`--compact-at` summarises here), then `{command}`"
    )
    return Ending(state="failed", reason="api_error", detail=told, command=command)


def interrupted(turn: TurnContext, stopped: Stopped) -> Ending:
    """A person stopped the turn, or what watched it failed."""
    command = f"%claude_resume {turn.task.name}"
    why = f": {turn.task.redactor.redact(stopped.why)}" if stopped.why else ""
    told = f"stopped in step {turn.step + 1}{why}; what was done is kept"
    if turn.cut_off is not None:
        told += (
            f"; cut off: at least {_fine(turn.cut_off.at_least_usd)} (streamed),"
            f" at most {dollars(turn.cut_off.unconfirmed_usd)} (held)"
        )
    return Ending(
        state="interrupted",
        reason=stopped.reason,
        detail=f"{told}; go on with `{command}`",
        command=command,
    )


def broken(turn: TurnContext, error: BaseException) -> Ending:
    """Something failed that never should: a mistake of ours, or a hostile object."""
    command = f"%claude_resume {turn.task.name}"
    what = turn.task.redactor.redact(explained(error))
    told = f"step {turn.step + 1} failed: {what}; nothing is lost; go on with `{command}`"
    return Ending(state="failed", reason="api_error", detail=told, command=command)


def failed(turn: TurnContext, error: WireError, attempts: int) -> Ending:
    """A request failed for good."""
    command = f"%claude_resume {turn.task.name}"
    tries = f" after {plural(attempts, 'attempt')}" if attempts > 1 else ""
    place = f"step {turn.step + 1} failed{tries}"
    if not isinstance(error, ApiError):
        return Ending(
            state="failed",
            reason="connection",
            detail=(
                f"{place}: the connection broke ({error}); nothing is lost; go on with `{command}`"
            ),
            command=command,
        )
    reason, way_out = _api_failure(error, command)
    return Ending(
        state="failed",
        reason=reason,
        detail=f"{place}: {error} ({_status(error)}); {way_out}",
        command=command,
    )


def cannot_send(turn: TurnContext, error: ConfigurationError) -> Ending:
    """The client itself refused to send, for want of a credential for instance."""
    command = f"%claude_resume {turn.task.name}"
    return Ending(
        state="failed",
        reason="configuration",
        detail=f"step {turn.step + 1} was not sent: {error}; when that is mended, `{command}`",
        command=command,
    )


def _api_failure(error: ApiError, command: str) -> tuple[Reason, str]:
    text = str(error)
    if error.status in UNAUTHORISED:
        return "configuration", f"check the API key, then `{command}`"
    if error.status == NOT_FOUND:
        return "configuration", f"choose another model: `{command} --model ID`"
    if error.status == BAD_REQUEST and "task_budget" in text:
        return "configuration", f"run without a task budget: `{command} --budget none`"
    if error.status in {BAD_REQUEST, TOO_LARGE}:
        return "api_error", f"nothing is lost; when that is mended, `{command}`"
    return "api_error", f"nothing is lost; go on with `{command}`"


def _status(error: ApiError) -> str:
    kind = f" {error.error_type}" if error.error_type else ""
    return f"in mid-stream,{kind}" if error.in_mid_stream else f"HTTP {error.status}{kind}"


def _halted(turn: TurnContext, reason: Reason, told: str, option: str) -> Ending:
    command = f"%claude_resume {turn.task.name} {option}"
    detail = f"halted at step {turn.step}: {told}; go on with `{command}`"
    return Ending(state="halted", reason=reason, detail=detail, command=command)


def _session(turn: TurnContext, account: Account) -> Ending:
    command = f"%claude_resume {turn.task.name}"
    if _is_nearer_by_cost(account):
        told, name = (
            f"the {ceiling_dollars(account.cost_usd or Decimal(0))} ceiling",
            "ANTHROPIC_COST_BUDGET",
        )
        parts = _cost_parts(account, Decimal(0))
    else:
        told, name = f"the ceiling of {account.total_tokens:,} tokens", "ANTHROPIC_TOKEN_BUDGET"
        parts = _token_parts(account, 0)
    detail = (
        f"halted at step {turn.step}: {told} of {account.name} is reached ({parts});"
        f" {account.way_out or f'raise {name}'}, then `{command}`"
    )
    return Ending(state="halted", reason="session_ceiling", detail=detail, command=command)


def _fullest(accounts: Iterable[Account], refused_by: Account) -> Account:
    """The shared account that a request met; where none is known, the one with least left."""
    shared = [account for account in accounts if account.shared]
    if refused_by.shared or not shared:
        return refused_by
    return min(shared, key=_share_left)


def _share_left(account: Account) -> Decimal:
    usd_left, tokens_left = account.headroom()
    shares = [Decimal(1)]
    if usd_left is not None and account.cost_usd:
        shares.append(usd_left / account.cost_usd)
    if tokens_left is not None and account.total_tokens:
        shares.append(Decimal(tokens_left) / account.total_tokens)
    return min(shares)


def _is_nearer_by_cost(account: Account) -> bool:
    """Whether the smaller share is left of the dollars, not of the tokens."""
    usd_left, tokens_left = account.headroom()
    if usd_left is None or tokens_left is None or not account.cost_usd or not account.total_tokens:
        return usd_left is not None
    return usd_left / account.cost_usd <= Decimal(tokens_left) / account.total_tokens


def _cost_parts(account: Account, needs: Decimal) -> str:
    parts = [f"{dollars(account.spent.usd)} spent"]
    if account.requests_unconfirmed:
        cut = plural(account.requests_unconfirmed, "cut-off request")
        parts.append(f"{dollars(account.unconfirmed.usd)} held for {cut}")
    if needs:
        parts.append(f"the next step could cost {dollars(needs)}")
    return ", ".join(parts)


def _token_parts(account: Account, needs: int) -> str:
    parts = [f"{account.spent.tokens:,} used"]
    if account.requests_unconfirmed:
        cut = plural(account.requests_unconfirmed, "cut-off request")
        parts.append(f"{account.unconfirmed.tokens:,} held for {cut}")
    if needs:
        parts.append(f"the next step could take {needs:,}")
    return ", ".join(parts)


def _fine(usd: Decimal) -> str:
    """Dollars with more places where they are less than a cent."""
    return dollars(usd, 2 if usd >= CENT else 4)


def _rounded_up(value: Decimal) -> str:
    """Two significant digits, upwards, not finer than a cent, without an exponent."""
    place = max(Decimal(1).scaleb(value.adjusted() - 1), CENT) if value > 0 else CENT
    rounded = max((value / place).to_integral_value(rounding=ROUND_UP) * place, CENT)
    return f"{rounded:.2f}" if place == CENT else f"{rounded.normalize():f}"
