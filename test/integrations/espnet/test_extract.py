"""``uniwav extract``, and training from what it wrote."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml
from espnet_case import train, write_task
from factories import command, make_model, make_speech, make_ssl_conf, save_model

from espnet_uniwav.core.features import build_features
from espnet_uniwav.core.features.stored import FeatureWriter, read_spec
from espnet_uniwav.integrations.espnet.ssl_frontend import UniWavFrontend
from espnet_uniwav.io.pipe import ALLOW

extract = command("extract")

FRONTEND = dict(fs="16k", features="log_mel", features_conf=dict(num_mels=12))
CONF = make_ssl_conf(frontend_conf=FRONTEND, collate_fn_conf=dict(crop_audio=False))
LENGTHS = [9600, 6401, 12000, 8000, 7777]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five recordings (one by a command), one that is none, and a configuration."""
    monkeypatch.setenv(ALLOW, "1")
    scp = write_task(tmp_path, CONF, LENGTHS) / "wav.scp"
    shutil.copy(scp, tmp_path / "good.scp")
    first = f"{tmp_path}/1.wav"
    lines = scp.read_text().replace(first, f"cat {first} |")
    scp.write_text(f"{lines}gone {tmp_path}/gone.wav\n")
    return tmp_path


def run(folder, *more, out="out"):
    command = [f"{folder}/wav.scp", f"{folder}/{out}", "--shard_size", "2"]
    extract([*command, "--config", f"{folder}/conf.yaml", "--allow_failed", *more])
    return folder / out


def read(out):
    from kaldiio import load_scp

    return {name: np.array(x) for name, x in load_scp(str(out / "feats.scp")).items()}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_features_are_those_of_the_training(folder, capsys, workers):
    out = run(folder, "--num_workers", workers)
    assert "5 of 6 files, 0 of them before; log_mel, 12 at" in capsys.readouterr().out
    found = read(out)
    features = build_features(num_mels=12)
    shapes = dict(own.split() for own in (out / "feats_shape").read_text().splitlines())
    for i, length in enumerate(LENGTHS):
        expected = features.extract_one(make_speech([length], seed=i)[0][0])
        np.testing.assert_allclose(found[f"utt{i}"], expected, atol=2e-3)
        assert shapes[f"utt{i}"] == f"{-(-length // 320)},12"
    assert [path.name for path in sorted(out.glob("*.ark"))] == [
        f"feats.{i}.ark" for i in (1, 2, 3)
    ]
    assert read_spec(out) == features.spec
    assert "gone.wav: no such audio file" in (out / "failed.tsv").read_text()


def test_goes_on_behind_the_last_whole_archive(folder, capsys):
    out = run(folder)
    whole = read(out)
    with open(out / "feats.3.ark", "wb") as f:
        f.write(b"half of it")
    lines = (out / "checksums").read_text().splitlines()
    (out / "checksums").write_text("".join(f"{line}\n" for line in lines[:2]))
    capsys.readouterr()
    run(folder)
    assert "5 of 6 files, 4 of them before" in capsys.readouterr().out
    again = read(out)
    assert list(again) == list(whole)
    for name, x in whole.items():
        np.testing.assert_array_equal(again[name], x)
    assert len((out / "checksums").read_text().splitlines()) == 3


def test_a_failed_file_is_an_error_unless_allowed(folder):
    command = [f"{folder}/wav.scp", f"{folder}/out", "--config", f"{folder}/conf.yaml"]
    with pytest.raises(SystemExit, match="5 of 6 files, .*; 1 failed, see .*tsv"):
        extract(command)
    (folder / "wav.scp").write_text("gone nowhere.wav\n")
    with pytest.raises(SystemExit, match="0 of 1 files, 0 of them before"):
        extract([*command, "--allow_failed"])


def test_changed_recordings_are_extracted_again(folder, capsys):
    out = run(folder)
    before = read(out)
    speech, _ = make_speech([LENGTHS[0]], seed=9)
    soundfile.write(folder / "0.wav", speech[0].numpy(), 16000)
    capsys.readouterr()
    run(folder)
    said = "5 of 6 files, 4 of them before, 1 again, of recordings that have changed"
    assert said in capsys.readouterr().out
    after = read(out)
    assert after.keys() == before.keys()
    expected = build_features(num_mels=12).extract_one(speech[0])
    np.testing.assert_allclose(after["utt0"], expected, atol=2e-3)
    for name in before.keys() - {"utt0"}:
        np.testing.assert_array_equal(after[name], before[name])
    shapes = (out / "feats_shape").read_text().splitlines()
    assert sorted(line.split()[0] for line in shapes) == sorted(before)
    run(folder)
    assert "5 of them before;" in capsys.readouterr().out


