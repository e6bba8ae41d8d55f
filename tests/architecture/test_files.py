"""What every tracked file keeps to: its size, and nothing of the machine that it was written on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.tracked import ROOT, tracked_files

MAX_LINES = 400

# Names of package registries: a lock that holds one is of no use behind a mirror. In pieces, so
# that this file passes its own test.
_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
    )
]
_HOST = re.compile("|".join(re.escape(host) for host in _REGISTRIES))
_MACHINE_PATH = re.compile(r"(?<![\w.$}~/])/(?:home|root|Users|work|workspace|mnt)/[\w.]+")


def _texts() -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in tracked_files():
        try:
            texts[str(path.relative_to(ROOT))] = path.read_text()
        except UnicodeDecodeError:
            continue
    return texts


def test_no_source_file_holds_more_than_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked_files("*.py", "*.ts", "*.tsx")
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long, f"Past {MAX_LINES} lines there is a second idea; give it a file: {long}"


def test_no_file_names_a_package_registry() -> None:
    found = {name: match[0] for name, text in _texts().items() if (match := _HOST.search(text))}
    assert not found


def test_no_file_holds_a_path_of_one_machine() -> None:
    found = {
        name: match[0] for name, text in _texts().items() if (match := _MACHINE_PATH.search(text))
    }
    assert not found


def test_the_patterns_bite() -> None:
    assert _HOST.search(f"https://{_REGISTRIES[0]}/simple")
    assert _MACHINE_PATH.search(f"see {Path('/', 'home', 'someone', 'x.py')}")
    assert not _MACHINE_PATH.search("docs/home/page and ./work/file and $HOME/work/file")
