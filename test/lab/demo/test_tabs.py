import logging
import re
import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml
from factories import make_config, make_features, make_model
from lab.demo.conftest import MOST

from espnet_uniwav.apps.phones import pocketsphinx_aligner
from espnet_uniwav.apps.phones.from_text import Phonemizer
from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.cli.commands import PRETRAINED, VOICE
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.io import folder as storage
from espnet_uniwav.io.folder import write_folder
from espnet_uniwav.lab.demo import samples
from espnet_uniwav.lab.demo.diagrams import STEPS, diagram
from espnet_uniwav.lab.demo.model_loader import Models
from espnet_uniwav.lab.demo.stopwatch import Stopwatch
from espnet_uniwav.lab.demo.tabs import CHARACTERS_PER_SECOND, Tabs


def original(path):
    return soundfile.read(path, dtype="float32")[0]


def test_speak(tabs, folder):
    said = []
    alone = tabs.speak("AB\nCD", num_steps=1, progress=lambda *own: said.append(own))
    assert [what for _, what in said][1:] == [
        "Generating; sentences done: 1",
        "Generating; sentences done: 2",
    ]
    assert alone.seconds == len(alone.speech) / 16000 > 0.2
    assert alone.pictures.count("data:image/png") == 1
    assert re.findall(r"title=.(\w+): \d+ ms", alone.pictures) == ["A", "B"]
    slow = tabs.speak("AB\nCD", speed=0.5, num_steps=1)
    assert slow.seconds > alone.seconds
    voiced = tabs.speak("AB", str(folder / "voice.wav"), "A", num_steps=1)
    assert not np.array_equal(voiced.speech, tabs.speak("AB", num_steps=1).speech)


def test_fill_changes_the_gap_alone(tabs, folder):
    path = str(folder / "speech.wav")
    start, end, seconds = tabs.place(path)
    assert (start, end, seconds) == (0.4, 0.6, 1.0)
    answer = tabs.fill(path, end, start, num_steps=1)
    before, fade = original(path), 240
    first, last = round(start * 16000), round(end * 16000)
    assert np.array_equal(answer.speech[: first - fade], before[: first - fade])
    assert np.array_equal(answer.speech[last + fade :], before[last + fade :])
    assert not np.array_equal(answer.speech[first:last], before[first:last])
    assert answer.note == "0.20 of 1.00 s are generated"
    assert answer.pictures.count("data:image/png") == 2
    assert tabs.mark(path, start, end) != tabs.mark(path, start, end + 0.1)


def test_edit(tabs, folder):
    path = str(folder / "speech.wav")
    answer = tabs.edit(path, "bee ah", "bee", "DD", num_steps=1)
    before = original(path)
    assert np.array_equal(answer.speech[:6000], before[:6000])
    assert np.array_equal(answer.speech[-6000:], before[-6000:])
    assert not np.array_equal(answer.speech[6400:7000], before[6400:7000])
    assert answer.note == "0.40 to 0.60 s were replaced"
    with pytest.raises(ValueError, match="speech.wav: expected 'cow' once"):
        tabs.edit(path, "bee ah", "cow", "DD")


def test_a_lexicon_is_for_speech_and_for_the_aligner(folder, tmp_path, monkeypatch):
    given = []
    path = tmp_path / "own.dict"
    path.write_text("bee B\n")
    monkeypatch.setattr(
        Synthesizer, "from_pretrained", lambda *args: given.append(args[-1])
    )
    monkeypatch.setattr(
        pocketsphinx_aligner,
        "PocketSphinxAligner",
        lambda lexicon: given.append(lexicon) or StopIteration(),
    )
    models = Models(folder / "model", folder / "voice.pth", lexicon=path)
    models.synthesizer()
    with pytest.raises(TypeError):
        Tabs(models, MOST).edit(str(folder / "speech.wav"), "bee", "bee", "ah")
    assert given == [{"bee": ["B"]}] * 2


def test_tokens_at_each_rate(tabs, folder):
    one, two = tabs.models.tokenizers
    assert (one, two) == ("one", "two")
    path, voice = str(folder / "speech.wav"), str(folder / "voice.wav")
    for name, count in ((one, 1), (two, 2)):
        answer = tabs.tokens(path, name, num_steps=1)
        assert [len(own.split()) for own in answer.codes.splitlines()] == [50] * count
        assert f"{200 * count} bit/s" in answer.note and answer.seconds == 1.0
    voiced = tabs.tokens(path, two, voice, num_steps=1)
    assert voiced.codes == answer.codes
    assert not np.array_equal(voiced.speech, answer.speech)
    with pytest.raises(ValueError, match="expected a tokenizer among one, two, found"):
        tabs.tokens(path, "/etc", num_steps=1)


