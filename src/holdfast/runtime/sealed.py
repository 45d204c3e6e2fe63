"""Sealed files: model bytes in memory that nobody can change, not even this process, hashed after they were sealed.

A worker inherits the open file, so that it loads the very bytes that were verified, needs no disk to come back after a
crash, and does not notice what happens to the package's files. The node maps none of it: its own memory stays small.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.digest import Digest, digest_value
from holdfast.errors import Refused
from holdfast.manifest import EncoderSpec, Manifest, Variant

__all__ = ["SealedFile", "SealedModel", "UnverifiedModel", "seal", "seal_model"]

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_CHUNK_BYTES = 1 << 20
_MAX_VECTORS_BYTES = 8 << 20  # they travel to the worker in one frame


class UnverifiedModel(Refused):
    """The bytes of a model are not those its manifest names."""


class SealedFile:
    """An anonymous file with fixed content; closed when it is collected or by `close`."""

    def __init__(self, fd: int, digest: Digest) -> None:
        self.fd, self.digest = fd, digest

    def close(self) -> None:
        """Let go of the memory, once every worker that inherited it has ended too."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class SealedModel:
    """Everything a worker needs to serve one variant."""

    variant: str
    graph: SealedFile
    tokenizer: SealedFile
    spec: EncoderSpec
    vectors: bytes
    """Known vectors (JSONL), checked on this CPU before the first worker is ready."""
    minimum_cosine: float

    @property
    def digest(self) -> Digest:
        """Names what turns a text into a vector: equal digests give equal vectors on one machine."""
        return digest_value([self.graph.digest, self.tokenizer.digest, self.spec.max_tokens])

    def close(self) -> None:
        """Close both files."""
        self.graph.close()
        self.tokenizer.close()


def seal(name: str, content: bytes | memoryview, *, expected: Digest) -> SealedFile:
    """Copy `content` into a sealed file and hash what is in it. Raises UnverifiedModel unless it is `expected`."""
    fd = os.memfd_create(f"holdfast-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _write(fd, memoryview(content))
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    sealed = SealedFile(fd, _digest(fd))
    if sealed.digest != expected:
        sealed.close()
        raise UnverifiedModel(f"{name}: expected {expected}, found {sealed.digest}; install the package again")
    return sealed


def seal_model(manifest: Manifest, variant: Variant, files: Mapping[str, bytes]) -> SealedModel:
    """Seal the encoder of `variant`. Raises UnverifiedModel when a file is missing or not the manifest's."""
    if variant.encoder is None:
        raise UnverifiedModel(f"variant {variant.name!r} of {manifest.name}: expected an encoder, found none")
    listed = {entry.path: entry.sha256 for entry in manifest.files}
    vectors = files.get(variant.vectors, b"") if variant.vectors else b""
    if len(vectors) > _MAX_VECTORS_BYTES:
        raise UnverifiedModel(f"{variant.vectors}: expected at most {_MAX_VECTORS_BYTES} bytes, found {len(vectors)}")
    graph, tokenizer = (
        _seal_listed(path, files, listed) for path in (variant.encoder.graph, variant.encoder.tokenizer)
    )
    return SealedModel(
        variant=variant.name,
        graph=graph,
        tokenizer=tokenizer,
        spec=variant.encoder,
        vectors=bytes(vectors),
        minimum_cosine=variant.minimum_cosine,
    )


def _seal_listed(path: str, files: Mapping[str, bytes], listed: Mapping[str, Digest]) -> SealedFile:
    if path not in files or path not in listed:
        raise UnverifiedModel(f"{path}: expected a file that the manifest lists, found none")
    return seal(path.rpartition("/")[2], files[path], expected=listed[path])


def _write(fd: int, content: memoryview) -> None:
    while content:
        content = content[os.write(fd, content) :]


def _digest(fd: int) -> Digest:
    sha256, offset = hashlib.sha256(), 0
    while chunk := os.pread(fd, _CHUNK_BYTES, offset):
        sha256.update(chunk)
        offset += len(chunk)
    return Digest("sha256:" + sha256.hexdigest())
