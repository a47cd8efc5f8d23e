"""What the simulated API knows of models beyond the shared table: defaults, thinking, betas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from budget_magic.models import EFFORT_LEVELS, MODELS, Model, find_model
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.tokens import JsonObject

TASK_BUDGETS: Final = "task-budgets-2026-03-13"
MESSAGE_EFFORT: Final = "mid-conversation-output-config-2026-07-01"
THINKING_BINDING: Final = "thinking-binding-controls-2026-08-01"
THINKING_COUNT: Final = "thinking-token-count-2026-05-13"
THINKING_UPDATES: Final = "thinking-display-updates-2026-08-18"
CLEAR_AT: Final = "mid-conversation-system-clear-at-2026-08-21"
FAST_MODE: Final = "fast-mode-2026-02-01"
COMPACT: Final = "compact-2026-09-04"

KNOWN_BETAS: Final = frozenset(
    """
    admin-user-sign-out-2026-10-08 advisor-tool-2026-03-01 agent-memory-2026-07-22
    analytics-usage-cost-2026-08-24 cache-diagnosis-2026-04-07
    ce-claude-code-managed-settings-2026-10-06 ce-plugins-2026-09-01
    ce-user-management-2026-07-13 code-execution-2025-05-22 compact-2026-01-12
    compact-2026-09-04 computer-use-2024-10-22 computer-use-2025-01-24 computer-use-2025-11-24
    context-1m-2025-08-07 context-management-2025-06-27 dev-full-thinking-2025-05-14
    dreaming-2026-04-21 experimental-claude-tag-2026-10-21 extended-cache-ttl-2025-04-11
    fallback-credit-2026-06-01 fallback-credit-2026-07-01 fast-mode-2026-02-01
    files-api-2025-04-14 inline-tools-2026-09-15 interleaved-thinking-2025-05-14
    managed-agents-2026-04-01 mcp-client-2025-04-04 mcp-client-2025-11-20
    mcp-client-2026-09-15 mcp-tunnels-2026-06-22 message-batches-2024-09-24
    message-threads-2026-08-12 mid-conversation-output-config-2026-07-01
    mid-conversation-system-clear-at-2026-08-21 mid-conversation-tool-changes-2026-07-01
    model-context-window-exceeded-2025-08-26 output-128k-2025-02-19 output-300k-2026-03-24
    pdfs-2024-09-25 prompt-caching-2024-07-31 server-side-fallback-2026-06-01
    server-side-fallback-2026-07-01 skills-2025-10-02 spend-limit-reads-2026-09-26
    structured-outputs-2025-11-13 task-budgets-2026-03-13 telemetry-destinations-2026-08-11
    thinking-binding-controls-2026-08-01 thinking-display-updates-2026-08-18
    thinking-token-count-2026-05-13 token-counting-2024-11-01 token-efficient-tools-2025-02-19
    user-profiles-2026-03-24 user-profiles-2026-08-18 user-profiles-2026-09-04
    user-profiles-billing-2026-10-01 webhooks-2026-10-07
    """.split()  # noqa: SIM905 - reads better as words
)
"""Beta names the simulator takes (anthropic SDK 2.12, `AnthropicBetaParam`); others are a 400."""

_YES: Final[JsonObject] = {"supported": True}
_NO: Final[JsonObject] = {"supported": False}
_OLD_STYLE = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5")
_THINKS_ONLY_WHEN_ASKED = (*_OLD_STYLE, "claude-opus-4-7", "claude-opus-4-8")
_MEDIUM_BY_DEFAULT = ("claude-opus-5-5", "claude-haiku-5-5")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingFacts:
    """Which `thinking.type` values a model takes (platform docs "Thinking", 2026-11)."""

    on_by_default: bool
    enabled: bool
    disabled: bool
    between_tools: bool
    display: str
    """What `thinking.display` is where the request does not say."""


def known_model(model_id: str) -> Model:
    """The model of that id.

    Raises
    ------
    Refused
        The id is unknown (404).
    """
    model = find_model(model_id)
    if model is None:
        raise Refused(f"model: {model_id}", status=404)
    return model


def need_beta(name: str, betas: frozenset[str], where: str) -> None:
    """Refuse the field at this path unless the request names the beta it belongs to."""
    if name not in betas:
        raise Refused(f"{where}: Extra inputs are not permitted")


def region(model: Model, asked: str | None, default: str) -> str:
    """Return the region that a reply names; models without regional prices name none."""
    return (asked or default) if model.takes_inference_geo else "not_available"


def takes_sampling(model: Model) -> bool:
    """Whether `temperature`, `top_p` and `top_k` may differ from their defaults."""
    return model.id in _OLD_STYLE


def takes_compaction(model: Model) -> bool:
    """Whether the top-level `compaction` parameter works (docs "Compaction on demand", 2026-11)."""
    return model.id != "claude-haiku-4-5"


def default_effort(model: Model) -> str | None:
    """The effort of a request that names none; None where the model has no effort parameter."""
    if not model.effort_levels:
        return None
    return "medium" if model.id in _MEDIUM_BY_DEFAULT else "high"


def thinking_facts(model: Model) -> ThinkingFacts:
    """What the model does with each thinking mode."""
    always_thinks = model.id in ("claude-opus-5-5", "claude-sonnet-5-5") or model.id.startswith(
        ("claude-fable", "claude-mythos")
    )
    return ThinkingFacts(
        on_by_default=model.id not in _THINKS_ONLY_WHEN_ASKED,
        enabled=model.id in _OLD_STYLE,
        disabled=not always_thinks,
        between_tools=model.id == "claude-sonnet-5-5",
        display="summarized" if model.id in _OLD_STYLE else "omitted",
    )


def model_info(model: Model) -> JsonObject:
    """What `GET /v1/models/{id}` answers."""
    thinking = thinking_facts(model)
    return {
        "type": "model",
        "id": model.id,
        "display_name": _display_name(model.id),
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": None,
        "deprecated_at": None,
        "retires_at": None,
        "allowed_fallback_models": [],
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
        "capabilities": {
            "batch": _YES,
            "citations": _YES,
            "code_execution": _NO,
            "compaction": {
                "supported": takes_compaction(model),
                "summarize": _supported(takes_compaction(model)),
            },
            "context_management": _NO,
            "effort": {
                "supported": bool(model.effort_levels),
                **{level: _supported(level in model.effort_levels) for level in EFFORT_LEVELS},
            },
            "image_input": _YES,
            "pdf_input": _YES,
            "server_tools": {
                "supported": False,
                "web_search": _NO,
                "code_execution": _NO,
            },
            "structured_outputs": _NO,
            "thinking": {
                "supported": True,
                "types": {
                    "adaptive": _supported(model.adaptive_thinking),
                    "enabled": _supported(thinking.enabled),
                    "disabled": _supported(thinking.disabled),
                    "between_tools": _supported(thinking.between_tools),
                },
            },
        },
    }


def model_list() -> JsonObject:
    """What `GET /v1/models` answers: one page with every model."""
    data = [model_info(model) for model in MODELS.values()]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"],
        "last_id": data[-1]["id"],
    }


def _supported(flag: bool, /) -> JsonObject:  # noqa: FBT001 - the flag is the whole value
    return {"supported": flag}


def _display_name(model_id: str) -> str:
    family, *version = model_id.removeprefix("claude-").split("-")
    return f"Claude {family.title()} {'.'.join(version)} (simulated)"
