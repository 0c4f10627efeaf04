"""Texts of any length, and other words in a recording."""

import os
import threading

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import make_speech

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.apps.phones.lexicon import tokenize
from espnet_uniwav.apps.tts.context import Context
from espnet_uniwav.apps.tts.edit import align_words, find_words, replace_stretch
from espnet_uniwav.apps.tts.sentences import FADE_SECONDS, PAUSE_SECONDS, join
from espnet_uniwav.apps.tts.sentences import split_sentences as split
from espnet_uniwav.apps.tts.synthesizer import SpeakingOptions, Synthesizer
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.io.audio import to_int16, write_speech
from espnet_uniwav.io.folder import CONFIG, WEIGHTS, packaged_models, read_config

STEPS = dict(num_steps=2, method="euler")
QUICK = SpeakingOptions(Sampling(**STEPS))
RATE = 16000


def test_sentences():
    assert split("One. Two two!  \n Three?") == ["One.", "Two two!", "Three?"]
    assert split(" \n ") == []
    assert split("v1.2 is here") == ["v1.2 is here"]
    assert split("Mrs. A saw Dr. B. He left.") == ["Mrs. A saw Dr. B.", "He left."]
    long = split("one two, three four, five six seven", max_characters=20)
    assert long == ["one two, three four,", "five six seven"]
    assert split("a" * 30 + " b", max_characters=20) == ["a" * 30, "b"]


def test_a_part_without_a_word_is_a_pause(synthesizer):
    assert split("Hello. ... World. ?? !!!\n---\nBye.") == ["Hello.", "World.", "Bye."]
    assert split("... \u2013 'A' ... (") == ["\u2013 'A' ..."]
    assert split("?? !!!\n---") == []
    plain = synthesizer("AB\nCD", **STEPS)
    assert np.array_equal(synthesizer("--\nAB\n---\nCD\n?? !", **STEPS), plain)
    with pytest.raises(ValueError, match="holds no word: nothing to read"):
        synthesizer("?? !!!\n---", **STEPS)


def test_joined_sentences_do_not_click():
    pieces = [np.ones(4000, np.float32), -np.ones(3000, np.float32)]
    joined = np.concatenate(list(join(pieces, 2, RATE)))
    pause, fade = round(PAUSE_SECONDS * RATE), round(FADE_SECONDS * RATE)
    assert len(joined) == 7000 + pause
    assert (joined[4000 : 4000 + pause] == 0).all()
    assert np.abs(np.diff(joined)).max() < 2 * np.pi / 2 / fade
    assert joined[0] == 1 and joined[-1] == -1
    assert next(join(pieces[:1], 1, RATE)) is pieces[0]


def test_read_a_long_text(synthesizer):
    one = synthesizer("ABC", **STEPS)
    two = synthesizer("ABC. ABC.".replace(".", "\n"), **STEPS)
    assert len(two) == 2 * len(one) + round(PAUSE_SECONDS * RATE)
    timed = synthesizer("AB\nABCD", seconds=1.2, **STEPS)
    assert abs(len(timed) / RATE - PAUSE_SECONDS - 1.2) <= 0.03
    with pytest.raises(ValueError, match="nothing to read"):
        synthesizer("  ", **STEPS)
    with pytest.raises(ValueError, match=r"\['X'\] are not among the tokens"):
        synthesizer("AX", **STEPS)


def test_a_model_without_ends_of_words_reads_phones(synthesizer):
    assert synthesizer.tokens(["A", "B_E"]).tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"\['X'\] are not among the tokens"):
        synthesizer.tokens(["X_E"])


def test_a_model_has_a_pace(letters):
    slow, even = (Synthesizer(letters, list, speed=speed) for speed in (0.5, 1.0))
    frames = [len(own.speak("ABCD", options=QUICK).x) for own in (slow, even)]
    halved = even.speak("ABCD", options=SpeakingOptions(QUICK.sampling, speed=0.5))
    assert frames[0] == len(halved.x) > frames[1]


def test_the_pace_of_a_model_does_not_move_the_bounds_of_the_speed(letters):
    paced = Synthesizer(letters, list, speed=0.5)
    slow, slower = (
        len(paced.speak("ABCD", options=SpeakingOptions(QUICK.sampling, speed=speed)).x)
        for speed in (0.2, 0.1)
    )
    assert abs(slower - 2 * slow) <= 2
    with pytest.raises(ValueError, match="speed: expected a number from 0.1 to 10"):
        SpeakingOptions(speed=0.09)


def test_prompt_with_and_without_text(synthesizer, recording):
    silent, told = synthesizer.prompt(recording), synthesizer.prompt(recording, "AB")
    assert silent.tokens is None and told.tokens.tolist() == [2, 3]
    assert silent.x.shape[0] == 50


