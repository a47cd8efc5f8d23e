"""Signatures of thinking blocks, bound to the model and to the conversation before the block."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

_KEY: Final = b"budget_magic simulator"
_MAC_BYTES: Final = 12
_PREFIX_BYTES: Final = 16
_MODEL_BYTES: Final = 6
_TOKENS_BYTES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A decoded signature."""

    model: bytes
    prefix: bytes
    tokens: int
    """Tokens of the raw thinking, which the shown text does not tell."""

    def is_by(self, model_id: str) -> bool:
        """Return whether this model generated the block."""
        return self.model == _model_digest(model_id)

    def follows(self, prefix: bytes) -> bool:
        """Return whether the block was generated after exactly this conversation."""
        return self.prefix == prefix[:_PREFIX_BYTES]


def sign(model_id: str, prefix: bytes, tokens: int) -> str:
    """Return the signature of a block with so many raw tokens after a prefix of this digest."""
    payload = (
        _model_digest(model_id) + prefix[:_PREFIX_BYTES] + tokens.to_bytes(_TOKENS_BYTES, "big")
    )
    return base64.b64encode(_mac(payload) + payload).decode()


def read_signature(signature: str) -> Signature | None:
    """Decode a signature; None if the simulator did not make it."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if len(payload) != _MODEL_BYTES + _PREFIX_BYTES + _TOKENS_BYTES or mac != _mac(payload):
        return None
    return Signature(
        model=payload[:_MODEL_BYTES],
        prefix=payload[_MODEL_BYTES:-_TOKENS_BYTES],
        tokens=int.from_bytes(payload[-_TOKENS_BYTES:], "big"),
    )


def _model_digest(model_id: str) -> bytes:
    return hashlib.blake2b(model_id.encode(), digest_size=_MODEL_BYTES).digest()


def _mac(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=_KEY, digest_size=_MAC_BYTES).digest()
