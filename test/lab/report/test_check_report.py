"""A real Chromium tells a sound report page from a broken one."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import ROOT

from espnet_uniwav.lab.report.page import Row, Section, write_page
from espnet_uniwav.lab.report.pictures import make_clips

SCRIPT = (ROOT / "egs2/mini_speech/ssl1/local/check_report.py").resolve()
SPEC = importlib.util.spec_from_file_location("check_report", SCRIPT)
check_report = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_report)
BROWSER = next(filter(None, map(shutil.which, check_report.NAMES)), None)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium (Debian package chromium)"
)


def write(path: Path, html: str = "", audio: str | None = None) -> Path:
    speech = 0.1 * np.sin(np.arange(8000) / 10.0)
    (clip,) = make_clips({"Tone": (speech, [])}, 16000)
    clip.audio = audio or clip.audio
    section = Section("Sound", rows=[Row("a tone", [clip])])
    page = write_page(path / "index.html", "Page", [section])
    page.write_text(page.read_text().replace("</main>", f"{html}</main>"))
    return page


@needs_browser
def test_a_sound_page_passes(tmp_path):
    faults, summary = check_report.check(BROWSER, write(tmp_path))
    assert faults == []
    assert summary == "1 players, 1 images"


@needs_browser
def test_every_fault_is_found(tmp_path):
    html = (
        "<script>console.error('told'); missing();</script>"
        "<img src='https://example.org/a.png'>"
    )
    page = write(tmp_path, html, audio="data:audio/flac;base64,AAAA")
    faults = "\n".join(check_report.check(BROWSER, page)[0])
    for word in ("told", "missing", "example.org", "0 of 1 players", "1 of 2 images"):
        assert word in faults


@needs_browser
def test_a_page_without_our_script_did_not_render(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("<p>nothing")
    assert "did not render" in "\n".join(check_report.check(BROWSER, page)[0])


@pytest.mark.parametrize(("option", "status"), [([], 0), (["--require"], 1)])
def test_a_missing_browser_is_told(tmp_path, option, status):
    command = [sys.executable, str(SCRIPT), str(write(tmp_path)), *option]
    result = subprocess.run(
        [*command, "--chromium", "no-such-browser"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == status
    assert "apt-get install chromium" in result.stdout
