"""Deliveries are believed for a signature over their raw bytes, and for nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.apps.triage import signatures
from holdfast.apps.triage.dialect import Scheme
from holdfast.apps.triage.signatures import (
    Delivery,
    InvalidSecret,
    SignatureRefused,
    StaleDelivery,
    prove,
    read_secrets,
    sign_standard,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/webhooks/standard-webhooks/vectors.json").read_text())
BODY = VECTORS["payload"].encode()
OLD, NEW = "an old secret, long enough", "a new secret, long enough"
STANDARD = VECTORS["secret"]
OTHER_STANDARD = "whsec_" + base64.b64encode(b"another key of 24 bytes.").decode()
NOW_S = 1614265330.0
HEX: dict[Scheme, tuple[str, str, str]] = {
    "github-sha256": ("x-hub-signature-256", "sha256=", "sha256"),
    "jira-sha256": ("x-hub-signature", "sha256=", "sha256"),
    "gitea-sha256": ("x-gitea-signature", "", "sha256"),
    "zammad-sha1": ("x-hub-signature", "sha1=", "sha1"),
}
SCHEMES: list[Scheme] = [*HEX, "standard-webhooks", "gitlab", "bearer"]


def _secret(scheme: Scheme, *, new: bool = False) -> str:
    if scheme == "standard-webhooks":
        return OTHER_STANDARD if new else STANDARD
    return NEW if new else OLD


def _headers(scheme: Scheme, secret: str, body: bytes = BODY) -> dict[str, str]:
    if scheme == "bearer":
        return {"authorization": f"Bearer {secret}"}
    if scheme == "gitlab":
        return {"x-gitlab-token": secret}
    if scheme == "standard-webhooks":
        key = base64.b64decode(secret.removeprefix("whsec_"))
        stamp = str(int(NOW_S))
        signature = sign_standard(key, signed_id="msg_1", stamp=stamp, body=body).decode()
        return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    header, prefix, function = HEX[scheme]
    return {header: prefix + hmac.new(secret.encode(), body, function).hexdigest()}


def _delivery(headers: dict[str, str], body: bytes = BODY, *, now_s: float | None = NOW_S) -> Delivery:
    return Delivery(headers, body, now_s, 300.0)


def _signature_header(headers: dict[str, str]) -> str:
    return next(name for name in headers if name not in ("webhook-id", "webhook-timestamp"))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda one: one["name"])
def test_the_vectors_of_standard_webhooks_pass(vector: dict) -> None:
    delivery = Delivery(vector["headers"], BODY, vector["now"], 300.0)
    secrets = read_secrets([STANDARD], "standard-webhooks")
    if vector["valid"]:
        assert prove(delivery, "standard-webhooks", secrets).signed_id == VECTORS["msg_id"]
    else:
        with pytest.raises(SignatureRefused):
            prove(delivery, "standard-webhooks", secrets)


@pytest.mark.parametrize(
    ("scheme", "body", "digest"),
    [
        # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        ("github-sha256", b"Hello, World!", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
        # https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks
        ("jira-sha256", b"Hello World!", "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"),
    ],
)
def test_the_makers_own_examples_pass(scheme: Scheme, body: bytes, digest: str) -> None:
    secrets = read_secrets(["It's a Secret to Everybody"], scheme)
    assert prove(_delivery({HEX[scheme][0]: f"sha256={digest}"}, body), scheme, secrets).signed_id == ""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_during_a_rotation_either_secret_is_good(scheme: Scheme) -> None:
    secrets = read_secrets([_secret(scheme), _secret(scheme, new=True)], scheme)
    for secret in (_secret(scheme), _secret(scheme, new=True)):
        prove(_delivery(_headers(scheme, secret)), scheme, secrets)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_of_another_secret_is_refused(scheme: Scheme) -> None:
    with pytest.raises(SignatureRefused):
        prove(_delivery(_headers(scheme, _secret(scheme, new=True))), scheme, read_secrets([_secret(scheme)], scheme))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_cut_anywhere_is_refused(scheme: Scheme) -> None:
    headers, secrets = _headers(scheme, _secret(scheme)), read_secrets([_secret(scheme)], scheme)
    name = _signature_header(headers)
    for length in range(len(headers[name])):
        with pytest.raises(SignatureRefused):
            prove(_delivery({**headers, name: headers[name][:length]}), scheme, secrets)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_delivery_without_a_signature_is_refused(scheme: Scheme) -> None:
    with pytest.raises(SignatureRefused):
        prove(_delivery({}), scheme, read_secrets([_secret(scheme)], scheme))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_a_secret_nothing_is_believed(scheme: Scheme) -> None:
    for headers in ({}, _headers(scheme, _secret(scheme)), {"authorization": "Bearer ", "x-gitlab-token": ""}):
        with pytest.raises(SignatureRefused):
            prove(_delivery(headers), scheme, read_secrets([], scheme))


@pytest.mark.parametrize("scheme", [*HEX, "standard-webhooks"])
def test_a_signature_moved_to_another_body_is_refused(scheme: Scheme) -> None:
    headers, secrets = _headers(scheme, _secret(scheme)), read_secrets([_secret(scheme)], scheme)
    for body in (BODY + b" ", BODY[:-1], b"", BODY.replace(b" ", b"")):
        with pytest.raises(SignatureRefused):
            prove(_delivery(headers, body), scheme, secrets)


@pytest.mark.parametrize("scheme", list(HEX))
def test_another_writing_of_the_right_digest_is_refused(scheme: Scheme) -> None:
    header, prefix, function = HEX[scheme]
    digest = hmac.new(OLD.encode(), BODY, function)
    wrong = (
        prefix + digest.hexdigest().upper(),
        prefix + base64.b64encode(digest.digest()).decode(),
        digest.hexdigest() if prefix else f"sha256={digest.hexdigest()}",
        prefix + digest.hexdigest() + " ",
        prefix + digest.digest().decode("latin-1"),
        "é" + prefix + digest.hexdigest(),
        "\N{SNOWMAN}" * 64,
    )
    for text in wrong:
        with pytest.raises(SignatureRefused):
            prove(_delivery({header: text}), scheme, read_secrets([OLD], scheme))


def test_a_plain_hash_of_the_body_is_no_signature() -> None:
    headers = {"x-hub-signature-256": "sha256=" + hashlib.sha256(BODY).hexdigest()}
    with pytest.raises(SignatureRefused):
        prove(_delivery(headers), "github-sha256", read_secrets([OLD], "github-sha256"))


def test_jira_does_not_take_the_weaker_hash_in_the_same_header() -> None:
    headers = {"x-hub-signature": "sha1=" + hmac.new(OLD.encode(), BODY, "sha1").hexdigest()}
    with pytest.raises(SignatureRefused):
        prove(_delivery(headers), "jira-sha256", read_secrets([OLD], "jira-sha256"))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_stamp_are_covered_by_the_signature(name: str) -> None:
    headers = _headers("standard-webhooks", STANDARD)
    headers[name] = {"webhook-id": "msg_2", "webhook-timestamp": str(int(NOW_S) + 1)}[name]
    with pytest.raises(SignatureRefused):
        prove(_delivery(headers), "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))


def test_an_id_with_a_dot_is_refused_as_its_signature_would_fit_two_deliveries() -> None:
    key, stamp = base64.b64decode(STANDARD.removeprefix("whsec_")), str(int(NOW_S))
    signature = sign_standard(key, signed_id="msg.1", stamp=stamp, body=BODY).decode()
    headers = {"webhook-id": "msg.1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    with pytest.raises(SignatureRefused, match="webhook-id"):
        prove(_delivery(headers), "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))


def test_two_halves_of_different_deliveries_do_not_make_one() -> None:
    first, second = _headers("standard-webhooks", STANDARD), _headers("standard-webhooks", STANDARD, b"{}")
    swapped = {**first, "webhook-signature": second["webhook-signature"]}
    with pytest.raises(SignatureRefused):
        prove(_delivery(swapped), "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))


@pytest.mark.parametrize("seconds", [-100_000, -301, 301, 100_000])
def test_a_stale_delivery_is_refused_and_both_clocks_are_named(seconds: int) -> None:
    delivery = _delivery(_headers("standard-webhooks", STANDARD), now_s=NOW_S + seconds)
    with pytest.raises(StaleDelivery, match="compare both clocks"):
        prove(delivery, "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))


def test_a_forged_delivery_does_not_learn_what_time_it_is_here() -> None:
    delivery = _delivery(_headers("standard-webhooks", OTHER_STANDARD), now_s=NOW_S + 10_000)
    with pytest.raises(SignatureRefused) as refused:
        prove(delivery, "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))
    assert not isinstance(refused.value, StaleDelivery)


def test_while_the_clock_is_not_trusted_no_time_stamp_is_judged() -> None:
    delivery = _delivery(_headers("standard-webhooks", STANDARD), now_s=None)
    proof = prove(delivery, "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))
    assert proof.signed_id == "msg_1"


def test_of_a_list_of_signatures_only_the_first_sixteen_are_tried() -> None:
    headers = _headers("standard-webhooks", STANDARD)
    good = headers["webhook-signature"]
    secrets = read_secrets([STANDARD], "standard-webhooks")
    prove(_delivery({**headers, "webhook-signature": "v1,AAAA " * 15 + good}), "standard-webhooks", secrets)
    with pytest.raises(SignatureRefused):
        prove(_delivery({**headers, "webhook-signature": "v1,AAAA " * 16 + good}), "standard-webhooks", secrets)


def test_a_newer_gitlab_signs_and_a_secret_that_signs_is_no_token() -> None:
    secrets = read_secrets([STANDARD], "gitlab")
    assert prove(_delivery(_headers("standard-webhooks", STANDARD)), "gitlab", secrets).signed_id == "msg_1"
    with pytest.raises(SignatureRefused):
        prove(_delivery({"x-gitlab-token": STANDARD}), "gitlab", secrets)


def test_a_bad_signature_is_not_made_good_by_the_right_token() -> None:
    headers = {**_headers("standard-webhooks", OTHER_STANDARD), "x-gitlab-token": OLD}
    with pytest.raises(SignatureRefused):
        prove(_delivery(headers), "gitlab", read_secrets([OLD, STANDARD], "gitlab"))


@pytest.mark.parametrize(
    ("text", "scheme"),
    [("short", "github-sha256"), ("not base64 at all, but long", "standard-webhooks"), ("whsec_AAAA", "gitlab")],
)
def test_a_secret_that_cannot_be_one_is_refused_without_being_shown(text: str, scheme: Scheme) -> None:
    with pytest.raises(InvalidSecret) as refused:
        read_secrets([text], scheme)
    assert text not in str(refused.value)


def test_secrets_do_not_show_in_what_is_printed() -> None:
    secrets = read_secrets([OLD], "github-sha256")
    assert OLD not in repr(secrets) + str(secrets)


@given(headers=st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_whatever_the_headers_say_the_answer_is_no_and_not_a_failure(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        prove(_delivery(headers), "standard-webhooks", read_secrets([STANDARD], "standard-webhooks"))


def test_every_signature_is_held_against_every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the match is must not change how much is compared."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def count(given: bytes, expected: bytes) -> bool:
        compared.append((len(given), len(expected)))
        return compare(given, expected)

    monkeypatch.setattr(signatures.hmac, "compare_digest", count)
    counts = set()
    for secrets in ([STANDARD, OTHER_STANDARD], [OTHER_STANDARD, STANDARD]):
        compared.clear()
        headers = _headers("standard-webhooks", STANDARD)
        headers["webhook-signature"] = f"v1,{'A' * 43}= {headers['webhook-signature']} v1,{'B' * 43}="
        prove(_delivery(headers), "standard-webhooks", read_secrets(secrets, "standard-webhooks"))
        counts.add(tuple(compared))
    assert counts == {((44, 44),) * 6}


def test_the_time_a_refusal_takes_does_not_tell_where_the_signature_is_wrong() -> None:
    """First byte wrong against last byte wrong, interleaved: the medians are the same within what timers can tell."""
    secrets = read_secrets([OLD], "github-sha256")
    right = _headers("github-sha256", OLD)["x-hub-signature-256"]
    flipped = {"0": "1"}
    first = "sha256=" + flipped.get(right[7], "0") + right[8:]
    last = right[:-1] + flipped.get(right[-1], "0")
    took: dict[str, list[int]] = {first: [], last: []}
    deliveries = {text: _delivery({"x-hub-signature-256": text}) for text in took}
    for _ in range(4000):
        for text, delivery in deliveries.items():
            begun = time.perf_counter_ns()
            try:
                prove(delivery, "github-sha256", secrets)
            except SignatureRefused:
                took[text].append(time.perf_counter_ns() - begun)
    early, late = (statistics.median(one) for one in took.values())
    assert 0.85 < early / late < 1.15


def test_a_delivery_can_be_replayed_only_with_its_own_id() -> None:
    secrets = read_secrets([STANDARD], "standard-webhooks")
    delivery = _delivery(_headers("standard-webhooks", STANDARD))
    again = replace(delivery, now_s=NOW_S + 299)
    assert prove(delivery, "standard-webhooks", secrets) == prove(again, "standard-webhooks", secrets)