def test_look(tabs, folder):
    answer = tabs.look(str(folder / "speech.wav"))
    assert answer.pictures.count("data:image/png") == 2
    assert answer.pictures.count("data:image/svg+xml") == 1
    assert len(answer.codes.split()) == 50 and answer.speech is None
    assert tabs.look(None).pictures.count("<img") == 1


@pytest.mark.parametrize(
    "name, message",
    [
        (None, "no recording is given: upload a file"),
        ("broken.wav", "broken.wav: cannot be read as audio .* convert it to wav"),
        (
            "long.wav",
            "^long.wav: expected at most 3 s, found 4.0 s; cut it, or .*--max",
        ),
    ],
)
def test_recordings_of_no_use(tabs, folder, name, message):
    path = name and str(folder / name)
    for work in (
        tabs.place,
        lambda own: tabs.mark(own, 0.1, 0.2),
        lambda own: tabs.fill(own, 0.1, 0.2),
        lambda own: tabs.edit(own, "bee ah", "bee", "A"),
        lambda own: tabs.tokens(own, "one"),
    ):
        with pytest.raises(ValueError, match=message):
            work(path)
    if name:
        with pytest.raises(ValueError, match=message):
            tabs.look(path)
        with pytest.raises(ValueError, match=message):
            tabs.speak("AB", path)
    assert tabs.models.loading == 0.0


def test_texts_of_no_use(tabs):
    most = round(CHARACTERS_PER_SECOND * tabs.max_seconds)
    with pytest.raises(
        ValueError, match=f"at most {most} characters, found {most + 1}"
    ):
        tabs.speak("A" * (most + 1))
    with pytest.raises(ValueError, match="nothing to read"):
        tabs.speak(" ")


def test_models_are_loaded_once(tabs, folder):
    path = str(folder / "speech.wav")
    tabs.fill(path, 0.4, 0.5, num_steps=1)
    spent = tabs.models.loading
    tabs.look(None)
    assert tabs.models.loading == spent > 0
    tabs.tokens(path, "one", num_steps=1)
    assert tabs.models.loading > spent


def test_packaged_models_are_used_if_none_is_named(packaged):
    models = Models()
    assert models.checkpoint == "tiny-test"
    assert models.tts is None and models.tokenizers == {}


def test_the_page_uses_the_models_of_the_commands(folder, tmp_path, monkeypatch):
    """Also if others of their kinds come before them in the alphabet."""
    monkeypatch.setattr(storage, "PACKAGED", tmp_path)
    for name in ("a", PRETRAINED, "z"):
        shutil.copytree(folder / "model", tmp_path / name)
    for name in ("b", VOICE, "y"):
        write_folder(tmp_path / name, {}, {"kind": "synthesiser", "model": {}})
    models = Models()
    assert (models.checkpoint, models.tts) == (PRETRAINED, VOICE)


@pytest.mark.parametrize("conf, steps", [({"num_steps": 2}, 2), ({}, 8), (None, 8)])
def test_steps_are_those_of_the_voice(tabs, tmp_path, conf, steps):
    """On the sliders of the page; a model without a configuration has none."""
    pytest.importorskip("gradio")
    from espnet_uniwav.lab.demo.blocks import build_page

    path = tabs.models.tts
    if conf is not None:
        path = tmp_path / "voice.pth"
        path.touch()
        conf = {**conf, "architecture": make_config()}
        args = dict(tts="uniwav", token_list=["a"], tts_conf=conf)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(args))
    tabs.models.tts = path
    parts = build_page(tabs).get_config_file()["components"]
    shown = [own["props"] for own in parts if own["props"].get("label") == "Steps"]
    assert [own["value"] for own in shown] == [steps, 16, steps, 8]


def test_steps_that_are_not_given_are_those_of_the_voice(tabs, folder):
    synthesizer = tabs.models.synthesizer()
    synthesizer.sampling = synthesizer.sampling.but(num_steps=1)
    assert np.array_equal(tabs.speak("AB").speech, tabs.speak("AB", num_steps=1).speech)
    edited = [str(folder / "speech.wav"), "bee ah", "bee", "DD"]
    assert np.array_equal(
        tabs.edit(*edited).speech, tabs.edit(*edited, num_steps=1).speech
    )


def test_examples_name_what_the_package_holds(tabs, tmp_path, monkeypatch):
    pytest.importorskip("pocketsphinx")
    recording, said = samples.own_recording()
    assert 0 < tabs.place(recording)[2] <= MOST and samples.WORD in said
    phonemize = Phonemizer()
    for text, *_ in samples.speak_rows().values():
        assert len(phonemize(text)) > 10
    (edit,) = samples.edit_rows().values()
    assert edit[:3] == [recording, said, samples.WORD] and phonemize(edit[3])
    assert list(samples.token_rows(["a", "b", "c"])) == ["a", "c"]
    monkeypatch.setattr(storage, "PACKAGED", tmp_path)
    assert samples.look_rows() == samples.edit_rows() == samples.token_rows(["a"]) == {}
    assert [prompt for _, prompt, _ in samples.speak_rows().values()] == [None, None]


