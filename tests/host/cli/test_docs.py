"""The page about evse-host shows what the commands print today, and shows every command."""

from __future__ import annotations

import re

import pytest

from evse_host.cli import COMMANDS
from tools.docs import host_pages as host_docs

EXAMPLE = "# A page\n\n```console\n$ echo 12.5 ms\n9.1 ms\n$ echo done\ndone\n```\n\nThe end.\n"


@pytest.fixture
def page(tmp_path, monkeypatch):
    file = tmp_path / "page.md"
    file.write_text(EXAMPLE)
    monkeypatch.setattr(host_docs, "PAGE", file)
    return file


def test_every_example_of_the_page_is_current(capsys):
    """What a busy computer makes irregular is so once; what is not current, every time."""
    assert any(host_docs.main(["--check"]) == 0 for _ in range(4)), capsys.readouterr().err


def test_every_command_has_a_section_with_an_example():
    page = host_docs.PAGE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for name in COMMANDS:
        examples = "".join(host_docs.BLOCK.findall(sections.get(name, "")))
        assert re.search(rf"evse-host (--?\w+ (\S+ )?)*{name}\b", examples), f"{name} has no example"


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", host_docs.PAGE.read_text(encoding="utf-8"))
    assert [link for link in links if not (host_docs.PAGE.parent / link).exists()] == []


def test_no_example_ends_in_a_traceback():
    assert "Traceback" not in host_docs.PAGE.read_text(encoding="utf-8")


def test_only_a_time_that_moved_is_no_change(page):
    assert host_docs.main(["--check"]) == 0
    assert host_docs.main([]) == 0
    assert page.read_text() == EXAMPLE


def test_a_changed_output_is_found_and_written(page, capsys):
    page.write_text(EXAMPLE.replace("done\n```", "old\n```"))
    assert host_docs.main(["--check"]) == 1
    error = capsys.readouterr().err
    assert "-old" in error and "+done" in error
    assert error.endswith("page.md is not current: run python -m tools host-docs\n")
    assert host_docs.main([]) == 0
    assert page.read_text() == EXAMPLE.replace("9.1 ms", "12.5 ms")


def test_an_example_without_a_command_is_an_error(page, capsys):
    page.write_text("```console\nnothing\n```\n")
    assert host_docs.main([]) == 1
    assert "without a command" in capsys.readouterr().err


def test_an_example_that_does_not_end_is_an_error(page, monkeypatch, capsys):
    monkeypatch.setattr(host_docs, "TIMEOUT_S", 0.2)
    page.write_text("```console\n$ sleep 60\n```\n")
    assert host_docs.main(["--check"]) == 1
    assert "did not end within 0.2 s" in capsys.readouterr().err


def test_long_commands_and_background_jobs(page):
    page.write_text("```console\n$ echo a \\\n    b\n$ sleep 60 &\n$ evse-host get state\n```\n")
    assert host_docs.main([]) == 0
    assert page.read_text() == (
        "```console\n$ echo a \\\n    b\na b\n$ sleep 60 &\n$ evse-host get state\nstate  C2\n```\n"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-22T20:00:00Z", "2027-01-01T00:00:00.123+01:00"),
        ("   0.007 > AT", "  12.340 > AT"),
        ("back after 9.5 s", "back after 10 s"),
        ("ok       port        /dev/pts/4 is there", "ok       port        /dev/pts/11 is there"),
        ("ok       round trip  median 5.6 ms, 95 % 7.4", "ok       round trip  median 6 ms, 95 % 71"),
    ],
)
def test_what_differs_from_run_to_run_makes_no_new_page(one, other):
    assert host_docs.normal(one) == host_docs.normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("32 A", "16 A"), ("31.5 °C", "31.6 °C"), ("exit code 5", "exit code 6"), ("warning  pushes  1", "ok  pushes  1")],
)
def test_what_is_news_makes_a_new_page(one, other):
    assert host_docs.normal(one) != host_docs.normal(other)
