"""docs/spec/package.md and holdfast.manifest say the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast import manifest
from holdfast.store.package import LIMITS

SPEC = (Path(__file__).parents[2] / "docs" / "spec" / "package.md").read_text()
FIELDS = sorted(
    f"{name}.{field.encode_name}"
    for name in manifest.__all__
    if name != "SCHEMA"
    for field in msgspec.structs.fields(getattr(manifest, name))
)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_manifest_is_specified(field: str) -> None:
    assert f"`{field.rpartition('.')[2]}`" in SPEC


def test_the_limits_are_those_of_the_specification() -> None:
    limits = (LIMITS.manifest_bytes, LIMITS.files, LIMITS.file_bytes, LIMITS.total_bytes)
    assert [f"{limit:,}" in SPEC for limit in limits] == [True] * 4
    assert f"`{manifest.SCHEMA}`" in SPEC
