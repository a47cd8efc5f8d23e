"""What each model supports beyond the shared model table, and the responses of `/v1/models`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from budget_magic.models import EFFORT_LEVELS, MODELS, Model, find_model
from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.tokens import JsonObject

_THINKING_TYPES: Final = ("adaptive", "enabled", "disabled", "between_tools")
_OLD_STYLE: Final = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5")
_THINKS_WHEN_ASKED: Final = (*_OLD_STYLE, "claude-opus-4-7", "claude-opus-4-8")
_ALWAYS_THINKS: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable", "claude-mythos")
_MEDIUM_BY_DEFAULT: Final = ("claude-opus-5-5", "claude-haiku-5-5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a model supports (platform docs "Thinking", "Compaction on demand", 2026-11)."""

    thinking_types: frozenset[str]
    """The `thinking.type` values that it accepts."""
    default_thinking: Literal["adaptive", "disabled"]
    default_display: str
    default_effort: str | None
    """None if the model has no effort parameter."""
    sampling: bool
    """Whether `temperature`, `top_p` and `top_k` may differ from their defaults."""
    compaction: bool
    disabled_above_high: bool
    """Whether thinking may be disabled at effort `xhigh` and `max`."""


def get_model(model_id: str) -> Model:
    """Return the model with this id; raise `ApiError` 404 for an unknown one."""
    model = find_model(model_id)
    if model is None:
        raise ApiError(f"model: {model_id}", status=404)
    return model


def capabilities_of(model: Model) -> Capabilities:
    """Return what the model supports."""
    is_old = model.id in _OLD_STYLE
    accepted = {
        "adaptive": model.adaptive_thinking,
        "enabled": is_old,
        "disabled": not model.id.startswith(_ALWAYS_THINKS),
        "between_tools": model.id == "claude-sonnet-5-5",
    }
    effort = "medium" if model.id in _MEDIUM_BY_DEFAULT else "high"
    return Capabilities(
        thinking_types=frozenset(name for name, accepts in accepted.items() if accepts),
        default_thinking="disabled" if model.id in _THINKS_WHEN_ASKED else "adaptive",
        default_display="summarized" if is_old else "omitted",
        default_effort=effort if model.effort_levels else None,
        sampling=is_old,
        compaction=model.id != "claude-haiku-4-5",
        disabled_above_high=model.id not in ("claude-opus-5", "claude-haiku-5-5"),
    )


def model_info(model: Model) -> JsonObject:
    """Return the response of `GET /v1/models/{id}`."""
    family, *version = model.id.removeprefix("claude-").split("-")
    known = capabilities_of(model)
    yes, no, compaction = ({"supported": one} for one in (True, False, known.compaction))
    efforts = {level: {"supported": level in model.effort_levels} for level in EFFORT_LEVELS}
    types = {name: {"supported": name in known.thinking_types} for name in _THINKING_TYPES}
    return {
        "type": "model",
        "id": model.id,
        "display_name": f"Claude {family.title()} {'.'.join(version)} (simulated)",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        **dict.fromkeys(("line", "deprecated_at", "retires_at")),
        "allowed_fallback_models": [],
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
        "capabilities": {
            **dict.fromkeys(("batch", "citations"), yes),
            "code_execution": no,
            "compaction": {**compaction, "summarize": compaction},
            "context_management": no,
            "effort": {"supported": bool(model.effort_levels), **efforts},
            **dict.fromkeys(("image_input", "pdf_input"), yes),
            "server_tools": {**no, "web_search": no, "code_execution": no},
            "structured_outputs": no,
            "thinking": {**yes, "types": types},
        },
    }


def model_list() -> JsonObject:
    """Return the response of `GET /v1/models`: one page with every model."""
    data = [model_info(model) for model in MODELS.values()]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
    return {"data": data, "has_more": False, **ends}
