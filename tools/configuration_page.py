"""Write the tables of docs/configuration.md from the settings in the code; what stands above the first table stays."""

from pathlib import Path

from holdfast.settings.text import reference_page

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

if __name__ == "__main__":
    words, _, _ = PAGE.read_text().partition("\n## server\n")
    PAGE.write_text(f"{words}\n{reference_page().strip()}\n")