def test_interrupted_extraction_leaves_no_half_archive(folder):
    spec = build_features(num_mels=12).spec
    with pytest.raises(KeyboardInterrupt):
        with FeatureWriter(folder / "out", spec, 2) as writer:
            for name in "abc":
                writer.write(name, np.zeros((3, 12), np.float32))
            raise KeyboardInterrupt
    assert list(read(folder / "out")) == ["a", "b"]
    with FeatureWriter(folder / "out", spec, 2) as writer:
        assert writer.done == {"a", "b"}
        writer.write("c", np.ones((3, 12), np.float32))
    found = read(folder / "out")
    assert list(found) == ["a", "b", "c"] and found["c"].all()


def test_names_may_hold_other_spaces_than_blanks(folder):
    spec, names = build_features(num_mels=12).spec, ["a\u00a0b", "a\u3000c"]
    for known, name in enumerate(names):
        with FeatureWriter(folder / "out", spec, 1) as writer:
            assert writer.done == set(names[:known])
            writer.write(name, np.zeros((3, 12), np.float32))
    lines = (folder / "out/feats.scp").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ")[0] for line in lines] == names


def test_broken_archive_is_named(folder):
    out = run(folder)
    with open(out / "feats.1.ark", "r+b") as f:
        f.seek(100)
        f.write(b"xxxx")
    with pytest.raises(SystemExit, match="broken or missing: feats.1.ark"):
        run(folder)


def test_other_features_are_refused(folder):
    out = run(folder)
    other = {**CONF, "frontend_conf": {**FRONTEND, "features_conf": dict(num_mels=13)}}
    (folder / "conf.yaml").write_text(yaml.safe_dump(other))
    with pytest.raises(SystemExit, match="dim: expected 12, found 13"):
        run(folder)
    with pytest.raises(ValueError, match="dim: expected 12, found 13"):
        UniWavFrontend(features_conf=dict(num_mels=13), extracted=str(out))
    with pytest.raises(ValueError, match="frontend_conf: {extracted: FOLDER}"):
        UniWavFrontend()(torch.zeros(1, 5, 80), torch.tensor([5]))


def test_a_checkpoint_names_the_features_too(folder, packaged):
    save_model(folder / "ckpt")
    command = [folder / "good.scp", folder / "other"]
    extract([*command, "--config", folder / "ckpt/config.yaml"])
    assert read_spec(folder / "other") == make_model().features.spec
    command[1] = folder / "named"
    extract([*command, "--config", "tiny-test"])
    assert read_spec(folder / "named") == make_model().features.spec
    (folder / "odd.yaml").write_text("x: 1\n")
    with pytest.raises(SystemExit, match="expected a frontend, or the model"):
        extract([*command, "--config", f"{folder}/odd.yaml"])


def losses(folder, name, kind, shape, **frontend):
    """Of every update of one short training."""
    conf = {**CONF, "frontend_conf": {**FRONTEND, **frontend}, "max_epoch": 2}
    conf.update(sort_batch="ascending", batch_bins=10 * max(LENGTHS), seed=3)
    (folder / "conf.yaml").write_text(yaml.safe_dump(conf))
    shutil.copy(shape, folder / "shape")
    exp = train("ssl", folder, name, kinds=[kind])
    stats = torch.load(exp / "checkpoint.pth", weights_only=False)["reporter"]["stats"]
    return [stats[epoch]["train"]["loss"] for epoch in (1, 2)]


@pytest.mark.integration
def test_same_losses_from_disk(folder):
    out, shape = run(folder), shutil.copy(folder / "shape", folder / "samples")
    sound = losses(folder, "a", "good.scp,speech,sound", shape)
    stored = losses(
        folder,
        "b",
        "out/feats.scp,speech,kaldi_ark",
        out / "feats_shape",
        extracted=str(out),
    )
    assert stored[0] == pytest.approx(sound[0], rel=1e-5)
    assert stored[1] == pytest.approx(sound[1], rel=2e-3)  # after an update
    assert sound[0] != pytest.approx(sound[1], rel=1e-3)
