"""Examples for every tab: a click fills in the inputs and gives the answer."""

from __future__ import annotations

from collections.abc import Sequence

from espnet_uniwav.cli.commands import VOICE
from espnet_uniwav.core.checkpoint import read_checkpoint
from espnet_uniwav.io.folder import packaged_models

TEXT = "The first of many words."
NUMBERS = "Dr. Hale paid $5 for 42 apples on Jan. 5th."
PHONES = "I [read](R EH1 D) it to {AA1 N Y AH}, who will read it, too."
# In the recording of the packaged voice, and in its place.
WORD, OTHER_WORD = "honolulu", "the mountains"

Rows = dict[str, list]


def own_recording() -> tuple[str, str] | None:
    """The recording of the packaged voice, and what is said in it; None: no such."""
    if VOICE not in packaged_models():
        return None
    found = read_checkpoint(VOICE)
    speaking = found.model.get("speaking") or {}
    if not speaking.get("voice"):
        return None
    return str(found.file(speaking["voice"])), speaking["voice_text"]


def speak_rows() -> Rows:
    """Label -> text, prompt, its text."""
    rows = {"Numbers and abbreviations": [NUMBERS, None, ""]}
    rows["Given pronunciations"] = [PHONES, None, ""]
    if own := own_recording():
        rows["In the voice of a recording"] = [TEXT, *own]
    return rows


def fill_rows() -> Rows:
    """Label -> recording."""
    own = own_recording()
    return {"A gap in the middle": [own[0]]} if own else {}


def edit_rows() -> Rows:
    """Label -> recording, its text, words, new words."""
    own = own_recording()
    if not own or WORD not in own[1]:
        return {}
    return {f"{WORD} \u2192 {OTHER_WORD}": [*own, WORD, OTHER_WORD]}


def token_rows(tokenizers: Sequence[str]) -> Rows:
    """Label -> recording, tokenizer: the first and the last one."""
    own = own_recording()
    names = dict.fromkeys((tokenizers[0], tokenizers[-1]))
    return {name: [own[0], name] for name in names} if own else {}


def look_rows() -> Rows:
    """Label -> recording."""
    own = own_recording()
    return {"A recording": [own[0]]} if own else {}
