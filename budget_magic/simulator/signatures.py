"""Signatures of thinking blocks, bound to the model and to the conversation before the block."""

from __future__ import annotations

import base64
import hashlib
from typing import Final, NamedTuple

_KEY: Final = b"budget_magic simulator"
_MAC_BYTES: Final = 12
_PREFIX_BYTES: Final = 16
_MODEL_BYTES: Final = 6
_TOKENS_BYTES: Final = 5


class Signature(NamedTuple):
    """A decoded signature."""

    model: bytes
    prefix: bytes
    tokens: int
    """Tokens of the raw thinking, which the shown text does not reveal."""

    def is_by(self, model_id: str) -> bool:
        """Return whether this model generated the block."""
        return self.model == _digest(model_id.encode(), _MODEL_BYTES)

    def follows(self, prefix: bytes) -> bool:
        """Return whether the block was generated after exactly this conversation."""
        return self.prefix == prefix[:_PREFIX_BYTES]


def sign(model_id: str, prefix: bytes, tokens: int) -> str:
    """Sign a thinking block of `tokens` raw tokens that follows the prefix with this digest."""
    model = _digest(model_id.encode(), _MODEL_BYTES)
    payload = model + prefix[:_PREFIX_BYTES] + tokens.to_bytes(_TOKENS_BYTES, "big")
    return base64.b64encode(_digest(payload, _MAC_BYTES, _KEY) + payload).decode()


def read_signature(signature: str) -> Signature | None:
    """Decode a signature; None if the simulator did not make it."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not payload or mac != _digest(payload, _MAC_BYTES, _KEY):
        return None
    model, prefix = payload[:_MODEL_BYTES], payload[_MODEL_BYTES:-_TOKENS_BYTES]
    return Signature(model, prefix, int.from_bytes(payload[-_TOKENS_BYTES:], "big"))


def _digest(data: bytes, size: int, key: bytes = b"") -> bytes:
    return hashlib.blake2b(data, digest_size=size, key=key).digest()
