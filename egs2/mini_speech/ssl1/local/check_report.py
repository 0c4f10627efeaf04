#!/usr/bin/env python3
"""Open a report page in a real headless Chromium: ``check_report.py PAGE``.

Fails unless the page renders, makes no network requests, logs no error to the console,
and loads every player and picture. The page counts these itself, in attributes of its
body.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO_GET = (
    "no Chromium found; on Debian: apt-get install chromium, or pass --chromium PATH"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1400,3000",
    "--virtual-time-budget=20000",
]
CONSOLE = re.compile(r":CONSOLE[:(].*")


class PageReader(HTMLParser):
    """Collects the body's own counts and addresses that leave the page."""

    def __init__(self):
        super().__init__()
        self.body: dict[str, str] = {}
        self.outside: list[str] = []

    def handle_starttag(self, tag, attrs):
        """Read one element."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "body":
            self.body = attributes
        for name in ("src", "href", "srcset"):
            value = attributes.get(name, "")
            if value and not value.startswith(("data:", "#")):
                self.outside.append(f"{tag} {name}={value[:80]}")


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="the report's HTML file")
    parser.add_argument("--chromium", help="the browser's program")
    parser.add_argument("--screenshot", type=Path, help="PNG file to write as well")
    parser.add_argument(
        "--require", action="store_true", help="a missing Chromium is a failure"
    )
    args = parser.parse_args()
    if not args.page.is_file():
        print(f"check_report: {args.page}: no such page", file=sys.stderr)
        return 1
    browser = args.chromium or next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None or not shutil.which(browser):
        print(f"check_report: {'' if args.require else 'not checked: '}{HOW_TO_GET}")
        return 1 if args.require else 0
    faults, summary = check(browser, args.page)
    if args.screenshot:
        browse(browser, args.page, f"--screenshot={args.screenshot.resolve()}")
    for fault in faults:
        print(f"check_report: {args.page}: {fault}", file=sys.stderr)
    print(f"check_report: {args.page}: {summary}, {len(faults)} faults")
    return 1 if faults else 0


def browse(browser: str, page: Path, *flags: str) -> subprocess.CompletedProcess:
    """Open the page in a fresh profile; the DOM is on stdout, the console on stderr."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", *flags]
        command += ["--enable-logging=stderr", "--v=0", page.resolve().as_uri()]
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=180,
        )


def check(browser: str, page: Path) -> tuple[list[str], str]:
    """Open the page and check it.

    Returns:
        Faults, empty if there are none, and a summary.
    """
    result = browse(browser, page, "--dump-dom")
    reader = PageReader()
    reader.feed(result.stdout)
    faults = [f"an address outside the page: {a}" for a in reader.outside]
    faults += [f"console: {line}" for line in CONSOLE.findall(result.stderr)]
    count = {k: int(reader.body.get(f"data-{k}", -1)) for k in _COUNTS}
    if min(count.values()) < 0:
        tail = result.stderr.strip().splitlines()[-1:]
        return [
            *faults,
            f"the page did not render (exit {result.returncode}) {tail}",
        ], ""
    if count["errors"]:
        faults.append(f"{count['errors']} errors while loading")
    for kind in ("players", "images"):
        if count[f"{kind}-loaded"] != count[kind]:
            faults.append(
                f"only {count[f'{kind}-loaded']} of {count[kind]} {kind} loaded"
            )
    return faults, ", ".join(f"{count[k]} {k}" for k in ("players", "images"))


_COUNTS = ("players", "players-loaded", "images", "images-loaded", "errors")

if __name__ == "__main__":
    sys.exit(main())
