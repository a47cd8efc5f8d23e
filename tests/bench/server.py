"""A Messages API that plays one fixed loop after a fixed wait, in a process of its own.

    python -m tests.bench.server DELAY_S STEPS

prints its port, then serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any, Final

_MODEL: Final = "claude-opus-5-5"
_WORDS: Final = (
    "I look at the next part, ",
    "then I compare it with what ",
    "I have read so far. ",
)


def _event(body: dict[str, Any]) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


def _block(index: int, start: dict[str, Any], deltas: list[dict[str, Any]]) -> list[bytes]:
    opened = {"type": "content_block_start", "index": index, "content_block": start}
    pieces = [{"type": "content_block_delta", "index": index, "delta": one} for one in deltas]
    return [
        _event(one) for one in (opened, *pieces, {"type": "content_block_stop", "index": index})
    ]


def _reply(step: int, steps: int) -> bytes:
    """A thought, a sentence and, before the last step, one call: 9 deltas."""
    usage = {
        "input_tokens": 60,
        "cache_creation_input_tokens": 140,
        "cache_read_input_tokens": 1_000 + 200 * step,
        "output_tokens": 1,
    }
    message: dict[str, Any] = {
        "id": f"msg_{step:04}", "type": "message", "role": "assistant", "model": _MODEL,
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    thinking = [{"type": "thinking_delta", "thinking": words} for words in _WORDS]
    thinking.append({"type": "signature_delta", "signature": "c2lnbmVk" * 8})
    said = [{"type": "text_delta", "text": words} for words in _WORDS]
    parts = [_event({"type": "message_start", "message": message})]
    parts += _block(0, {"type": "thinking", "thinking": "", "signature": ""}, thinking)
    parts += _block(1, {"type": "text", "text": ""}, said)
    calls = step < steps - 1
    if calls:
        call = {"type": "tool_use", "id": f"toolu_{step:04}", "name": "look", "input": {}}
        halves = ('{"place": ', f'"part {step}"}}')
        deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves]
        parts += _block(2, call, deltas)
    end = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    used = {"output_tokens": 90, "output_tokens_details": {"thinking_tokens": 40}}
    parts.append(_event({"type": "message_delta", "delta": end, "usage": used}))
    parts.append(_event({"type": "message_stop"}))
    return b"".join(parts)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, replies: list[bytes], delay_s: float
) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            _, _, length = head.partition(b"content-length:")
            body = await reader.readexactly(int(length.split(b"\r\n", 1)[0] or 0))
            reply = replies[body.count(b'"tool_result"')]
            await asyncio.sleep(delay_s)
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"request-id: req_bench\r\ncontent-length: %d\r\n\r\n" % len(reply) + reply
            )
            await writer.drain()
    writer.close()


async def _serve(delay_s: float, steps: int) -> None:
    replies = [_reply(step, steps) for step in range(steps)]
    server = await asyncio.start_server(
        lambda reader, writer: _answer(reader, writer, replies, delay_s), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the benchmark
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
