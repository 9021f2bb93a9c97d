"""The signature under a judge's report."""

from __future__ import annotations

from pytest_agentcore.checking.inside.signing import OneTimeKey, verify


def test_a_signature_fits_one_message_and_one_key() -> None:
    key, other = OneTimeKey(), OneTimeKey()
    signature = key.sign(b"report")
    assert verify(key.commitment(), b"report", signature)
    assert not verify(key.commitment(), b"Report", signature)
    assert not verify(other.commitment(), b"report", signature)
    assert not verify(key.commitment(), b"report", other.sign(b"report"))
    assert not verify(key.commitment(), b"report", signature[:-2])
    assert not verify(key.commitment(), b"report", "no hex")
    assert not verify("", b"report", "")
