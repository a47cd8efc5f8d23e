"""Signatures of thinking blocks: bound to the model and to the conversation before the block."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

_KEY: Final = b"budget_magic simulator"
_MAC: Final = 12
_PREFIX: Final = 16
_MODEL: Final = 6
_COUNT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a signature says of its block."""

    model: bytes
    prefix: bytes
    tokens: int
    """Raw thinking tokens, which the shown text does not tell."""


def sign(model_id: str, prefix: bytes, tokens: int) -> str:
    """The signature of a thinking block.

    Parameters
    ----------
    model_id
        The model that thought.
    prefix
        Digest of tools, system and everything before the block.
    tokens
        Raw tokens of the block.
    """
    body = _model_digest(model_id) + prefix[:_PREFIX] + tokens.to_bytes(_COUNT, "big")
    return base64.b64encode(_mac(body) + body).decode()


def read_signature(signature: str) -> Signed | None:
    """What the signature says; None where it is none of ours."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, body = raw[:_MAC], raw[_MAC:]
    if len(body) != _MODEL + _PREFIX + _COUNT or mac != _mac(body):
        return None
    return Signed(
        model=body[:_MODEL],
        prefix=body[_MODEL : _MODEL + _PREFIX],
        tokens=int.from_bytes(body[_MODEL + _PREFIX :], "big"),
    )


def made_by(signed: Signed, model_id: str) -> bool:
    """Whether that model made the block."""
    return signed.model == _model_digest(model_id)


def follows(signed: Signed, prefix: bytes) -> bool:
    """Whether the block was made after exactly this conversation."""
    return signed.prefix == prefix[:_PREFIX]


def _model_digest(model_id: str) -> bytes:
    return hashlib.blake2b(model_id.encode(), digest_size=_MODEL).digest()


def _mac(body: bytes) -> bytes:
    return hashlib.blake2b(body, key=_KEY, digest_size=_MAC).digest()
