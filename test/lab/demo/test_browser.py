"""The page in a real browser, by clicks: needs playwright and a chromium."""

import re
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")
from espnet_uniwav.lab.demo import server  # noqa: E402

pytestmark = pytest.mark.integration
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
# Players are made in scripts and are not part of the document.
COLLECT = """
    const make = document.createElement.bind(document);
    window.players = [];
    document.createElement = (...own) => {
        const made = make(...own);
        if (own[0] === 'audio') window.players.push(made);
        return made;
    }"""
ANSWERED = re.compile("s of computing")
PLAYED = "window.players.some(own => own.duration > 0.1 && own.currentTime > 0)"


@pytest.fixture
def page(tabs, tmp_path, monkeypatch):
    """The page, with all requests in ``page.asked``."""
    if not CHROMIUM:
        pytest.skip("no chromium")
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    served = server.launch(tabs, tmp_path)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.add_init_script(COLLECT)
        page.goto(served.local_url)
        yield page
        browser.close()
    served.close()


@contextmanager
def opened(page, title: str, *recordings):
    """A tab with recordings; afterwards its button gives an answer."""
    page.get_by_role("tab", name=title, exact=True).click()
    panel = page.locator("[role=tabpanel]:visible")
    for number, path in enumerate(recordings):
        # an input is gone when its file is there
        panel.get_by_test_id("file-upload").first.set_input_files(path)
        playwright.expect(panel.get_by_label("Clear")).to_have_count(number + 1)
    yield panel
    panel.locator("button.primary").click()
    playwright.expect(panel.get_by_text(ANSWERED)).to_be_visible()


def listen(page, panel) -> None:
    """Play the result."""
    page.evaluate("window.players.forEach(own => own.pause())")
    panel.get_by_label("Play", exact=True).last.click()
    page.wait_for_function(PLAYED)
    page.reload()


def test_every_tab_gives_speech_that_plays(page, folder):
    speech, voice = folder / "speech.wav", folder / "voice.wav"
    with opened(page, "Speak", voice) as panel:
        playwright.expect(panel.get_by_text("{R EH1 D} says")).to_be_visible()
        panel.locator("textarea").first.fill("AB\nCD")
    listen(page, panel)
    with opened(page, "Fill a gap", speech) as panel:
        start = panel.get_by_label("number input for Start of the gap")
        playwright.expect(start).to_have_value("0.4")
        marked = panel.locator("img").get_attribute("src")
        start.fill("0.2")
        playwright.expect(panel.locator("img")).not_to_have_attribute("src", marked)
    playwright.expect(panel.get_by_text("0.40 of 1.00 s are generated")).to_be_visible()
    listen(page, panel)
    with opened(page, "Edit words", speech) as panel:
        for label, text in (
            ("What is said in it", "bee ah"),
            ("Words to replace", "bee"),
            ("New words", "DD"),
        ):
            panel.get_by_label(label).fill(text)
    listen(page, panel)
    with opened(page, "Tokens", speech, voice) as panel:
        panel.get_by_label("two").check()
    playwright.expect(panel.get_by_text("400 bit/s")).to_be_visible()
    listen(page, panel)
    with opened(page, "Look", speech) as panel:
        pass
    playwright.expect(panel.locator("img")).to_have_count(3)
    hosts = {urlsplit(url).hostname for url in page.asked if url.startswith("http")}
    assert hosts == {"127.0.0.1"}


def test_an_example_gives_speech_at_one_click(page):
    """The recording is that of the packaged voice."""
    for title, name in (("Fill a gap", "A gap in the middle"), ("Tokens", "two")):
        page.get_by_role("tab", name=title).click()
        panel = page.locator("[role=tabpanel]:visible")
        panel.locator("button.gallery-item").get_by_text(name).click()
        playwright.expect(panel.get_by_text(ANSWERED)).to_be_visible()
        page.wait_for_function(PLAYED)  # without another click
        page.reload()
    page.get_by_role("tab", name="Look").click()
    panel = page.locator("[role=tabpanel]:visible")
    panel.get_by_text("A recording", exact=True).click()
    playwright.expect(panel.locator("img")).to_have_count(3)


def test_bad_recordings_give_a_message(page, folder):
    messages = {"broken.wav": "convert it to wav or flac", "long.wav": "--max_seconds"}
    for name, message in messages.items():
        page.get_by_role("tab", name="Fill a gap").click()
        panel = page.locator("[role=tabpanel]:visible")
        panel.get_by_test_id("file-upload").set_input_files(folder / name)
        said = page.get_by_test_id("toast-text")
        playwright.expect(said).to_contain_text(re.compile(f"^{name}: .*{message}"))
        page.reload()


def test_the_microphone(page):
    with opened(page, "Look") as panel:
        panel.get_by_label("Record audio").click()
        panel.get_by_role("button", name="Record", exact=True).click()
        page.wait_for_timeout(1000)
        panel.get_by_role("button", name="Stop").click()
        playwright.expect(panel.get_by_label("Play", exact=True)).to_be_visible()
    playwright.expect(panel.locator("img")).to_have_count(3)