def test_every_tab_has_its_diagram(tabs):
    pytest.importorskip("gradio")
    from espnet_uniwav.lab.demo.blocks import build_page

    parts = build_page(tabs).get_config_file()["components"]
    shown = [str(own["props"].get("value")) for own in parts]
    for tab in STEPS:
        assert diagram(tab) in shown
        assert not re.search("#[0-9a-f]{3}|rgb", diagram(tab))  # colours of the theme


def test_without_models(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(storage, "PACKAGED", tmp_path)
    tabs = Tabs(Models(), 60.0)
    assert tabs.models.checkpoint is None
    assert tabs.look(str(folder / "speech.wav")).pictures.count("<img") == 1


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(tts="nowhere/at/all"), "^--tts: .*nowhere/at/all/config.yaml is missing"),
        (
            dict(checkpoint="one"),
            "^--checkpoint: .*found tokenizer; name it with --tok",
        ),
        (dict(tokenizers=["model"]), "^--tokenizer: .*name it with --checkpoint"),
        (dict(vocoder="model"), "^--vocoder: .*found uniwav"),
    ],
)
def test_models_of_another_kind_are_refused(folder, monkeypatch, options, message):
    monkeypatch.chdir(folder)
    with pytest.raises((ValueError, OSError), match=message):
        Models(**options)


def test_tokenizers_of_one_name_are_told_apart(folder, tmp_path):
    shutil.copytree(folder / "one", tmp_path / "one")
    paths = [folder / "one", tmp_path / "one"]
    assert list(Models(folder / "model", None, paths).tokenizers) == list(
        map(str, paths)
    )


def test_learned_codes_at_every_rate(folder, tmp_path):
    conf = dict(layer="learned", num_codebooks=2, codebook_size=16)
    tokenizer = UniWavTokenizer(make_model(), **conf).eval()
    save_checkpoint(tokenizer, {**make_config(), "tokenizer": conf}, tmp_path / "own")
    paths = [folder / "one", tmp_path / "own"]
    tabs = Tabs(Models(folder / "model", folder / "voice.pth", paths), MOST)
    assert list(tabs.models.tokenizers) == ["one", "own, 2 of 2", "own, 1 of 2"]
    for name, count in (("own, 2 of 2", 2), ("own, 1 of 2", 1)):
        answer = tabs.tokens(str(folder / "speech.wav"), name, num_steps=1)
        assert len(answer.codes.splitlines()) == count
        assert f"{200 * count} bit/s" in answer.note


def test_a_vocoder_may_be_declined(folder):
    models = Models(folder / "model", folder / "voice.pth", [folder / "one"], "none")
    assert models.generator().features.vocoder is None


def test_a_vocoder_is_used_by_all(folder, tmp_path, tabs):
    torch.manual_seed(0)
    conf = dict(dim=16, ffn_dim=16, num_layers=1)
    vocoder = Vocoder(make_features(), **conf)
    config = {"features": make_config()["features"], "vocoder": conf}
    save_checkpoint(vocoder, config, tmp_path / "vocoder")
    path = str(folder / "speech.wav")
    tokenizers = [folder / "one"]
    voiced = Tabs(
        Models(folder / "model", None, tokenizers, tmp_path / "vocoder"), MOST
    )
    for work in (
        lambda own: own.fill(path, 0.4, 0.6, 1),
        lambda own: own.tokens(path, "one"),
    ):
        assert not np.array_equal(work(voiced).speech, work(tabs).speech)


def test_watch_tells_loading_apart_and_collects_our_warnings(tabs, monkeypatch):
    with Stopwatch(tabs.models) as watch:
        tabs.models.generator()
        logging.warning("from elsewhere")
        record = logging.LogRecord(
            "root",
            logging.WARNING,
            storage.__file__,
            1,
            "the %s fits badly",
            "text",
            None,
        )
        logging.getLogger().handle(record)
    logging.getLogger().handle(record)
    watch.spent = 0.5
    assert watch.loading == tabs.models.loading > 0
    assert watch.report(2.0) == (
        "0.50 s of computing for 2.00 s of speech: real-time factor 0.25; before that, "
        f"{watch.loading:.1f} s to load the model.\n\nNote: the text fits badly"
    )
    with Stopwatch(tabs.models) as watch:
        tabs.models.generator()
    assert watch.report(0.0).endswith(" s of computing.")
