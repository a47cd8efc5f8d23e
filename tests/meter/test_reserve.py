"""What a request may take: the rules of the last answer, one account or several, to the token."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.events import AttemptFailed
from budget_magic.meter.account import Account, Amount, book
from budget_magic.meter.reserve import (
    LAST_REPLY_TOKENS,
    MOST_STEP_REPLY_TOKENS,
    Demand,
    Granted,
    MustWait,
    Refused,
    reserve,
)
from budget_magic.models import MODELS

OPUS = MODELS["claude-opus-5-5"].prices
ONE_TOKEN = Decimal(20) / 1_000_000
"""What one token of reply costs."""


SMALL = Account(name="small", cost_usd=Decimal("0.1"), total_tokens=None)
"""A ceiling under which the smaller last answer is kept."""


def demand(**changes: Any) -> Demand:
    """The demand of a step in the middle of a turn, 10,000 tokens of prompt, 8,000 known."""
    plain: dict[str, Any] = {
        "prompt_tokens": 10_000,
        "known_tokens": 8_000,
        "wanted_tokens": 32_000,
        "prices": OPUS,
        "factor": Decimal(1),
        "first": False,
        "wrap_up": True,
    }
    return Demand(**{**plain, **changes})


def account(cost_usd: Decimal | None = None, total_tokens: int | None = None) -> Account:
    """An account that nothing stands against."""
    return Account(name="audit", cost_usd=cost_usd, total_tokens=total_tokens)


def granted(wanted: Demand, *accounts: Account) -> Granted:
    """The reservation, which must be granted."""
    decision = reserve(wanted, accounts)
    assert isinstance(decision, Granted), decision
    return decision


def refused(wanted: Demand, *accounts: Account) -> Refused:
    """The refusal, which must be one."""
    decision = reserve(wanted, accounts)
    assert isinstance(decision, Refused), decision
    return decision


def test_all_that_is_wanted_is_granted_where_there_is_room() -> None:
    room = account(Decimal(5), 1_000_000)

    got = granted(demand(), room)

    assert (got.max_tokens, got.last_answer, got.shrunk_by) == (32_000, False, None)
    assert room.held == got.hold == Amount(usd=Decimal("0.69"), tokens=42_000)


def test_open_ceilings_grant_all_without_a_price() -> None:
    assert granted(demand(prices=None), account()).max_tokens == 32_000


def test_a_step_shrinks_to_what_fits_beside_a_last_answer() -> None:
    wanted = demand()
    room = account(wanted.with_last_answer(6_000, SMALL).usd)

    got = granted(wanted, room)

    assert (got.max_tokens, got.last_answer, got.shrunk_by) == (6_000, False, "cost_ceiling")


def test_a_step_is_sent_while_its_smallest_reply_fits_twice() -> None:
    wanted = demand()
    enough = wanted.with_last_answer(MOST_STEP_REPLY_TOKENS, SMALL).usd

    at = granted(wanted, account(enough))
    below = granted(wanted, account(enough - ONE_TOKEN / 2))

    assert (at.max_tokens, at.last_answer) == (MOST_STEP_REPLY_TOKENS, False)
    assert below.last_answer
    assert below.shrunk_by == "cost_ceiling"


def test_a_last_answer_takes_all_that_fits_at_worst_case() -> None:
    wanted = demand()

    got = granted(wanted, account(wanted.worst(3_000).usd))

    assert (got.max_tokens, got.last_answer) == (3_000, True)


def test_a_last_answer_needs_1024_tokens_of_reply() -> None:
    wanted = demand()
    least = wanted.worst(LAST_REPLY_TOKENS).usd

    assert granted(wanted, account(least)).max_tokens == LAST_REPLY_TOKENS
    no = refused(wanted, account(least - ONE_TOKEN / 2))
    assert no.reason == "cost_ceiling"
    assert no.needs.usd == least


def test_the_first_request_of_a_turn_keeps_no_room() -> None:
    wanted = demand(first=True)

    got = granted(wanted, account(wanted.worst(LAST_REPLY_TOKENS).usd))

    assert (got.max_tokens, got.last_answer) == (LAST_REPLY_TOKENS, False)
    assert got.shrunk_by == "cost_ceiling"


def test_without_wrap_up_no_room_is_kept_and_nothing_is_a_last_answer() -> None:
    wanted = demand(wrap_up=False)

    got = granted(wanted, account(wanted.worst(2_000).usd))

    assert (got.max_tokens, got.last_answer) == (2_000, False)


def test_a_step_that_must_be_the_last_uses_the_room_of_the_last_answer() -> None:
    wanted = demand(must_be_last=True)

    got = granted(wanted, account(wanted.with_last_answer(MOST_STEP_REPLY_TOKENS, SMALL).usd))

    assert got.last_answer
    assert got.max_tokens > MOST_STEP_REPLY_TOKENS + SMALL.last_answer_tokens


def test_a_small_max_tokens_is_enough_by_itself() -> None:
    wanted = demand(wanted_tokens=100)

    assert granted(wanted, account(wanted.with_last_answer(100, SMALL).usd)).last_answer is False
    assert granted(wanted, account(wanted.worst(100).usd)).last_answer is True
    refused(wanted, account(wanted.worst(100).usd - ONE_TOKEN / 2))


def test_the_token_ceiling_counts_prompt_and_reply() -> None:
    wanted = demand()
    least = 10_000 + LAST_REPLY_TOKENS

    assert granted(wanted, account(None, least)).max_tokens == LAST_REPLY_TOKENS
    assert refused(wanted, account(None, least - 1)).reason == "token_ceiling"


@pytest.mark.parametrize("open_", [True, False])
def test_a_ceiling_of_zero_refuses_everything(open_: bool) -> None:  # noqa: FBT001 - a case
    tokens = None if open_ else 0

    assert refused(demand(first=True), account(Decimal(0), tokens)).needs.usd > 0
    assert refused(demand(first=True), account(None, 0)).reason == "token_ceiling"


def test_the_nearer_of_two_ceilings_is_named() -> None:
    cost = demand().worst(2_000).usd

    by_cost = granted(demand(), account(cost, 1_000_000))
    by_tokens = granted(demand(), account(Decimal(5), 12_000))

    assert by_cost.shrunk_by == "cost_ceiling"
    assert by_tokens.shrunk_by == "token_ceiling"


def test_what_is_unconfirmed_counts_like_what_is_spent() -> None:
    wanted = demand(first=True)
    room = account(wanted.worst(2_000).usd + 1)
    room.hold(Amount(usd=Decimal(1), tokens=1))
    broken = AttemptFailed(turn=1, step=1, attempt=1, why="cut off", unconfirmed_usd=Decimal(1))
    room.settle(Amount(usd=Decimal(1), tokens=1))
    book(broken, [room])

    assert granted(wanted, room).max_tokens == 2_000
    assert len(room.cut_off) == 1


def test_settling_gives_back_what_was_not_used() -> None:
    room = account(Decimal(5), 1_000_000)
    got = granted(demand(), room)

    room.settle(got.hold)
    room.count(Amount(usd=Decimal("0.1"), tokens=900), Amount(), is_below=False)

    assert room.headroom() == (Decimal("4.9"), 999_100)
    assert (room.requests_held, room.held) == (0, Amount())


def test_a_request_that_fits_only_without_the_others_waits_and_holds_nothing() -> None:
    session = account(Decimal(1))
    own = account(Decimal(5))
    granted(demand(), account(Decimal(5)), session)

    decision = reserve(demand(), (own, session))

    assert isinstance(decision, MustWait)
    assert decision.account is session
    assert own.held == Amount()
    assert session.requests_held == 1


def test_a_request_waits_before_it_shrinks_and_shrinks_once_it_is_alone() -> None:
    session = account(Decimal("0.30"))
    other = granted(demand(wanted_tokens=2_000), account(), session)
    assert isinstance(reserve(demand(), (account(), session)), MustWait)

    session.settle(other.hold)
    session.count(other.hold, Amount(), is_below=True)
    alone = granted(demand(), account(), session)

    assert alone.max_tokens == 8_000
    assert alone.shrunk_by == "session_ceiling"


def test_a_request_that_its_own_ceiling_shrinks_does_not_wait_for_more() -> None:
    session = account(Decimal(1))
    granted(demand(), account(), session)
    small = account(demand().worst(3_000).usd)

    assert granted(demand(), small, session).max_tokens == 3_000


def test_a_request_that_its_own_ceiling_refuses_does_not_wait() -> None:
    session = account(Decimal(1))
    granted(demand(), account(), session)

    assert refused(demand(), account(Decimal(0)), session).reason == "cost_ceiling"


def test_no_room_for_a_last_answer_is_kept_under_a_shared_ceiling() -> None:
    session = account(demand().worst(MOST_STEP_REPLY_TOKENS).usd)

    got = granted(demand(), account(), session)

    assert (got.max_tokens, got.last_answer) == (MOST_STEP_REPLY_TOKENS, False)


def test_a_shared_ceiling_that_is_full_is_named() -> None:
    session = account(demand().worst(LAST_REPLY_TOKENS - 1).usd)

    assert refused(demand(), account(Decimal(5)), session).reason == "session_ceiling"


def test_a_long_prompt_is_held_at_the_prices_of_its_tier() -> None:
    haiku = MODELS["claude-haiku-5-5"].prices
    at = demand(prices=haiku, prompt_tokens=100_000, known_tokens=0).worst(1_000)
    above = demand(prices=haiku, prompt_tokens=100_001, known_tokens=0).worst(1_000)

    assert at.usd == Decimal("0.013")
    assert above.usd == (Decimal("0.625") * 100_001 + Decimal("2.5") * 1_000) / 1_000_000


@given(
    prompt=st.integers(1, 900_000),
    known=st.integers(0, 900_000),
    wanted=st.integers(1, 128_000),
    usd=st.none() | st.decimals(0, 20, places=6),
    tokens=st.none() | st.integers(0, 2_000_000),
    session_usd=st.none() | st.decimals(0, 20, places=6),
    model=st.sampled_from(sorted(MODELS)),
    factor=st.sampled_from([Decimal(1), Decimal("1.1")]),
    first=st.booleans(),
    wrap_up=st.booleans(),
    must_be_last=st.booleans(),
)
def test_what_is_held_never_passes_a_ceiling_and_the_largest_reply_is_granted(  # noqa: PLR0913, PLR0917 - one argument per thing that varies
    prompt: int,
    known: int,
    wanted: int,
    usd: Decimal | None,
    tokens: int | None,
    session_usd: Decimal | None,
    model: str,
    factor: Decimal,
    first: bool,  # noqa: FBT001 - drawn
    wrap_up: bool,  # noqa: FBT001 - drawn
    must_be_last: bool,  # noqa: FBT001 - drawn
) -> None:
    asked = demand(
        prompt_tokens=prompt,
        known_tokens=min(known, prompt),
        wanted_tokens=wanted,
        prices=MODELS[model].prices,
        factor=factor,
        first=first,
        wrap_up=wrap_up,
        must_be_last=must_be_last,
    )
    chain = (account(usd, tokens), account(session_usd, None))

    decision = reserve(asked, chain)

    def fits(amount: Amount) -> bool:
        return (
            (usd is None or amount.usd <= usd)
            and (tokens is None or amount.tokens <= tokens)
            and (session_usd is None or amount.usd <= session_usd)
        )

    if isinstance(decision, Granted):
        assert fits(decision.hold)
        assert decision.hold == asked.worst(decision.max_tokens)
        assert min(LAST_REPLY_TOKENS, wanted) <= decision.max_tokens <= wanted
        takes_all = decision.last_answer or first or not wrap_up
        if takes_all and decision.max_tokens < wanted:
            assert not fits(asked.worst(decision.max_tokens + 1))
    else:
        assert isinstance(decision, Refused)
        assert not fits(asked.worst(min(LAST_REPLY_TOKENS, wanted)))
        assert all(one.held == Amount() for one in chain)
