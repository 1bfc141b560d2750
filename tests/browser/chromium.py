"""Which Chromium the tests drive: one on PATH, else Playwright's own. Run as a script, it says so, or exits with 1."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

# The first has no window to draw: a new page costs a third of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The path of a Chromium, or None."""
    if on_path := next(filter(None, map(shutil.which, NAMES)), None):
        return on_path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


if __name__ == "__main__":
    path = find()
    print(path or f"no {' or '.join(NAMES)} on PATH, and none of Playwright's")
    sys.exit(path is None)
