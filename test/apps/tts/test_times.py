"""Times of words and phones in generated speech, and their formats."""

import numpy as np
import pytest
from factories import command, make_synthesizer

from espnet_uniwav.apps.phones.ctm import SILENCE, Segment, read_ctm
from espnet_uniwav.apps.phones.from_text import Phonemizer
from espnet_uniwav.apps.tts.speaking import synthesize
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.apps.tts.times import (
    SpokenSentence,
    check_word_ends,
    segments,
    text_grid,
    write_times,
)

TEXT = "Hello, Ann. Good day."


@pytest.fixture(scope="module")
def synthesizer():
    read = Phonemizer()
    tokens = ["<blank>", "<unk>", *sorted(set(read(TEXT))), "<sos/eos>"]
    return Synthesizer(make_synthesizer(tokens), read.phones, read.normalize)


@pytest.fixture(scope="module")
def sentences(synthesizer):
    return list(synthesizer.speak_sentences(TEXT, seed=3))


def test_the_speech_is_that_of_a_call(synthesizer, sentences):
    speech = np.concatenate([own.speech for own in sentences])
    assert np.array_equal(speech, synthesizer(TEXT, seed=3))


def test_times_cover_the_speech_but_for_pauses(synthesizer, sentences):
    rate, end = synthesizer.sample_rate, 0.0
    for own in sentences:
        tokens = own.tokens
        end += len(own.speech) / rate
        assert tokens[-1].end == pytest.approx(end)
        for left, right in zip(tokens, tokens[1:]):
            assert left.end == pytest.approx(right.start)
    assert sentences[0].tokens[0].start == pytest.approx(0)
    pause = sentences[1].tokens[0].start - sentences[0].tokens[-1].end
    assert 0.05 < pause < 0.5


def test_words(sentences):
    words = [own for sentence in sentences for own in sentence.words]
    assert [own.label for own in words] == ["hello", "ann", "good", "day"]
    first, phones = words[0], sentences[0].phones
    inside = [p.label for p in phones if first.start <= p.start < first.end]
    assert inside == ["HH", "AH", "L", "OW"] and SILENCE in [p.label for p in phones]


def test_formats(sentences, tmp_path):
    for name in ("a.srt", "a b.ctm", "a.TextGrid"):
        write_times(tmp_path / name, sentences)
    captions = (tmp_path / "a.srt").read_text().split("\n\n")
    assert captions[0].startswith("1\n00:00:00,000 --> 00:00:0")
    assert captions[1].splitlines()[2] == "Good day."
    (words,) = read_ctm(tmp_path / "a b.ctm").values()
    assert [own.label for own in words] == ["hello", "ann", "good", "day"]
    praatio = pytest.importorskip("praatio.textgrid")
    grid = praatio.openTextgrid(str(tmp_path / "a.TextGrid"), False)
    assert grid.tierNames == ("words", "phones")
    found = [entry.label for entry in grid.getTier("words").entries]
    assert found == ["hello", "ann", "good", "day"]


def test_a_grid_fills_gaps():
    grid = text_grid({"words": [Segment(0.5, 1.0, "a"), Segment(1.5, 2.0, "b")]})
    assert grid.count('text = ""') == 2 and "xmax = 2.0000" in grid


def test_tokens_without_word_ends(tmp_path):
    sentence = SpokenSentence("ab", segments("ab", [3, 2], 0.1, 10), np.zeros(9))
    assert sentence.tokens == [Segment(0.1, 0.4, "a"), Segment(0.4, 0.6, "b")]
    write_times(tmp_path / "a.srt", [sentence])
    with pytest.raises(ValueError, match="a.ctm: the tokens .* write .srt"):
        write_times(tmp_path / "a.ctm", [sentence])
    check_word_ends("a.srt", ["a", "b"])
    check_word_ends("a.ctm", ["a", "b_E"])
    with pytest.raises(ValueError, match="a.ctm: the tokens .* write .srt"):
        check_word_ends("a.ctm", ["a", "b"])


def test_nothing_is_spoken_for_times_that_cannot_be_written(tmp_path, monkeypatch):
    synthesizer = Synthesizer(make_synthesizer(["a", "b", SILENCE]), list)
    monkeypatch.setattr(synthesizer, "speak_sentences", None)
    monkeypatch.setattr(Synthesizer, "from_pretrained", lambda *_: synthesizer)
    output, times = tmp_path / "a.wav", tmp_path / "a.ctm"
    with pytest.raises(ValueError, match="a.ctm: the tokens .* write .srt"):
        synthesize("x", output, "ab", times=times)
    assert not output.exists() and not times.exists()


@pytest.mark.parametrize(
    "options, error",
    [
        (["--times", "a.txt", "--output", "a.wav"], "a.txt: .*TextGrid"),
        (["--times", "a.srt", "--output", "-"], "--times: expected one --text"),
    ],
)
def test_what_is_refused(options, error):
    with pytest.raises(SystemExit, match=error):
        command("tts")(["--text", "Hello.", *options])
