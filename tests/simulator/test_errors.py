"""What the simulated API rejects, and with which messages."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from anthropic import BadRequestError, NotFoundError

from budget_magic.simulator import Reply, Simulator
from tests.simulator.helpers import BUDGET_BETA, HELLO, LOOKUP, ask, ask_raw, params, run

CALL = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
EPHEMERAL = {"type": "ephemeral"}
EFFORT_BETA = "mid-conversation-output-config-2026-07-01"


def simulator() -> Simulator:
    return Simulator(lambda _context: Reply(text="This is simulated."))


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(words: str = "Hello.", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def task_budget(value: Any) -> dict[str, Any]:
    return {"output_config": {"task_budget": value}}


TOKENS = {"type": "tokens"}
BUDGETS: list[tuple[Any, str]] = [
    (10_000, "output_config.task_budget: Input should be an object"),
    ({"type": "tokens"}, "output_config.task_budget.total: Field required"),
    ({"total": 50_000}, "output_config.task_budget.type: Field required"),
    (
        {**TOKENS, "total": 19_999},
        "`task_budget.total` must be at least 20,000 tokens for this model",
    ),
    ({**TOKENS, "total": 20_000, "remaining": 20_001}, "must not be greater"),
    ({**TOKENS, "total": 20_000, "remaining": -1}, "greater than or equal to 0"),
    ({**TOKENS, "total": 20_000, "used": 1}, "output_config.task_budget.used: Extra inputs"),
]


@pytest.mark.parametrize(("value", "message"), BUDGETS)
def test_an_invalid_task_budget_is_refused(value: Any, message: str) -> None:
    with pytest.raises(BadRequestError, match=message.replace(".", r"\.")):
        ask(simulator(), betas=[BUDGET_BETA], **task_budget(value))


def test_a_task_budget_without_its_header_is_refused() -> None:
    with pytest.raises(BadRequestError) as caught:
        ask(simulator(), **task_budget({**TOKENS, "total": 20_000}))
    assert caught.value.type == "invalid_request_error"
    wanted = "output_config.task_budget: Extra inputs are not permitted"
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": wanted},
        "request_id": caught.value.request_id,
    }


@pytest.mark.parametrize("remaining", [0, 20_000, None])
def test_a_valid_task_budget_is_accepted(remaining: int | None) -> None:
    value = {**TOKENS, "total": 20_000}
    if remaining is not None:
        value["remaining"] = remaining
    assert ask(simulator(), betas=[BUDGET_BETA], **task_budget(value)).stop_reason == "end_turn"


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-opus-4-6", "claude-haiku-4-5"])
def test_a_model_without_task_budgets_refuses_one(model: str) -> None:
    value = task_budget({**TOKENS, "total": 20_000})
    with pytest.raises(BadRequestError, match="not supported for this model"):
        ask(simulator(), model=model, thinking=None, betas=[BUDGET_BETA], **value)


def test_an_unknown_beta_is_refused() -> None:
    with pytest.raises(
        BadRequestError, match="`made-up-2026-01-01` for the `anthropic-beta` header"
    ):
        ask(simulator(), betas=[BUDGET_BETA, "made-up-2026-01-01"])


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="model: claude-opus-9") as caught:
        ask(simulator(), model="claude-opus-9")
    assert caught.value.type == "not_found_error"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("too large max_tokens", {"max_tokens": 128_001}, "max_tokens: 128001 > 128000"),
    ("no max_tokens", {"max_tokens": None}, "max_tokens: Field required"),
    ("negative max_tokens", {"max_tokens": -1}, "max_tokens: Input should be greater"),
    ("max_tokens not a number", {"max_tokens": "8"}, "max_tokens: Input should be a valid integer"),
    ("unknown field", {"tokens": 1}, "tokens: Extra inputs are not permitted"),
    ("stream not a boolean", {"stream": "yes"}, "stream: Input should be a valid boolean"),
    ("tools not a list", {"tools": {}}, "tools: Input should be a valid array"),
    ("tool not an object", {"tools": [1]}, "tools.0: Input should be an object"),
    ("server tool", {"tools": [{"type": "bash_20250124"}]}, "tools.0.custom.type: Input should be"),
    (
        "ttl of a block",
        {"messages": [user(text(cache_control={**EPHEMERAL, "ttl": "2h"}))]},
        "messages.0.content.0.text.cache_control.ttl: Input should be '5m' or '1h'",
    ),
    (
        "unknown field of thinking",
        {"thinking": {"type": "adaptive", "budget_tokens": 2_000}},
        "thinking.budget_tokens: Extra inputs are not permitted",
    ),
    (
        "null on a summary",
        {"messages": [assistant({"type": "compaction", "signature": None}), *HELLO]},
        "messages.0.content.0.compaction.signature: Input should be a valid string",
    ),
    (
        "unknown field of a message",
        {"messages": [{"role": "user", "content": "Hello.", "user": 1}]},
        "messages.0.user: Extra inputs are not permitted",
    ),
    ("server thread", {"thread": {"type": "create"}}, "thread=False"),
    ("temperature", {"temperature": 0.5}, "`temperature` is not supported"),
    ("top_k", {"top_k": 5}, "`top_k` is not supported"),
    (
        "unknown effort",
        {"output_config": {"effort": "huge"}},
        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
    ),
    (
        "effort the model lacks",
        {"output_config": {"effort": "xhigh"}, "model": "claude-opus-4-6"},
        "output_config.effort: Input should be 'low', 'medium', 'high' or 'max'",
    ),
    (
        "effort without the parameter",
        {"output_config": {"effort": "low"}, "model": "claude-haiku-4-5", "thinking": None},
        "does not support the effort parameter",
    ),
    (
        "thinking enabled",
        {"thinking": {"type": "enabled", "budget_tokens": 2_000}},
        '"thinking.type.enabled" is not supported for this model',
    ),
    (
        "thinking disabled",
        {"thinking": {"type": "disabled"}},
        '"thinking.type.disabled" is not supported for this model',
    ),
    (
        "thinking disabled at high effort",
        {
            "model": "claude-opus-5",
            "thinking": {"type": "disabled"},
            "output_config": {"effort": "xhigh"},
        },
        'not supported at effort "xhigh"',
    ),
    (
        "between_tools elsewhere",
        {"thinking": {"type": "between_tools"}},
        '"thinking.type.between_tools" is not supported',
    ),
    (
        "adaptive on an old model",
        {"model": "claude-haiku-4-5"},
        '"thinking.type.adaptive" is not supported',
    ),
    (
        "thinking budget above max_tokens",
        {
            "model": "claude-haiku-4-5",
            "thinking": {"type": "enabled", "budget_tokens": 5_000},
        },
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    (
        "display updates without its header",
        {"thinking": {"type": "adaptive", "display": "updates"}},
        "thinking.display: Input should be 'summarized' or 'omitted'",
    ),
    (
        "block_binding without its header",
        {"thinking": {"type": "adaptive", "block_binding": {}}},
        "thinking.block_binding: Extra inputs are not permitted",
    ),
    ("fast mode without its header", {"speed": "fast"}, "speed: Extra inputs"),
    ("no messages", {"messages": []}, "messages: at least one message is required"),
    ("assistant first", {"messages": [assistant(text())]}, 'must use the "user" role'),
    (
        "empty content",
        {"messages": [{"role": "user", "content": ""}]},
        "messages.0: all messages must have non-empty content",
    ),
    ("empty text", {"messages": [user(text(""))]}, "text content blocks must be non-empty"),
    ("blank text", {"messages": [user(text("  \n"))]}, "must contain non-whitespace text"),
    ("unknown role", {"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input"),
    ("unknown block", {"messages": [user({"type": "video"})]}, "messages.0.content.0.type: Input"),
    (
        "prefill",
        {"messages": [*HELLO, assistant(text("The answer is"))]},
        "does not support assistant message prefill",
    ),
    (
        "call without result",
        {"messages": [*HELLO, assistant(CALL), user(text())], "tools": [LOOKUP]},
        "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
    ),
    (
        "text before the result",
        {"messages": [*HELLO, assistant(CALL), user(text(), RESULT)], "tools": [LOOKUP]},
        "were found without `tool_result` blocks immediately after",
    ),
    (
        "last call without result",
        {"messages": [*HELLO, assistant(CALL)], "tools": [LOOKUP]},
        "were found without `tool_result` blocks immediately after",
    ),
    (
        "result without call",
        {"messages": [user(RESULT)], "tools": [LOOKUP]},
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1",
    ),
    (
        "two results for a call",
        {"messages": [*HELLO, assistant(CALL), user(RESULT, RESULT)], "tools": [LOOKUP]},
        "each tool_use must have a single result",
    ),
    (
        "one id for two calls",
        {"messages": [*HELLO, assistant(CALL, CALL), user(RESULT)], "tools": [LOOKUP]},
        "`tool_use` ids must be unique",
    ),
    (
        "one id for calls of two messages",
        {
            "messages": [*HELLO, assistant(CALL), user(RESULT), assistant(CALL), user(RESULT)],
            "tools": [LOOKUP],
        },
        "`tool_use` ids must be unique",
    ),
    (
        "id of a call",
        {"messages": [*HELLO, assistant({**CALL, "id": "a b"}), user(RESULT)], "tools": [LOOKUP]},
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    (
        "name of a call",
        {"messages": [*HELLO, assistant({**CALL, "name": ""}), user(RESULT)], "tools": [LOOKUP]},
        "messages.1.content.0.tool_use.name: String should match pattern",
    ),
    (
        "input of a call",
        {"messages": [*HELLO, assistant({**CALL, "input": []}), user(RESULT)], "tools": [LOOKUP]},
        "messages.1.content.0.tool_use.input: Input should be an object",
    ),
    ("two tools of a name", {"tools": [LOOKUP, LOOKUP]}, "tools: Tool names must be unique"),
    ("tool name", {"tools": [{**LOOKUP, "name": "a b"}]}, "tools.0.custom.name: String should"),
    ("tool without schema", {"tools": [{"name": "a"}]}, "input_schema: Field required"),
    (
        "schema not an object",
        {"tools": [{"name": "a", "input_schema": {"type": "string"}}]},
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    (
        "tool_choice of an unknown tool",
        {"tools": [LOOKUP], "tool_choice": {"type": "tool", "name": "other"}},
        "Tool 'other' not found in provided tools",
    ),
    ("tool_choice without tools", {"tool_choice": {"type": "any"}}, "while providing tools"),
    (
        "five breakpoints",
        {
            "messages": [user(*[text(f"{n}", cache_control=EPHEMERAL) for n in range(4)], text())],
            "cache_control": EPHEMERAL,
        },
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    (
        "an hour after five minutes",
        {
            "messages": [user(text(cache_control=EPHEMERAL), text())],
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        "ttl='1h' cache_control block must not come after a ttl='5m'",
    ),
    (
        "unsigned thinking",
        {
            "messages": [
                *HELLO,
                assistant({"type": "thinking", "thinking": "So.", "signature": ""}, text()),
                *HELLO,
            ]
        },
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    (
        "effort per message without its header",
        {
            "messages": [
                *HELLO,
                {"role": "system", "content": [], "output_config": {"effort": "low"}},
            ]
        },
        "messages.1.output_config: Extra inputs are not permitted",
    ),
    (
        "prompt too long",
        {"messages": [user(text("word " * 1_000_001))]},
        "prompt is too long: 1000",
    ),
]


@pytest.mark.parametrize(
    ("changes", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_request_that_breaks_a_rule_is_refused(changes: dict[str, Any], message: str) -> None:
    playing = simulator()
    response = ask_raw(playing, params(**changes))
    assert response.status_code == 400
    body = response.json()
    assert body["error"]["type"] == "invalid_request_error"
    assert message in body["error"]["message"]
    assert response.headers["request-id"] == body["request_id"]
    assert len(playing.bill) == 0


def test_effort_per_message_is_refused_where_the_model_lacks_it() -> None:
    change = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    with pytest.raises(BadRequestError, match="not supported for this model"):
        ask(
            simulator(),
            model="claude-opus-4-7",
            messages=[*HELLO, change],
            betas=[EFFORT_BETA],
        )


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "x-api-key header is required"),
        ({"x-api-key": "invalid"}, "invalid x-api-key"),
        ({"authorization": "Bearer invalid"}, "invalid x-api-key"),
        ({"x-api-key": "revoked"}, "invalid x-api-key"),
    ],
)
def test_a_missing_or_wrong_key_is_refused(headers: dict[str, str], message: str) -> None:
    playing = Simulator("audit", wrong_keys=["revoked"])
    response = ask_raw(playing, params(), headers=headers)
    assert response.status_code == 401
    assert response.json()["error"] == {"type": "authentication_error", "message": message}


def test_a_bearer_token_is_accepted() -> None:
    headers = {"authorization": "Bearer token"}
    assert ask_raw(simulator(), params(), headers=headers).status_code == 200


def test_a_body_that_is_not_a_json_object_is_refused() -> None:
    assert (
        ask_raw(simulator(), [1, 2]).json()["error"]["message"] == "body: Input should be an object"
    )


def test_a_lone_surrogate_is_not_valid_json() -> None:
    raw = json.dumps(params(messages=[user(text("half a pair: \ud83d"))])).encode()

    async def work() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=simulator().transport()) as client:
            headers = {"x-api-key": "x"}
            return await client.post("http://simulator/v1/messages", content=raw, headers=headers)

    response = run(work())
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "The request body is not valid JSON"


def test_an_unknown_path_is_not_found() -> None:
    assert ask_raw(simulator(), params(), path="/v1/complete").status_code == 404


def test_consecutive_messages_of_one_role_are_one_turn() -> None:
    messages = [*HELLO, assistant(text("Now."), CALL), user(RESULT), user(text("And this?"))]
    assert ask(simulator(), messages=messages, tools=[LOOKUP]).stop_reason == "end_turn"
