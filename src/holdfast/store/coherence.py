"""Says whether the bytes of a manifest are one that Holdfast can read, and whether it agrees with itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from holdfast.digest import canonical, parse_digest
from holdfast.errors import InvalidInput
from holdfast.manifest import SCHEMA, Default, Head, Manifest, Variant
from holdfast.store.layout import PackageLimits, PackageRefused, check_files, is_name, is_version
from holdfast.tier import Tier

__all__ = ["KNOWN_FEATURES", "NewerPackage", "UnknownFeature", "check_manifest", "decode_manifest"]

KNOWN_FEATURES: frozenset[str] = frozenset()
"""What `requires` may name. Version 1 of the format defines nothing."""

_SCHEMA_PATTERN = re.compile(r"holdfast\.package/([1-9][0-9]{0,8})")
_DEFAULT_NAME = re.compile(r"[a-z0-9_.]{1,64}")
_MOST_VARIANTS, _MOST_HEADS, _MOST_DEFAULTS, _MOST_LABELS = 32, 16, 256, 1024
_PRIOR_TOLERANCE = 1e-6  # a prior written as doubles does not sum to 1 exactly
_INTEGERS_END = 1 << 63  # what any language reads into a machine word
_MOST_HASH_BITS = 24  # 2**24 rows of int8 weights for ten labels are 160 MiB: beyond any node


class NewerPackage(PackageRefused):
    """A package in a version of the format that this Holdfast does not know yet."""


class UnknownFeature(PackageRefused):
    """A package that requires a feature this Holdfast does not have."""


class _Preamble(msgspec.Struct, frozen=True, kw_only=True):
    """What is read before anything else; unknown fields are the future's."""

    schema: str
    requires: tuple[str, ...] = ()


def decode_manifest(content: bytes, where: str, limits: PackageLimits) -> Manifest:
    """Steps 3 to 6 of the specification. Raises PackageRefused, NewerPackage, UnknownFeature."""
    try:
        _check_schema(msgspec.json.decode(content, type=_Preamble), where)
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise PackageRefused(f"{where}: manifest.json: {error}") from error
    if _encode(manifest) != content:  # 6.5
        raise PackageRefused(
            f"{where}: manifest.json: expected its canonical encoding, found another spelling of the same content; "
            "build it with 'holdfast package build'"
        )
    check_manifest(manifest, where, limits)
    return manifest


def _encode(manifest: Manifest) -> bytes:
    try:
        return canonical(manifest)
    except OverflowError:  # an integer beyond 64 bits: no spelling of it is canonical
        return b""


def check_manifest(manifest: Manifest, where: str, limits: PackageLimits) -> None:
    """Return if `manifest` obeys every rule of section 4 (step 6). Raises PackageRefused, naming the field."""
    check_files(where, manifest.files, limits)
    for field, sentence in _complaints(manifest):
        raise PackageRefused(f"{where}: manifest.json: {field}: {sentence}", field="/" + field.replace(".", "/"))


def _check_schema(preamble: _Preamble, where: str) -> None:  # 6.3
    match = _SCHEMA_PATTERN.fullmatch(preamble.schema)
    if match is None:
        raise PackageRefused(f"{where}: schema: expected {SCHEMA}, found {preamble.schema[:80]!r}", field="/schema")
    if int(match[1]) > int(SCHEMA.rpartition("/")[2]):
        raise NewerPackage(
            f"{where}: schema: expected {SCHEMA} or older, found {preamble.schema}; it takes a newer Holdfast",
            field="/schema",
        )
    unknown = next((feature for feature in preamble.requires if feature not in KNOWN_FEATURES), None)
    if unknown is not None:
        raise UnknownFeature(
            f"{where}: requires: feature {unknown[:80]!r} is not known to this Holdfast; it takes another version",
            field="/requires",
        )


