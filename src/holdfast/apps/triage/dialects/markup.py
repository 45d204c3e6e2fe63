"""Markup: the text of a message that came as HTML."""

from __future__ import annotations

from html import unescape

__all__ = ["plain_text"]

_BREAKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote", "pre"})
_SILENT = frozenset({"script", "style", "head", "!--"})


def plain_text(html: str) -> str:
    """Return what a person would read of `html`, a line for each block.

    One pass, whatever is in it: the standard library's parser takes quadratic time, or raises, on what a stranger sent.
    """
    first, *rest = html.split("<")
    parts, silent = [first], ""
    for piece in rest:
        tag, _, text = piece.partition(">")
        name = "!--" if tag.startswith("!--") else tag.strip().rstrip("/").partition(" ")[0].casefold()
        if silent:
            closed = name == f"/{silent}" or (silent == "!--" and "-->" in piece)
            silent, text = ("", piece.rpartition(">")[2]) if closed else (silent, "")
        elif name in _SILENT and "-->" not in piece:
            silent, text = name, ""
        if name.lstrip("/") in _BREAKS:
            parts.append("\n")
        parts.append(text)
    lines = (" ".join(line.split()) for line in unescape("".join(parts)).splitlines())
    return "\n".join(line for line in lines if line)
