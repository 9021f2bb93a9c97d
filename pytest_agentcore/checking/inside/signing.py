"""The judge's report: one-time signatures (Lamport 1979) over SHA-256, which nobody can forge who shares its output.

The judge prints its commitment before any of the model's code runs. A signature reveals one of two secrets per bit of
the report's digest, so whoever reads it, and could even hold it back, cannot sign anything else with it.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import Any

COMMITMENT = b"agentcore-commitment "
REPORT = b"agentcore-report "
"""Begin the two lines that a judge prints."""
_SIZE = 32
"""Bytes of a secret and of a digest; a signature has `2 * 8 * _SIZE` pieces of this size."""


class OneTimeKey:
    """Signs one message."""

    def __init__(self) -> None:
        self._secrets = [(os.urandom(_SIZE), os.urandom(_SIZE)) for _ in range(8 * _SIZE)]

    def commitment(self) -> str:
        """The digest of all secrets' digests, hex; a signature is verified against it."""
        return sha256(b"".join(sha256(secret).digest() for pair in self._secrets for secret in pair)).hexdigest()

    def sign(self, message: bytes) -> str:
        """Reveal, for each bit of the digest, the secret of its value and then the hash of the other one; hex."""
        pairs = zip(self._secrets, _bits(message), strict=True)
        return b"".join(pair[bit] + sha256(pair[1 - bit]).digest() for pair, bit in pairs).hex()


def verify(commitment: str, message: bytes, signature: str) -> bool:
    """Whether the key behind the commitment signed this message."""
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        return False
    if len(raw) != 2 * 8 * _SIZE * _SIZE:
        return False
    pieces = [raw[at : at + _SIZE] for at in range(0, len(raw), _SIZE)]
    hashes = b""
    for revealed, other, bit in zip(pieces[::2], pieces[1::2], _bits(message), strict=True):
        known = sha256(revealed).digest()
        hashes += other + known if bit else known + other
    return sha256(hashes).hexdigest() == commitment


def signed_report(output: bytes) -> dict[str, Any] | None:
    """The report in a judge's output whose signature fits the commitment that was printed before anything else."""
    lines = output.split(b"\n")
    commitment = next((line.removeprefix(COMMITMENT) for line in lines if line.startswith(COMMITMENT)), b"")
    for line in lines:
        body, _space, signature = line.removeprefix(REPORT).rpartition(b" ")
        if line.startswith(REPORT) and verify(_ascii(commitment), body, _ascii(signature)):
            report: dict[str, Any] = json.loads(body)
            return report
    return None


def _ascii(text: bytes) -> str:
    return text.decode("ascii", "replace")


def _bits(message: bytes) -> list[int]:
    return [byte >> shift & 1 for byte in sha256(message).digest() for shift in range(8)]
