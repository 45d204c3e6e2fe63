"""The built-in vocabulary of the wheel, `vocabulary.toml`, as entries for the keyword matcher."""

from __future__ import annotations

import tomllib
import unicodedata
from importlib import resources

import msgspec

from holdfast.apps.triage.keywords import Entry, Kind

__all__ = ["LANGUAGES", "parse_vocabulary", "read_builtin_vocabulary"]

LANGUAGES: tuple[str, ...] = ("de", "en", "es", "fr", "it", "nl", "pt")

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    language: str
    kind: Kind
    weight: float
    phrases: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    entry: tuple[_Row, ...]


def read_builtin_vocabulary(languages: tuple[str, ...] = LANGUAGES) -> tuple[Entry, ...]:
    """Read the vocabulary that came with this version, for `languages`."""
    text = resources.files("holdfast.apps.triage").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return tuple(entry for entry in parse_vocabulary(text) if entry.language in languages)


def parse_vocabulary(text: str) -> tuple[Entry, ...]:
    """Return the entries of a vocabulary file, each phrase also as people without the right keyboard write it."""
    table = msgspec.convert(tomllib.loads(text), _File)
    return tuple(Entry(row.language, row.kind, row.weight, _spellings(row.phrases.split(","))) for row in table.entry)


def _spellings(phrases: list[str]) -> tuple[str, ...]:
    """Each phrase, then all without accents, then all with umlauts written out."""
    plain = (unicodedata.normalize("NFKD", phrase) for phrase in phrases)
    stripped = ["".join(c for c in phrase if not unicodedata.combining(c)) for phrase in plain]
    spelled = [phrase.translate(_UMLAUTS) for phrase in phrases]
    return tuple(dict.fromkeys([*phrases, *stripped, *spelled]))