def test_prompt_of_other_words_is_reported(synthesizer, recording, monkeypatch, caplog):
    found = synthesizer.prompt(recording, "AB").mismatch
    assert found > 0
    for bound, warned in ((found + 0.01, False), (found - 0.01, True)):
        monkeypatch.setattr(
            "espnet_uniwav.apps.tts.synthesizer.LARGEST_MISMATCH", bound
        )
        synthesizer.prompt(recording, "AB")
        assert ("does not seem to say 'AB'" in caplog.text) == warned


def test_replaced_words(synthesizer, recording):
    phones = [
        Segment(0.0, 0.3, "A"),
        Segment(0.3, 0.5, "B"),
        Segment(0.5, 1.0, "C"),
    ]
    edited = replace_stretch(synthesizer, recording, phones, (0.3, 0.5), "DD", QUICK)
    tail = 8000
    fade = 300
    assert np.array_equal(edited[: 4800 - fade], recording[: 4800 - fade])
    assert np.array_equal(edited[-tail + fade :], recording[-tail + fade :])
    middle = edited[4800:-tail]
    assert len(middle) % 320 == 0 and len(middle) > 0
    assert not np.array_equal(middle[:320], recording[4800:5120])
    first = replace_stretch(synthesizer, recording, phones, (0.0, 0.3), "D", QUICK)
    assert np.array_equal(first[-11200 + fade :], recording[-11200 + fade :])
    with pytest.raises(ValueError, match="no aligned phone"):
        replace_stretch(synthesizer, recording, phones, (0.31, 0.49), "D", QUICK)


def test_a_transcript_that_is_not_the_recordings_is_reported(
    synthesizer, recording, monkeypatch, caplog
):
    phones = [Segment(0.0, 0.5, "A"), Segment(0.5, 1.0, "B")]
    context = Context(
        synthesizer.prompt(recording).x,
        synthesizer.tokens("AB"),
        torch.tensor([25, 25]),
    )
    found = synthesizer.network.align(context)
    assert found.durations.tolist() == [25, 25] and found.mismatch > 0
    for bound, warned in (
        (found.mismatch + 0.01, False),
        (found.mismatch - 0.01, True),
    ):
        monkeypatch.setattr(
            "espnet_uniwav.apps.tts.synthesizer.LARGEST_MISMATCH", bound
        )
        replace_stretch(synthesizer, recording, phones, (0.5, 1.0), "D", QUICK)
        assert (
            "recording does not seem to say its transcript" in caplog.text
        ) == warned


def segments(text):
    """Words of half a second each, with the marks that touch them."""
    return [Segment(i, i + 0.5, token) for i, (token, _) in enumerate(tokenize(text))]


@pytest.mark.parametrize(
    "text, phrase, start",
    [
        ("I like cats.", "cats", 2),
        ("I like cats.", "cats.", 2),
        ("I like \u201ccats,\u201d dogs, and birds", "Cats dogs", 2),
        ("I like \u2018cats\u2019; dogs", "cats, DOGS!", 2),
        ("I don\u2019t like 'cats'", "don't like", 1),
        ("I don't like cats", "don\u2019t", 1),
        ("Well-known (caf\u00e9)s", "well-known", 0),
        ("The dogs' tails", "dogs", 1),
    ],
)
def test_words_are_found_whatever_touches_them(text, phrase, start):
    assert find_words(segments(text), phrase)[0] == start


def test_a_transcript_is_read_as_any_text(monkeypatch):
    from espnet_uniwav.apps.phones import pocketsphinx_aligner
    from espnet_uniwav.apps.phones.alignment import Alignment

    def align(utterance):
        words = segments(utterance.text)
        return Alignment([Segment(0, len(words), "SIL")], words)

    monkeypatch.setattr(pocketsphinx_aligner, "PocketSphinxAligner", lambda **_: align)
    for phrase, start in (("5 cats", 2), ("five cats", 2), ("5\u20ac", 4), ("AT&T", 6)):
        text = "I have 5 cats, 5\u20ac, AT&T..."
        assert align_words("a.wav", text, phrase)[1][0] == start
    with pytest.raises(ValueError, match="a.wav: expected 'dogs' once .* five cats"):
        align_words("a.wav", text, "dogs")


def test_words_are_found_once():
    words = segments("the CAT the dog")
    assert find_words(words, "cat The") == (1, 2.5)
    for phrase, count in (("the", 2), ("cow", 0), ("ca", 0), ("", 0), ("?!", 0)):
        with pytest.raises(ValueError, match=f"found it {count} times"):
            find_words(words, phrase)


def test_phonemizer():
    from espnet_uniwav.apps.phones.from_text import Phonemizer

    phonemize = Phonemizer()
    phones = phonemize("Dr. Smith, it's 42!")
    assert phones[0] == phones[-1] == "SIL" and phones.count("SIL") == 3
    assert phones[1:7] == ["D", "AA", "K", "T", "ER_E", "S"]
    assert phonemize("it's forty-two.")[:-1] == ["SIL", *phones[-11:-1]]
    for text in ("", "?!"):
        with pytest.raises(ValueError, match="no word to speak"):
            phonemize(text)
    with pytest.raises(ValueError, match="U.4F60 CJK"):
        phonemize("\u4f60\u597d")


