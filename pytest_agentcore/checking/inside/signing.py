"""One-time signatures (Lamport 1979) over SHA-256: what the judge says cannot be forged by who shares its output.

The judge prints its commitment before any of the model's code runs. A signature reveals one of two secrets per bit of
the report's digest, so whoever reads it, and could even hold it back, cannot sign anything else with it.
"""

from __future__ import annotations

import os
from hashlib import sha256

_SIZE = 32
"""Bytes of a secret and of a digest; a signature has `2 * 8 * _SIZE` pieces of this size."""


class OneTimeKey:
    """Signs one message."""

    def __init__(self) -> None:
        self._secrets = [(os.urandom(_SIZE), os.urandom(_SIZE)) for _ in range(8 * _SIZE)]

    def commitment(self) -> str:
        """What a signature is verified against, hex."""
        return sha256(b"".join(sha256(secret).digest() for pair in self._secrets for secret in pair)).hexdigest()

    def sign(self, message: bytes) -> str:
        """Per bit of the digest the secret of its value, then the hash of the other one; hex."""
        pieces = []
        for pair, bit in zip(self._secrets, _bits(message), strict=True):
            pieces += [pair[bit], sha256(pair[1 - bit]).digest()]
        return b"".join(pieces).hex()


def verify(commitment: str, message: bytes, signature: str) -> bool:
    """Whether the key behind the commitment signed this message."""
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        return False
    pieces = [raw[at : at + _SIZE] for at in range(0, len(raw), _SIZE)]
    if len(raw) != 2 * 8 * _SIZE * _SIZE:
        return False
    hashes: list[bytes] = []
    for revealed, other, bit in zip(pieces[::2], pieces[1::2], _bits(message), strict=True):
        pair = (other, sha256(revealed).digest()) if bit else (sha256(revealed).digest(), other)
        hashes.extend(pair)
    return sha256(b"".join(hashes)).hexdigest() == commitment


def _bits(message: bytes) -> list[int]:
    return [byte >> shift & 1 for byte in sha256(message).digest() for shift in range(8)]
