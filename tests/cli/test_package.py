"""`holdfast package` on packages that no node owns: what it prints and how it exits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from holdfast.cli.main import main
from holdfast.cli.package import package
from holdfast.store.package import open_package

SOURCE = Path(__file__).parents[1] / "store" / "source"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    assert main(["package", "build", str(SOURCE), "-o", str(tmp_path / "small.tar")]) == 0
    return tmp_path / "small.tar"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    source = shutil.copytree(SOURCE, tmp_path / "source")
    toml = source / "package.toml"
    toml.write_text(toml.read_text().replace('"printer"', '"printers"').replace("0.1.0-rc.1+build.5", "0.2.0"))
    assert main(["package", "build", str(source), "-o", str(tmp_path / "second")]) == 0
    return tmp_path / "second"


def test_building_prints_the_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["package", "build", str(SOURCE), "-o", str(tmp_path / "out"), "--json"])
    with open_package(tmp_path / "out") as opened:
        assert json.loads(capsys.readouterr().out)["digest"] == opened.digest


def test_verifying_an_intact_package_exits_0_and_says_unsigned(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", "verify", str(built)]) == 0
    assert "intact, unsigned: small 0.1.0-rc.1+build.5" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["verify", "inspect", "compare"])
def test_a_flipped_bit_exits_65_in_one_line(verb: str, built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray(built.read_bytes())
    content[content.index(b"abc") + 1] ^= 4
    built.write_bytes(content)
    capsys.readouterr()
    assert main(["package", verb, str(built)]) == 65
    assert capsys.readouterr().err.count("\n") == 1


def test_a_place_that_holds_something_else_exits_73(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a letter")
    assert main(["package", "build", str(SOURCE), "-o", str(tmp_path / "mine")]) == 73


def test_no_such_file_exits_74_and_a_bad_call_64(tmp_path: Path) -> None:
    assert main(["package", "verify", str(tmp_path / "nowhere")]) == 74
    assert main(["package", "verify"]) == 64
    assert main(["package", "activate", "triage-en"]) == 64


def test_inspecting_shows_what_the_manifest_says(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["package", "inspect", str(built)])
    page = capsys.readouterr().out
    assert all(word in page for word in ("small 0.1.0", "unsigned", "heads/route.ngram", "route  ", "ngram"))


def test_inspecting_as_json_gives_the_whole_manifest(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    main(["package", "inspect", str(built), "--json"])
    with open_package(built) as opened:
        assert json.loads(capsys.readouterr().out)["manifest"] == json.loads(opened.manifest_bytes)


def test_a_difference_names_fields_and_files(built: Path, second: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    main(["package", "diff", str(built), str(second), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {change["field"] for change in found["fields"]} == {"version", "heads.route.labels"}
    assert (found["files"], found["new_bytes"], found["same"]) == ([], 0, False)


def test_a_package_does_not_differ_from_itself(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["package", "diff", str(built), str(built)])
    assert "the same package" in capsys.readouterr().out


def test_comparing_shows_variants_side_by_side(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["package", "compare", str(built)])
    assert "VARIANT" in (page := capsys.readouterr().out)
    assert "small  linear" in page


@pytest.mark.parametrize("verb", package.commands)
def test_every_command_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", verb, "--help"]) == 0
    page = capsys.readouterr().out
    assert f"Example: holdfast package {verb}" in " ".join(page.split())
    assert "--json" in page