def _complaints(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield (field, what was expected and found) for each rule of section 4 that is broken."""
    yield from _identity(manifest)
    yield from _integers(msgspec.to_builtins(manifest), "manifest")
    yield from _counts(manifest)
    yield from _paths(manifest)
    for i, variant in enumerate(manifest.variants):
        yield from _variant(variant, f"variants.{i}")
    served = {variant.tier.value for variant in manifest.variants}
    encoders = {variant.name for variant in manifest.variants if variant.engine == "onnx"}
    for i, head in enumerate(manifest.heads):
        yield from _head(head, f"heads.{i}", served)
        yield from _head_tiers(head, f"heads.{i}.tiers", encoders)
    for name, default in manifest.defaults.items():
        yield from _default(default, f"defaults.{name}")
    yield from _trial(manifest)


def _identity(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if not is_name(manifest.name) or manifest.name == "builtin":
        yield "name", f"expected [a-z0-9-], at most 63, not 'builtin', found {manifest.name[:80]!r}"
    if not is_version(manifest.version):
        yield "version", f"expected a semantic version such as 1.0.0, found {manifest.version[:80]!r}"
    if list(manifest.requires) != sorted(set(manifest.requires)):
        yield "requires", "expected rising order, each once"
    for entry in manifest.files:
        try:
            parse_digest(entry.sha256)
        except InvalidInput as error:
            yield "files", f"{entry.path}: {error}"


def _integers(value: object, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _integers(inner, str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _integers(inner, field)
    elif isinstance(value, int) and not 0 <= value < _INTEGERS_END:
        yield field[:80], f"expected an integer from 0 to {_INTEGERS_END - 1}"


def _counts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for field, most, names in (
        ("variants", _MOST_VARIANTS, [variant.name for variant in manifest.variants]),
        ("heads", _MOST_HEADS, [head.name for head in manifest.heads]),
    ):
        if not 1 <= len(names) <= most:
            yield field, f"expected 1 to {most}, found {len(names)}"
        yield from _names(field, names)
    if len(manifest.defaults) > _MOST_DEFAULTS:
        yield "defaults", f"expected at most {_MOST_DEFAULTS}, found {len(manifest.defaults)}"


def _names(field: str, names: list[str]) -> Iterator[tuple[str, str]]:
    bad = next((name for name in names if not is_name(name)), None)
    if bad is not None:
        yield field, f"expected names of [a-z0-9-], at most 63, found {bad[:80]!r}"
    if len(set(names)) != len(names):
        yield field, "expected each name once"


def _paths(manifest: Manifest) -> Iterator[tuple[str, str]]:
    listed = {entry.path for entry in manifest.files}
    for field, path in _named_paths(manifest):
        if path is not None and path not in listed:
            yield field, f"expected a file of the package, found {path[:120]!r}"


def _named_paths(manifest: Manifest) -> Iterator[tuple[str, str | None]]:
    for i, variant in enumerate(manifest.variants):
        yield f"variants.{i}.vectors", variant.vectors
        if variant.encoder is not None:
            yield f"variants.{i}.encoder.graph", variant.encoder.graph
            yield f"variants.{i}.encoder.tokenizer", variant.encoder.tokenizer
    for i, head in enumerate(manifest.heads):
        yield f"heads.{i}.ngram_file", head.ngram_file
        yield f"heads.{i}.gate.file", head.gate.file if head.gate else None
        for name, tier in head.tiers.items():
            yield f"heads.{i}.tiers.{name}.encoder_file", tier.encoder_file
    yield "trial.file", manifest.trial.file
    yield "reference", manifest.reference
    yield "rules", manifest.rules


def _variant(variant: Variant, field: str) -> Iterator[tuple[str, str]]:
    if variant.tier is Tier.RULES:
        yield f"{field}.tier", "expected full or small, found rules, which never depends on a package"
    wants_encoder = variant.engine == "onnx"
    if (variant.encoder is not None) != wants_encoder:
        yield f"{field}.encoder", f"expected it {'set' if wants_encoder else 'null'} for engine {variant.engine}"
    if (variant.vectors is not None) != wants_encoder:
        yield f"{field}.vectors", f"expected it {'set' if wants_encoder else 'null'} for engine {variant.engine}"
    if not 0 <= variant.minimum_cosine <= 1:
        yield f"{field}.minimum_cosine", f"expected 0 to 1, found {variant.minimum_cosine}"
    if variant.encoder is not None:
        sizes = (variant.encoder.max_tokens, variant.encoder.features_dim, variant.encoder.embedding_dim)
        if min(sizes) < 1:
            yield f"{field}.encoder", f"expected max_tokens, features_dim and embedding_dim >= 1, found {sizes}"


def _head(head: Head, field: str, served: set[str]) -> Iterator[tuple[str, str]]:
    count = len(head.labels)
    if not 2 <= count <= _MOST_LABELS or len(set(head.labels)) != count:
        yield f"{field}.labels", f"expected 2 to {_MOST_LABELS} labels, each once, found {count}"
    if len(head.urgency) != (count if head.task == "priority" else 0) or not _in_unit(head.urgency):
        yield f"{field}.urgency", "expected one number in [0, 1] per label for priority, none for route"
    if len(head.prior) != count or not _in_unit(head.prior) or abs(sum(head.prior) - 1) > _PRIOR_TOLERANCE:
        yield f"{field}.prior", "expected one number in [0, 1] per label, summing to 1"
    if not 1 <= head.ngram.hash_bits <= _MOST_HASH_BITS:
        yield f"{field}.ngram.hash_bits", f"expected 1 to {_MOST_HASH_BITS}, found {head.ngram.hash_bits}"
    if not _in_unit([head.minimum_confidence]):
        yield f"{field}.minimum_confidence", f"expected 0 to 1, found {head.minimum_confidence}"
    if not served <= set(head.tiers) <= {"full", "small"}:
        yield f"{field}.tiers", f"expected {', '.join(sorted(served))}, found {', '.join(head.tiers) or 'none'}"


def _head_tiers(head: Head, field: str, encoders: set[str]) -> Iterator[tuple[str, str]]:
    for name, tier in head.tiers.items():
        wanted = tier.stage == "encoder"
        if (tier.encoder_file is not None) != wanted or (tier.encoder_variant is not None) != wanted:
            yield (
                f"{field}.{name}",
                f"expected encoder_file and encoder_variant {'set' if wanted else 'null'} for stage {tier.stage}",
            )
        if tier.encoder_variant is not None and tier.encoder_variant not in encoders:
            yield f"{field}.{name}.encoder_variant", f"expected an onnx variant, found {tier.encoder_variant[:80]!r}"
        if min(tier.temperature, tier.encoder_temperature) <= 0:
            yield f"{field}.{name}", "expected temperatures above 0"


def _default(default: Default, field: str) -> Iterator[tuple[str, str]]:
    if not _DEFAULT_NAME.fullmatch(field.removeprefix("defaults.")):
        yield field[:120], "expected a name of [a-z0-9_.], at most 64"
    if default.bounds is not None:
        if not isinstance(default.value, float):
            yield field, "expected bounds for a number only"
        elif not default.bounds.minimum <= default.value <= default.bounds.maximum:
            yield field, f"expected {default.bounds.minimum} to {default.bounds.maximum}, found {default.value}"
    if default.choices and default.value not in default.choices:
        yield field, f"expected one of {', '.join(default.choices)}, found {default.value!r}"


def _trial(manifest: Manifest) -> Iterator[tuple[str, str]]:
    trial = manifest.trial
    if trial.health_rows < 1:
        yield "trial.health_rows", f"expected at least 1, found {trial.health_rows}"
    if trial.tolerance < 0:
        yield "trial.tolerance", f"expected at least 0, found {trial.tolerance}"
    strangers = set(trial.promise.quality) - {head.name for head in manifest.heads}
    if strangers or not _in_unit(trial.promise.quality.values()):
        yield "trial.promise.quality", f"expected numbers in [0, 1] by head, found {', '.join(sorted(strangers))[:120]}"


def _in_unit(numbers: Iterable[float]) -> bool:
    return all(0 <= number <= 1 for number in numbers)
