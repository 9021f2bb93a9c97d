"""Secrets do not get into the record, and what is none stays readable."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from pytest_agentcore.redact import REDACTED, ScrubbedRecords, Secrets, redact, redact_address, secrets_in

SECRET = "s3cr3tvaluethatmustnotshow"


@pytest.mark.parametrize(
    "given",
    [
        ["--api-key", SECRET],
        ["--api-key", f"={SECRET}"],
        [f"--api-key={SECRET}"],
        [f"--agentcore-hf-token={SECRET}"],
        ["--agentcore-engine", f"api_key={SECRET}"],
        ["--password", SECRET],
        [f"https://user:{SECRET}@example.org/v1"],
        [f"https://example.org/v1?key={SECRET}&x=1"],
        [f"--agentcore-base-url=https://example.org/v1?x=1&api_key={SECRET}"],
        [f"https://example.org/v1?api-key={SECRET}", f"https://example.org/v1?subscription-key={SECRET}#x"],
        {"base_url": f"https://example.org/v1?access_token={SECRET}&sig={SECRET}"},
        f"GET https://example.org/v1?apikey={SECRET} failed",
        [f"sk-{SECRET}"],
        [f"hf_{SECRET}"],
        [f"github_pat_{SECRET}"],
        {"authorization": SECRET},
        {"engine": {"api_key": SECRET, "headers": [f"Authorization: Bearer {SECRET}"]}},
    ],
)
def test_secrets_are_replaced(given: Any) -> None:
    shown = json.dumps(redact(given))

    assert SECRET not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "given",
    [
        ["--agentcore-reply-tokens", "4096", "--model=/models/tiny.gguf", "-k", "task_05"],
        ["--agentcore-sampling", "top_k=20", "-p", "no:cacheprovider", "--token", "-x"],
        {"eos_token": "<|im_end|>", "cache_key": "abc", "sampling": {"top_k": 20}},
        {"properties": {"key": {"type": "string"}}, "required": ["key", "token"]},
        {"n": 1, "flag": True, "nothing": None, "list": [1.5, {"a": "b"}]},
        "http://127.0.0.1:8080/v1",
        "https://example.org/v1?monkey=1&api-version=2026-01-01&keys=3&tokens=4",
        "2026-06-10-smollm2-135m-agentic-core-v1",
    ],
)
def test_what_is_no_secret_stays(given: Any) -> None:
    assert redact(given) == given


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://{SECRET}@example.org/v1", f"https://{REDACTED}@example.org/v1"),
        (f"https://me:{SECRET}@@example.org/v1", f"https://{REDACTED}@example.org/v1"),
        (f"https://example.org/v1?code={SECRET}&x=1", f"https://example.org/v1?code={REDACTED}&x=1"),
        (f"https://example.org/v1?api/key={SECRET}", f"https://example.org/v1?api/key={REDACTED}"),
        (f"https://example.org/v1?api%5Fkey={SECRET}", f"https://example.org/v1?api%5Fkey={REDACTED}"),
        (f"https://example.org/v1?{SECRET}", f"https://example.org/v1?{REDACTED}"),
        (f"https://example.org/v1#{SECRET}", "https://example.org/v1"),
        ("https://example.org/v1?key=ab&api-version=2024-10-21-preview", None),
        ("https://example.org/v1?model=gpt-5-mini&region=eu-west", None),
        ("http://127.0.0.1:8080/v1", None),
    ],
)
def test_addresses_of_endpoints_show_only_what_is_known_to_be_public(url: str, shown: str | None) -> None:
    expected = shown or url.replace("key=ab", f"key={REDACTED}")
    assert redact_address(url) == redact_address(redact_address(url)) == expected
    assert redact({"base_url": url}) == {"base_url": expected}
    assert redact(["--agentcore-base-url", url, f"--agentcore-base-url={url}"]) == [
        "--agentcore-base-url",
        expected,
        f"--agentcore-base-url={expected}",
    ]


HARD = 'p/s%+= "é\\&w0rd'


def spellings(secret: str) -> list[str]:
    """The ways in which a value stands in logs of libraries, JSON, headers and pages."""
    octets = secret.encode()
    return [
        *(secret, quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret, safe="").lower()),
        *(json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(octets)[2:-1], html.escape(secret)),
        *(json.dumps(secret, ensure_ascii=False)[1:-1], secret.replace("/", "\\/")),
    ]


@pytest.mark.parametrize("secret", [SECRET, HARD])
def test_a_secret_is_found_in_every_spelling(secret: str) -> None:
    secrets = Secrets(*secrets_in(f"https://{quote('me:' + secret, safe='')}@example.org/v1?code={quote(secret)}"))
    for spelled in spellings(secret):
        assert secrets.scrub(f"a {spelled} b") == f"a {REDACTED} b"
    for before in ("", "m", "me", "me:"):  # inside of other base64, wherever it begins
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(f"{before}{secret} and more".encode()).decode()
            clean = secrets.scrub(f"a {encoded} b")
            longest = max(len(one) for one in re.split(r"\[redacted\]| ", clean))
            assert REDACTED in clean
            assert longest < 20
    assert secrets.hide({"a": [secret, 1, None], secret: (secret,)}) == {
        "a": [REDACTED, 1, None],
        REDACTED: (REDACTED,),
    }


def test_short_values_are_left_in_words_and_found_by_what_stands_before_them() -> None:
    secrets = Secrets(*secrets_in("https://me:1234@example.org/v1?key=ab"))
    assert secrets.scrub("able 1234") == "able 1234"
    assert secrets.scrub("GET https://me:1234@example.org/v1?key=ab") == (
        f"GET https://{REDACTED}@example.org/v1?key={REDACTED}"
    )
    assert secrets.scrub("Authorization: Basic bWU6MTIzNA==") == f"Authorization: Basic {REDACTED}"
    assert not Secrets("")


@pytest.mark.parametrize(
    "line",
    [
        f"[(b'Set-Cookie', b'session={SECRET}; Path=/')]",
        f"Headers({{'set-cookie': '{SECRET}', 'x': 'y'}})",
        f"send_request_headers [(b'Authorization', b'Bearer {SECRET}')]",
        f"GET https://cdn.example.org/file?X-Amz-Signature={SECRET}&Expires=3",
    ],
)
def test_secrets_of_headers_and_signed_addresses_are_in_no_log(line: str) -> None:
    assert SECRET not in Secrets().scrub(line)


def test_records_are_scrubbed_whatever_takes_them_and_only_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = logging.getLogRecordFactory()
    outer, inner = ScrubbedRecords(Secrets(SECRET).scrub), ScrubbedRecords(Secrets("another-secret").scrub)
    log = logging.getLogger("some.library")
    log.debug("one %s, %s", SECRET, ["another-secret"])
    log.debug(f"%d {SECRET}", "no number")
    log.debug("plain %s", "words")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("broken")
    assert SECRET not in caplog.text
    assert "another-secret" not in caplog.text
    assert f"one {REDACTED}, ['{REDACTED}']" in caplog.text
    assert "ValueError" in caplog.text
    assert caplog.records[2].args == ("words",)
    outer.close()
    inner.close()
    log.debug(SECRET)
    assert SECRET in caplog.text
    inner.close()
    logging.setLogRecordFactory(made)
