"""Signatures: whether a delivery comes from who it says, judged over its raw bytes before anything reads them.

Every comparison is `hmac.compare_digest` over the encoded form, and every signature is held against every secret, so
that neither where two texts part nor which secret fits can be learned from the time it takes. Forms are taken exactly
as their makers write them: base64 with padding, hex in lower case.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.apps.triage.dialect import Scheme
from holdfast.errors import InvalidInput, Refused

__all__ = [
    "Delivery",
    "InvalidSecret",
    "Proof",
    "Secrets",
    "SignatureRefused",
    "StaleDelivery",
    "prove",
    "read_secrets",
    "sign_standard",
]

_PREFIX = "whsec_"
_LEAST_KEY_BYTES = 16
_MOST_SIGNATURES = 16  # of one delivery; a sender that rotates sends two
_MOST_ID_CHARACTERS = 256
_MOST_DIGITS = 12  # of a time stamp in seconds: until the year 33658


class SignatureRefused(Refused):
    """A delivery without a signature that one of the connection's secrets made."""


class StaleDelivery(SignatureRefused):
    """A well-signed delivery whose time stamp is too far from the node's clock."""


class InvalidSecret(InvalidInput):
    """A secret that cannot be what deliveries are signed with."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What one connection's deliveries may be signed with; it has no repr, so that no log shows it."""

    texts: tuple[bytes, ...]
    """As they are in their files."""
    keys: tuple[bytes, ...]
    """Those that are Standard Webhooks secrets, decoded."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it came."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    now_s: float | None
    """Seconds since 1970; None while the node's clock cannot be trusted: then no time stamp is judged, and what was
    delivered before is known by the store of seen ids alone."""
    tolerance_s: float
    depth: int = 64
    """Deepest nesting that is read."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a good signature says."""

    signed_id: str
    """The delivery's id, where the signature covers one; else empty."""


def read_secrets(texts: Sequence[str], scheme: Scheme) -> Secrets:
    """Check secrets for `scheme`. Raises InvalidSecret, naming none of their characters."""
    keys: list[bytes] = []
    for text in texts:
        if scheme == "standard-webhooks" or text.startswith(_PREFIX):
            keys.append(_standard_key(text))
        if len(text) < _LEAST_KEY_BYTES:
            raise InvalidSecret(f"secret: expected at least {_LEAST_KEY_BYTES} characters, found {len(text)}")
    return Secrets(tuple(text.encode() for text in texts), tuple(keys))


def prove(delivery: Delivery, scheme: Scheme, secrets: Secrets) -> Proof:
    """Return what the delivery's signature proves. Raises SignatureRefused, StaleDelivery."""
    headers = delivery.headers
    if scheme == "standard-webhooks" or (scheme == "gitlab" and "webhook-signature" in headers):
        return _prove_standard(delivery, secrets.keys)
    if scheme == "gitlab":
        # A secret that signs is never a token as well: whoever read it off an old delivery could sign with it.
        tokens = [one for one in secrets.texts if not one.startswith(_PREFIX.encode())]
        _require(_given(headers, "x-gitlab-token"), tokens, what="header X-Gitlab-Token")
    elif scheme == "bearer":
        tokens = [b"Bearer " + one for one in secrets.texts]
        _require(_given(headers, "authorization"), tokens, what="header Authorization: Bearer")
    else:
        header, prefix, function = _HEX[scheme]
        expected = [prefix + hmac.new(one, delivery.body, function).hexdigest().encode() for one in secrets.texts]
        _require(_given(headers, header), expected, what=f"header {header}")
    return Proof("")


_HEX: Mapping[str, tuple[str, bytes, str]] = {
    "github-sha256": ("x-hub-signature-256", b"sha256=", "sha256"),
    "jira-sha256": ("x-hub-signature", b"sha256=", "sha256"),
    "gitea-sha256": ("x-gitea-signature", b"", "sha256"),
    "zammad-sha1": (
        "x-hub-signature",
        b"sha1=",
        "sha1",
    ),  # HMAC-SHA1 is what Zammad has; no collision helps to forge it
}


def sign_standard(key: bytes, *, signed_id: str, stamp: str, body: bytes) -> bytes:
    """Return the `v1` signature in base64. Source: Standard Webhooks 1.0.0, "Signature scheme"."""
    content = f"{signed_id}.{stamp}.".encode() + body
    return b64encode(hmac.digest(key, content, "sha256"))


def _prove_standard(delivery: Delivery, keys: Sequence[bytes]) -> Proof:
    headers = delivery.headers
    signed_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (0 < len(signed_id) <= _MOST_ID_CHARACTERS and signed_id.isascii() and "." not in signed_id):
        # Standard Webhooks, "Signature scheme": with a dot in it, what is signed could be cut in two ways.
        raise SignatureRefused(
            f"header webhook-id: expected 1 to {_MOST_ID_CHARACTERS} ASCII characters without a full stop"
        )
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _MOST_DIGITS):
        raise SignatureRefused("header webhook-timestamp: expected whole seconds since 1970")
    expected = [sign_standard(key, signed_id=signed_id, stamp=stamp, body=delivery.body) for key in keys]
    given = headers.get("webhook-signature", "").split(" ")[:_MOST_SIGNATURES]
    matches = 0
    for one in given:
        version, _, signature = one.partition(",")
        if version == "v1":  # the others are versions of another kind of key
            matches += _matches(signature.encode("latin-1", "replace"), expected)
    if not matches:
        raise SignatureRefused(_no_match("header webhook-signature", len(keys)))
    # The stamp is judged last: only who knows the secret learns what time it is here.
    if delivery.now_s is not None and abs(delivery.now_s - int(stamp)) > delivery.tolerance_s:
        raise StaleDelivery(
            f"header webhook-timestamp: expected at most {delivery.tolerance_s:g} s from this node's clock, found "
            f"{delivery.now_s - int(stamp):+.0f} s; compare both clocks"
        )
    return Proof(signed_id)


def _require(given: bytes, expected: Sequence[bytes], *, what: str) -> None:
    if not _matches(given, expected):
        raise SignatureRefused(_no_match(what, len(expected)))


def _matches(given: bytes, expected: Sequence[bytes]) -> int:
    """Count matches, without stopping at the first."""
    return sum([hmac.compare_digest(given, one) for one in expected])


def _no_match(what: str, secrets: int) -> str:
    return f"{what}: expected one made with one of the connection's {secrets} secrets, found none"


def _given(headers: Mapping[str, str], name: str) -> bytes:
    return headers.get(name, "").encode("latin-1", "replace")


def _standard_key(text: str) -> bytes:
    try:
        key = b64decode(text.removeprefix(_PREFIX), validate=True)
    except (NotBase64, ValueError) as error:
        raise InvalidSecret(f"secret: expected {_PREFIX} and base64 after it, found something else") from error
    if len(key) < _LEAST_KEY_BYTES:
        raise InvalidSecret(f"secret: expected at least {_LEAST_KEY_BYTES} bytes in base64, found {len(key)}")
    return key
