"""States, labels and corpora: the right vector beside the right label."""

import numpy as np
import pytest
import soundfile
import torch
from factories import make_model, make_speech, write_tables

from espnet_uniwav.apps.phones.ctm import Segment
from espnet_uniwav.io.kaldi import Utterance, thin_by_speaker
from espnet_uniwav.lab.understand.aligned_corpus import missing_parts, read_corpus
from espnet_uniwav.lab.understand.layer_scores import phone_labels, speaker_labels
from espnet_uniwav.lab.understand.states import Frames, collect_states

SAMPLES = (4000, 9000, 2500, 6400)


@pytest.fixture
def utterances(tmp_path):
    speech, lengths = make_speech(list(SAMPLES))
    found = []
    for i, (samples, length) in enumerate(zip(speech, lengths)):
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, samples[:length].numpy(), 16000, subtype="FLOAT")
        found.append(Utterance(f"u{i}", path, "abab"[i]))
    return found


def make_utterances(*speakers):
    return [Utterance(f"{s}-{i}", "none.wav", s) for i, s in enumerate(speakers)]


def test_states_are_those_of_the_model_alone(utterances):
    model = make_model()
    states = collect_states(model, utterances)
    assert list(states.layers) == ["features", "0", "1", "2", "3", "z"]
    assert states.frames.lengths.tolist() == [13, 29, 8, 20]
    for i, utterance in enumerate(utterances):
        speech = torch.from_numpy(soundfile.read(utterance.path, dtype="float32")[0])
        with torch.no_grad():
            x, _ = model.features.extract(speech[None], torch.tensor([len(speech)]))
            hidden = model.hidden_states(x)
            expected = [x, *hidden, model.weighted_sum(hidden)]
        of_utterance = states.frames.owner == i
        for found, state in zip(states.layers.values(), expected):
            np.testing.assert_allclose(found[of_utterance], state[0], atol=2e-5)


def test_a_model_without_decoder_has_no_z(utterances):
    states = collect_states(make_model(decoder=None), utterances[:1])
    assert "z" not in states.layers


def test_thinning_keeps_every_nth_frame_of_each_utterance(utterances):
    model = make_model()
    whole, thin = (collect_states(model, utterances, n) for n in (None, 25))
    assert thin.frames.step == 3
    for i, n in enumerate(whole.frames.lengths):
        kept = thin.frames.kept[i]
        assert kept.tolist() == list(range(1, n, 3))
        expected = whole.layers["2"][whole.frames.owner == i][kept]
        found = thin.layers["2"][thin.frames.owner == i]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="none.wav: no such audio file"):
        collect_states(make_model(), make_utterances("a"))


def test_phones_are_those_at_the_centres_of_frames():
    frames = Frames(make_utterances("a", "b", "c"), np.array([5, 6, 3]), 1, 50.0)
    # Centres at 0, 20, 40, 60 ms ...; a segment holds its start and not its end.
    alignments = {
        "a-0": [Segment(0.01, 0.04, "AA"), Segment(0.04, 0.065, "B")],
        "c-2": [Segment(0.0, 9.0, "S")],
    }
    labels = phone_labels(frames, alignments)
    expected = ["", "AA", "B", "B", "", *[""] * 6, "S", "S", "S"]
    assert labels.tolist() == expected
    thin = Frames(frames.utterances, frames.lengths, 2, 50.0)
    assert phone_labels(thin, alignments).tolist() == ["AA", "B", "", "", "", "S"]
    assert len(thin.owner) == 6


def test_a_code_may_stand_for_several_frames():
    frames = Frames(make_utterances("a", "b"), np.array([5, 4]), 1, 50.0)
    names = [utterance.name for utterance in frames.utterances]
    codes = dict(zip(names, (np.array([[7, 8, 9]]), np.array([[1, 2]]))))
    assert frames.pick(codes).tolist() == [[7, 7, 8, 8, 9, 1, 1, 2, 2]]
    for wrong in ({}, {**codes, names[1]: np.array([[1, 2, 3]])}):
        with pytest.raises(ValueError, match="expected codes of . frames, found"):
            frames.pick(wrong)


def test_speakers_need_several_utterances():
    frames = Frames(make_utterances(*"aaaabbb"), np.full(7, 2), 1, 50.0)
    assert speaker_labels(frames).tolist() == ["a"] * 8 + [""] * 6


def write_folder(folder, utterances):
    folder.mkdir()
    paths = {u.name: u.path for u in utterances}
    speakers = {u.name: u.speaker for u in utterances}
    write_tables(folder, {"wav.scp": paths, "utt2spk": speakers})
    return folder


def test_a_corpus_is_all_utterances_or_what_is_aligned(tmp_path):
    folder = write_folder(tmp_path / "data", make_utterances(*"abc"))
    alignments = {name: [Segment(0, 1, "AA")] for name in ("a-0", "c-2", "other")}
    corpus = read_corpus(folder, alignments)
    assert [u.name for u in corpus.utterances] == ["a-0", "b-1", "c-2"]
    fit = read_corpus(folder, alignments, aligned_only=True)
    assert [u.name for u in fit.utterances] == ["a-0", "c-2"]
    assert fit.alignments == corpus.alignments
    assert sorted(corpus.alignments) == ["a-0", "c-2"]
    assert len(read_corpus(folder, {}).utterances) == 3
    with pytest.raises(ValueError, match="none of 3 utterances is in the alignments"):
        read_corpus(folder, {"other": []})


def test_a_choice_of_utterances_keeps_groups_of_speakers():
    utterances = make_utterances(*"aaaaaaaabbbbccccddddeeee")
    utterances.sort(key=lambda u: (u.speaker, u.name))
    assert (
        thin_by_speaker(utterances, None)
        == thin_by_speaker(utterances, 99)
        == utterances
    )
    chosen = [u.speaker for u in thin_by_speaker(utterances[::-1], 12)]
    assert chosen == list("aaaabbbbdddd")
    assert len(thin_by_speaker(utterances, 1)) == 4


def test_what_cannot_be_measured_is_said(tmp_path):
    few = write_folder(tmp_path / "few", make_utterances(*"abc"))
    many = write_folder(tmp_path / "many", make_utterances(*"aaaabbbb"))
    alignments = {u.name: [] for u in make_utterances(*"aaaabbbb")}
    unaligned, aligned = read_corpus(few, {}), read_corpus(many, alignments)
    phones, speakers = missing_parts(unaligned)
    assert "uniwav align" in phones
    assert "0 of 3 speakers have 4 utterances" in speakers
    (probe,) = missing_parts(aligned)
    assert "--fit_data" in probe
    (shared,) = missing_parts(aligned, aligned)
    assert "2 of 2 held-out speakers" in shared
    other = write_folder(tmp_path / "other", make_utterances("x"))
    assert missing_parts(aligned, read_corpus(other, {})) == []
