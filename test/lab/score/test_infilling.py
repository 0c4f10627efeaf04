from __future__ import annotations

import csv
import math
import runpy

import numpy as np
import pytest
import soundfile
import torch
from factories import ROOT, command

from espnet_uniwav import infill
from espnet_uniwav.apps.infill.filling import (
    feature_distance,
    fill_linear,
    fill_mean,
    fill_model,
    span_mask,
)
from espnet_uniwav.apps.vocoder.splicing import runs
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.audio import read_speech, write_speech
from espnet_uniwav.lab.score.infilling import (
    COPY,
    LINEAR,
    MEAN,
    MODEL,
    ORIGINAL,
    describe_differences,
    format_infilling,
    load_utterances,
    score_infilling,
)

infill_main = command("infill")

RATE = 16000
SCORE = ROOT / "egs2/mini_speech/ssl1/local/score_infill.py"
SMALL = dict(num_layers=2, embed_dim=32, num_heads=2, ffn_dim=64)
CONFIG = dict(features={"name": "log_mel"}, encoder=SMALL, decoder=SMALL)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return UniWav.from_config(CONFIG).eval()


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(model, CONFIG, folder)
    return folder


def tone(seconds: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(seconds * RATE)) / RATE
    noise = torch.randn(len(time), generator=generator)
    return 0.3 * torch.sin(2 * math.pi * 220 * time) + 0.01 * noise


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "in.wav"
    write_speech(path, tone(1.5), RATE)
    return path


@pytest.mark.parametrize("frames, span", [(500, 5), (500, 10), (73, 5), (20, 10)])
def test_span_mask_share_length_and_distance(frames, span):
    mask = span_mask("utt", frames, span, 0.3)
    assert abs(int(mask.sum()) - 0.3 * frames) <= span / 2 + 1e-6 or frames == 20
    assert all(last - first == span for first, last in runs(mask))


def test_span_mask_repeats_and_depends_on_name_span_and_seed():
    mask = span_mask("a", 300, 5, 0.3, seed=1)
    assert torch.equal(mask, span_mask("a", 300, 5, 0.3, seed=1))
    assert not torch.equal(mask, span_mask("b", 300, 5, 0.3, seed=1))
    assert not torch.equal(mask, span_mask("a", 300, 5, 0.3, seed=2))


def test_span_mask_reaches_both_edges_and_fits_dense_spans():
    masks = torch.stack([span_mask(str(i), 12, 3, 0.3) for i in range(200)])
    assert masks.any(dim=0).all()
    dense = span_mask("utt", 11, 2, 0.9)
    assert len(runs(dense)) == 4 and int(dense.sum()) == 8


@pytest.mark.parametrize("frames, share", [(5, 0.3), (50, 0.0), (50, 1.0)])
def test_span_mask_refuses(frames, share):
    with pytest.raises(ValueError):
        span_mask("utt", frames, 5, share)


def test_fill_linear_equals_numpy():
    x, mask = torch.randn(40, 3), span_mask("utt", 40, 4, 0.4)
    mask[:2] = mask[-3:] = True
    filled, kept = fill_linear(x, mask), np.flatnonzero(~mask.numpy())
    for dim in range(3):
        wanted = np.interp(np.arange(40), kept, x[kept, dim].numpy())
        np.testing.assert_allclose(filled[:, dim].numpy(), wanted, atol=1e-5)
    assert torch.equal(filled[~mask], x[~mask])


def test_fill_mean_is_the_mean_of_kept_frames():
    x, mask = torch.randn(30, 4), span_mask("utt", 30, 5, 0.3)
    filled = fill_mean(x, mask)
    assert torch.equal(filled[~mask], x[~mask])
    torch.testing.assert_close(filled[mask][0], x[~mask].mean(0))


