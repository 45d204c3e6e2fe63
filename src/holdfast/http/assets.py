"""The pages a browser sees: files of this wheel and nothing else, so that they work without any network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from holdfast.access import VIEW
from holdfast.http.messages import Endpoint, Reply, Request

__all__ = ["page_endpoints"]

_KINDS: Mapping[str, bytes] = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
}
_PAGES: Mapping[str, tuple[str, str]] = {
    "/": ("status.html", "The status page, for people."),
    "/docs": ("docs.html", "This description of the interface, for people."),
    "/pages/page.css": ("page.css", "How the pages look."),
    "/pages/status.js": ("status.js", "Fills the status page."),
    "/pages/docs.js": ("docs.js", "Draws the interface description."),
}
_ONLY_OURS = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_GUARDS = [
    # Nothing may be loaded from elsewhere, no inline script runs, no other site may frame the pages.
    (b"content-security-policy", _ONLY_OURS),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
]


def page_endpoints() -> tuple[Endpoint, ...]:
    """Routes of the pages, read from the wheel once."""
    folder = resources.files("holdfast.http").joinpath("pages")
    return tuple(
        _page(path, folder.joinpath(name).read_bytes(), summary=summary, kind=_KINDS[name.rpartition(".")[2]])
        for path, (name, summary) in _PAGES.items()
    )


def _page(path: str, content: bytes, *, summary: str, kind: bytes) -> Endpoint:
    def show(_request: Request) -> Reply:
        return Reply(content, media_type=kind, headers=list(_GUARDS))

    media_type = kind.decode().partition(";")[0]
    return Endpoint(
        method="GET", template=path, call=show, stage="inline", summary=summary, needs=VIEW, gives_media_type=media_type
    )
