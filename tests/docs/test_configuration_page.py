"""docs/configuration.md is made from the settings themselves."""

from __future__ import annotations

from pathlib import Path

from holdfast.settings.text import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_holds_every_setting_as_the_code_has_it() -> None:
    assert reference_page().strip() in PAGE.read_text(), "print holdfast.settings.text.reference_page() into it"
