"""The picture in docs/architecture.md is the contract that the build enforces."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layer_picture_is_the_import_contract() -> None:
    picture = re.search(r"```text layers\n(.*?)```", (ROOT / "docs/architecture.md").read_text(), re.DOTALL)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert picture is not None
    assert picture[1].split("\n")[:-1] == contracts[0]["layers"]
