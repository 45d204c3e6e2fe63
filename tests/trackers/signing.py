"""Signing: how each tracker proves that a delivery is its own, from its makers' documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid

__all__ = ["bearer", "gitea", "github", "gitlab_token", "jira", "standard_webhooks", "zammad"]

Headers = dict[str, str]


def standard_webhooks(secret: str, body: bytes, *, identity: str = "", at_s: int | None = None) -> Headers:
    """Sign as https://www.standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`, base64, `v1,`.

    `secret` may be `whsec_` and base64; else its bytes are the key.
    """
    identity = identity or f"msg_{uuid.uuid4().hex}"
    stamp = str(int(time.time()) if at_s is None else at_s)
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signature = base64.b64encode(hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest())
    return {"webhook-id": identity, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature.decode()}"}


def github(secret: str, body: bytes) -> Headers:
    """Sign as https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries."""
    return {"X-Hub-Signature-256": "sha256=" + _hex(secret, body, "sha256")}


def jira(secret: str, body: bytes) -> Headers:
    """Sign as Jira's admin-created webhooks do: `X-Hub-Signature: sha256=…` (WebSub)."""
    return {"X-Hub-Signature": "sha256=" + _hex(secret, body, "sha256")}


def gitea(secret: str, body: bytes) -> Headers:
    """Sign as https://docs.gitea.com/usage/webhooks: hexadecimal HMAC-SHA256, no prefix."""
    return {"X-Gitea-Signature": _hex(secret, body, "sha256")}


def gitlab_token(secret: str, body: bytes) -> Headers:
    """Prove it as GitLab's secret token does: the secret itself."""
    del body
    return {"X-Gitlab-Token": secret}


def zammad(secret: str, body: bytes) -> Headers:
    """Sign as Zammad's HMAC-SHA1 signature token does."""
    return {"X-Hub-Signature": "sha1=" + _hex(secret, body, "sha1")}


def bearer(secret: str, body: bytes) -> Headers:
    """Prove it as a sender that cannot sign: Alertmanager's http_config, OTOBO's transport headers."""
    del body
    return {"Authorization": f"Bearer {secret}"}


def _hex(secret: str, body: bytes, algorithm: str) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()