def test_fill_model_keeps_frames_order_and_seed(model):
    xs = [torch.randn(n, 80) for n in (60, 25, 40)]
    masks = [span_mask(str(len(x)), len(x), 5, 0.3) for x in xs]
    args = (model, xs, masks, Sampling(num_steps=2))
    filled, again = fill_model(*args, seed=3), fill_model(*args, seed=3)
    other = fill_model(*args, seed=4)
    for i, (x, mask) in enumerate(zip(xs, masks)):
        assert filled[i].shape == x.shape
        assert torch.equal(filled[i][~mask], x[~mask])
        assert torch.equal(filled[i], again[i])
        assert not torch.equal(filled[i][mask], other[i][mask])


def test_feature_distance_undoes_the_normalisation():
    x = torch.zeros(4, 2)
    mask = torch.tensor([True, False, True, False])
    filled = x + torch.tensor([1.0, -2.0])
    assert feature_distance(filled, x, mask, (3.0,)) == pytest.approx(4.5)
    assert feature_distance(filled, x, mask, (1.0, 2.0)) == pytest.approx(2.5)


def test_read_speech_mixes_resamples_and_round_trips(tmp_path):
    stereo = np.stack([np.full(8000, 0.5), np.zeros(8000)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 8000)
    speech = read_speech(tmp_path / "stereo.flac", RATE)
    assert len(speech) == RATE and abs(float(speech[8000]) - 0.25) < 0.01
    samples = torch.tensor([-32768, -1, 0, 1, 12345, 32767]) / 32768
    write_speech(tmp_path / "a.wav", samples, RATE)
    assert np.array_equal(read_speech(tmp_path / "a.wav", RATE), samples)


def run_infill(checkpoint, source, target, *more):
    where = ["--checkpoint", str(checkpoint), "--num_steps", "2"]
    gap = [] if "--start" in more else ["--start", "0.5", "--end", "0.7"]
    infill_main([str(source), str(target), *where, *gap, *more])
    return torch.from_numpy(read_speech(target, RATE))


def test_command_repeats_and_keeps_the_original(checkpoint, wav, tmp_path):
    original = torch.from_numpy(read_speech(wav, RATE))
    first = run_infill(checkpoint, wav, tmp_path / "a.wav")
    again = run_infill(checkpoint, wav, tmp_path / "b.wav")
    other = run_infill(checkpoint, wav, tmp_path / "c.wav", "--seed", "1")
    assert torch.equal(first, again) and not torch.equal(first, other)
    infill(wav, tmp_path / "e.wav", checkpoint, start=0.5, end=0.7, num_steps=2)
    assert np.array_equal(read_speech(tmp_path / "e.wav", RATE), first)
    kept = torch.ones(len(original), dtype=torch.bool)
    kept[int(0.485 * RATE) : int(0.715 * RATE)] = False
    assert torch.equal(first[kept], original[kept])
    assert not torch.equal(first[8000:11200], original[8000:11200])
    vocoded = run_infill(checkpoint, wav, tmp_path / "d.wav", "--no-splice")
    assert len(vocoded) == len(original) and not torch.equal(vocoded, first)


def test_command_finds_a_packaged_model(packaged, wav, tmp_path):
    named = run_infill("tiny-test", wav, tmp_path / "a.wav")
    by_path = run_infill(tmp_path / "models/tiny-test", wav, tmp_path / "b.wav")
    np.testing.assert_array_equal(named, by_path)


def test_command_fills_several_gaps(checkpoint, wav, tmp_path):
    gaps = ["--start", "0.2", "--end", "0.3", "--start", "1.4", "--end", "1.5"]
    original = torch.from_numpy(read_speech(wav, RATE))
    out = run_infill(checkpoint, wav, tmp_path / "a.wav", *gaps, "--context", "0.1")
    assert torch.equal(out[8000:16000], original[8000:16000])
    assert not torch.equal(out[3200:4800], original[3200:4800])
    assert not torch.equal(out[-800:], original[-800:])


def bad_files(folder):
    soundfile.write(folder / "empty.wav", np.zeros(0), RATE)
    soundfile.write(folder / "short.wav", np.zeros(800), RATE)
    nan = np.full(RATE, np.nan, np.float32)
    soundfile.write(folder / "nan.wav", nan, RATE, subtype="FLOAT")
    (folder / "text.wav").write_text("no audio")


@pytest.mark.parametrize(
    "name, word",
    [
        ("empty", "0 samples"),
        ("short", "at least"),
        ("nan", "NaN"),
        ("text", "cannot be read"),
        ("none", "no such"),
    ],
)
def test_command_refuses_bad_audio(checkpoint, tmp_path, name, word):
    bad_files(tmp_path)
    with pytest.raises(SystemExit, match=f"{name}.wav.*{word}"):
        run_infill(checkpoint, tmp_path / f"{name}.wav", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_refuses_missing_checkpoint_and_odd_pairs(checkpoint, wav, tmp_path):
    with pytest.raises(SystemExit, match="nowhere"):
        run_infill(tmp_path / "nowhere", wav, tmp_path / "out.wav")
    pairs = ["--start", "0.1", "--end", "0.2", "--start", "0.5"]
    with pytest.raises(SystemExit, match="2 starts and 1 ends"):
        run_infill(checkpoint, wav, tmp_path / "out.wav", *pairs)


def test_command_refuses_a_missing_output_folder(checkpoint, wav, tmp_path):
    with pytest.raises(SystemExit, match="nofolder/out.wav.*folder"):
        run_infill(checkpoint, wav, tmp_path / "nofolder/out.wav")


def test_command_refuses_a_checkpoint_without_decoder(wav, tmp_path):
    config = {**CONFIG, "decoder": None}
    save_checkpoint(UniWav.from_config(config), config, tmp_path / "encoder")
    with pytest.raises(SystemExit, match="no decoder"):
        run_infill(tmp_path / "encoder", wav, tmp_path / "out.wav")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    scp, text = [], []
    for index in range(4):
        path = folder / f"utt{index}.wav"
        write_speech(path, tone(0.1 if index == 3 else 0.8, index), RATE)
        scp.append(f"utt{index} {path}\n")
        text.append(f"utt{index} ONE TWO THREE FOUR\n")
    (folder / "wav.scp").write_text("".join(scp))
    (folder / "text").write_text("".join(text))
    return folder


def test_scores_of_all_systems_on_the_same_masks(model, data):
    utterances, skipped = load_utterances(data, model.features, None, 0.1)
    assert len(utterances) == 3 and skipped == ["utt3"]

    def transcribe(speech, rate):
        """The original has no error, any other waveform one."""
        same = any(torch.equal(speech, u.speech) for u in utterances)
        return "one two three four" if same else "one two three"

    sampling = Sampling(num_steps=1)
    tables = [
        score_infilling(model, utterances, span, 0.3, sampling, 0, transcribe)
        for span in (0.1, 0.04)
    ]
    table = tables[0]
    assert list(table) == [ORIGINAL, COPY, MEAN, LINEAR, MODEL]
    assert [table[own].rate("word").value for own in (ORIGINAL, COPY)] == [0.0, 25.0]
    assert table[COPY].distances == [0.0] * 3 and min(table[MEAN].distances) > 0
    assert table[ORIGINAL].row["words"] == 12 and table[ORIGINAL].row["wer"] == "0"
    assert table[MODEL].rate("word", table[MEAN]).value == 0.0
    assert len(list(describe_differences(table))) == 2
    assert "| utterance mean | 25.0 (25.0 to 25.0) |" in format_infilling(tables)


def test_score_command_without_whisper(checkpoint, data, tmp_path, capsys):
    main = runpy.run_path(str(SCORE))["main"]
    command = ["--checkpoint", checkpoint, "--data", data, "--output"]
    command += [tmp_path / "out/table.csv", "--no_whisper", "--spans", "0.1"]
    command += ["--num_steps", "1"]
    main([str(word) for word in command])
    assert "| filled in |" in capsys.readouterr().out
    with open(tmp_path / "out/table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 and rows[0]["wer"] == "" and rows[-1]["utterances"] == "3"
    with pytest.raises(SystemExit, match="wav.scp"):
        main([*map(str, command), "--data", str(tmp_path / "nowhere")])
