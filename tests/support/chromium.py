"""Debian's chromium, driven by Playwright, with nothing but this machine in its reach."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import BrowserContext

# A page is there within 2 s; on a machine that does other things as well it may take far longer.
PATIENCE_MS = 60_000
_ARGUMENTS = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
)


@contextmanager
def chromium(*, width: int = 1400, height: int = 900) -> Generator[BrowserContext]:
    """A browser with a new profile; its pages share cache and local storage.

    While it is open no event loop can run in this thread: Playwright's own does.

    Raises:
        FileNotFoundError: there is no chromium.
    """
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("There is no chromium here: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=_ARGUMENTS, chromium_sandbox=False
        )
        context = browser.new_context(
            viewport={"width": width, "height": height}, timezone_id="UTC"
        )
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield context
        finally:
            browser.close()