def test_guessed_words_are_named_once(caplog):
    from espnet_uniwav.apps.phones.from_text import Phonemizer
    from espnet_uniwav.apps.phones.lexicon import ARPABET
    from espnet_uniwav.apps.phones.word_ends import unmarked

    phonemize = Phonemizer()
    phones = set(map(unmarked, phonemize("The zyxgorp, a Zyxgorp's R2.")))
    assert phones <= ARPABET | {"SIL"}
    assert caplog.text.count("zyxgorp (Z ") == 1 and "guess" in caplog.text
    caplog.clear()
    phonemize("zyxgorp and hello")
    assert caplog.text == ""


def test_words_are_found_in_a_pipe_and_in_a_file_with_a_blank(tmp_path):
    path, fifo = tmp_path / "my voice.wav", tmp_path / "fifo"
    soundfile.write(path, make_speech([24000])[0][0].numpy(), 16000)
    expected = align_words(path, "HELLO ALI", "ali")
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(path.read_bytes(),))
    writer.start()
    assert align_words(fifo, "HELLO ALI", "ali") == expected
    writer.join(5)


def fresh(synthesizer, *what, **more):
    """What one says that has aligned no prompt before."""
    return Synthesizer(synthesizer.network, synthesizer.tokenize)(*what, **more)


def test_prompts_that_callers_give(synthesizer, recording, tmp_path):
    write_speech(tmp_path / "me.wav", recording, RATE)
    expected = fresh(synthesizer, "AB", tmp_path / "me.wav", num_steps=1)
    for prompt in (str(tmp_path / "me.wav"), to_int16("", recording)):
        assert np.array_equal(fresh(synthesizer, "AB", prompt, num_steps=1), expected)
    near = fresh(synthesizer, "AB", recording.astype(np.float64), num_steps=1)
    assert len(near) == len(expected)
    tensor = torch.from_numpy(recording.copy())
    again = [synthesizer("AB", tensor, num_steps=1)]
    tensor.mul_(0.1)  # it is another voice now
    again.append(synthesizer("AB", tensor, num_steps=1))
    assert not np.array_equal(*again)
    phones = fresh(synthesizer, phones=["A", "B"], durations=[5, 6], num_steps=1)
    same = fresh(synthesizer, phones="A B", durations="5 6", num_steps=1)
    assert np.array_equal(phones, same) and len(same) == 11 * 320


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((None,), "the text: expected a string, found NoneType"),
        (("AB", {}), "prompt: expected mono samples .* found dict"),
        (("AB", np.zeros(16000, int)), "prompt: expected .* found torch.int64"),
    ],
)
def test_arguments_of_another_type(synthesizer, arguments, message):
    for speak in (synthesizer, synthesizer.stream):
        with pytest.raises(TypeError, match=message):
            speak(*arguments)


def test_a_changed_prompt_file_is_another_voice(synthesizer, tmp_path, monkeypatch):
    """Even if it has the same name, size and time."""
    path, voices = tmp_path / "me.wav", make_speech([16000, 16000])[0].numpy()
    aligned, prompt = [], synthesizer.prompt
    monkeypatch.setattr(
        synthesizer, "prompt", lambda *own: aligned.append(1) or prompt(*own)
    )
    found = []
    for voice in (0, 0, 1):
        write_speech(path, voices[voice], RATE)
        os.utime(path, (0, 0))
        found.append(synthesizer("AB", path, num_steps=1))
    assert np.array_equal(found[0], found[1]) and len(aligned) == 2
    write_speech(tmp_path / "other.wav", voices[1], RATE)
    expected = fresh(synthesizer, "AB", tmp_path / "other.wav", num_steps=1)
    assert np.array_equal(found[2], expected)
    assert not np.array_equal(found[2], found[0])


@pytest.mark.parametrize(
    "broken",
    [
        "x",
        {"text": "x"},
        {"text": {"token_type": "word", "g2p_type": {}}},
        {"text": {"token_type": {}}},
        {"num_steps": "many"},
        {"speed": []},
        {"voice": 3},
    ],
)
def test_broken_settings_of_a_checkpoint_name_it(tmp_path, broken):
    voices = packaged_models()["voices"]
    config = read_config(voices)
    good = config["model"]["speaking"]
    config["model"]["speaking"] = {**good, **broken} if broken != "x" else broken
    (tmp_path / CONFIG).write_text(yaml.safe_dump(config))
    for name in (WEIGHTS, "files"):
        (tmp_path / name).symlink_to(voices / name)
    with pytest.raises(ValueError, match=str(tmp_path)):
        Synthesizer.from_pretrained(tmp_path, vocoder="none")("Hello.")
