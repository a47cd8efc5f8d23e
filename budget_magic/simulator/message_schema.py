"""Pydantic models of the messages of a request and of their content blocks."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on

from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.tokens import JsonMapping, JsonObject

_T = TypeVar("_T")


def _to_blocks(content: object) -> object:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _require_text(text: str) -> str:
    if not text:
        raise ApiError("messages: text content blocks must be non-empty")
    return text


def _require_visible_text(text: str) -> str:
    if not _require_text(text).strip():
        raise ApiError("messages: text content blocks must contain non-whitespace text")
    return text


BlockList = Annotated[list[_T], BeforeValidator(_to_blocks)]
_Id = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
Effort = Literal["low", "medium", "high", "xhigh", "max"]


@with_config(ConfigDict(strict=True, extra="allow"))
class AsSent(TypedDict):
    """An object that is validated and kept as the client sent it."""


class CacheControl(AsSent):
    """`cache_control` of a request, tool or block."""

    type: Literal["ephemeral"]
    ttl: NotRequired[Literal["5m", "1h"]]


class _Block(AsSent):
    cache_control: NotRequired[CacheControl | None]


class TextBlock(_Block):
    """A text block."""

    type: Literal["text"]
    text: Annotated[str, AfterValidator(_require_visible_text)]


class _ResultPart(_Block):
    type: Literal["text"]
    text: Annotated[str, AfterValidator(_require_text)]


class _Media(_Block):
    type: Literal["image", "document"]


class _ToolUse(_Block):
    type: Literal["tool_use"]
    id: _Id
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,200}$")]
    input: JsonObject


class _ToolResult(_Block):
    type: Literal["tool_result"]
    tool_use_id: _Id
    content: NotRequired[
        BlockList[Annotated[_ResultPart | _Media, Field(discriminator="type")]] | None
    ]


class _ThinkingBlock(AsSent):
    type: Literal["thinking"]
    thinking: str
    signature: str
    cache_control: NotRequired[None]


class _RedactedThinking(AsSent):
    type: Literal["redacted_thinking"]
    cache_control: NotRequired[None]


@with_config(ConfigDict(strict=True, extra="forbid"))
class _Compaction(TypedDict):
    type: Literal["compaction"]
    content: NotRequired[str | None]
    encrypted_content: NotRequired[str]
    signature: str
    cache_control: NotRequired[CacheControl]


class ApiModel(BaseModel, strict=True, extra="forbid"):
    """An object of the request, without unknown fields."""


class Message(ApiModel):
    """A message, its content always a list of blocks."""

    role: str
    content: list[Any]

    @property
    def kinds(self) -> set[str]:
        """The types of its blocks."""
        return {block["type"] for block in self.content}

    @property
    def effort(self) -> Effort | None:
        """The effort from here on; only a system message can set it."""
        return None


class UserMessage(Message):
    """A prompt, or tool results."""

    role: Literal["user"]
    content: BlockList[
        Annotated[TextBlock | _ToolResult | _Media | _Compaction, Field(discriminator="type")]
    ]


class AssistantMessage(Message):
    """An earlier reply."""

    role: Literal["assistant"]
    content: BlockList[
        Annotated[
            TextBlock | _ToolUse | _ThinkingBlock | _RedactedThinking | _Compaction,
            Field(discriminator="type"),
        ]
    ]


class _MessageConfig(ApiModel):
    effort: Effort | None = None


class SystemMessage(Message):
    """An instruction during the conversation, or a change of the effort from here on."""

    role: Literal["system"]
    content: BlockList[TextBlock]
    output_config: _MessageConfig | None = None
    clear_at: Any = None

    @property
    def effort(self) -> Effort | None:
        """The effort from here on."""
        return self.output_config.effort if self.output_config else None


def cache_ttl(cache_control: JsonMapping | None) -> str | None:
    """Return the time to live of a cache breakpoint; None if there is none."""
    return None if cache_control is None else cache_control.get("ttl", "5m")
