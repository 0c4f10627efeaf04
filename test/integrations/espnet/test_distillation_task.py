"""``distil`` through stock ``tts_train``, and the student as an ordinary model."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from espnet_case import PHONES, build_tts, make_tts_batch, tts_train, write_tts
from factories import command, make_config, make_speech, save_model

from espnet_uniwav.apps.tts.synthesizer import Synthesizer
from espnet_uniwav.integrations.espnet.experiment import export_experiment
from espnet_uniwav.io.audio import read_speech
from espnet_uniwav.io.folder import read_config

tts = command("tts")

DECODER = "tts.synthesizer.uniwav.decoder."
READ = tuple(
    f"tts.synthesizer.{name}."
    for name in ("uniwav.weighted_sum", "text_encoder", "text_condition")
)
SPEECH = dict(num_steps=2, method="euler", guidance_scale=0.0, temperature=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus, and a teacher with a text encoder of its own, as exp and exported."""
    folder = write_tts(tmp_path_factory.mktemp("distil"))
    tts_train(folder, "exp", "--tts_conf", "text_layers=1")
    export_experiment(folder / "exp", folder / "teacher", "1epoch.pth")
    return folder


def distil(folder, name, *more, teacher="teacher"):
    """Two epochs with half precision and accumulation."""
    options = ["--tts_conf", "distil.temperature=0.3", "--accum_grad", "2"]
    options += ["--tts_conf", "distil.teacher_steps=4", "--tts_conf", "bf16=true"]
    options += ["--num_iters_per_epoch", "2", "--max_epoch", "2", "--resume", "true"]
    options += ["--keep_nbest_models", "2"]
    return tts_train(folder, name, *options, *more, start=("distil.teacher", teacher))


@pytest.fixture(scope="module")
def student(folder):
    return distil(folder, "student")


def weights(path):
    return torch.load(path, weights_only=True)


@pytest.mark.integration
def test_only_the_decoder_differs_from_the_teacher(folder, student):
    found, teacher = weights(student / "2epoch.pth"), weights(folder / "exp/1epoch.pth")
    assert set(found) == set(teacher)
    changed = {name for name in found if not torch.equal(found[name], teacher[name])}
    assert changed and all(name.startswith(DECODER) for name in changed)
    config = yaml.safe_load((student / "config.yaml").read_text())
    conf = config["tts_conf"]
    assert SPEECH.items() <= conf.items() and conf["text_layers"] == 1
    assert conf["distil"]["guidance_scale"] == 0.7 and "checkpoint" not in conf


@pytest.mark.integration
def test_a_student_starts_as_another_model(folder):
    start = tts_train(folder, "other", "--tts_conf", "text_layers=2", "--seed", "7")
    start = start / "1epoch.pth"
    student = distil(folder, "on_other", "--tts_conf", f"distil.start={start}")
    found, before = weights(student / "2epoch.pth"), weights(start)
    assert set(found) == set(before)
    changed = {name for name in found if not torch.equal(found[name], before[name])}
    for part in (DECODER, *READ):
        assert any(name.startswith(part) for name in changed), part
    assert all(name.startswith((DECODER, *READ)) for name in changed)
    conf = yaml.safe_load((student / "config.yaml").read_text())["tts_conf"]
    assert SPEECH.items() <= conf.items() and conf["text_layers"] == 2
    assert conf["distil"]["start"] == str(start)
    speech = Synthesizer.from_pretrained(student / "2epoch.pth")("bah.")
    assert np.isfinite(speech).all()


@pytest.mark.integration
def test_a_start_with_other_features_is_refused(folder, tmp_path):
    write_tts(tmp_path)
    features = {**make_config()["features"], "num_mels": 20}
    save_model(tmp_path / "checkpoint", features=features)
    start = tts_train(tmp_path, "exp") / "1epoch.pth"
    with pytest.raises(ValueError, match="distil: start: .* has features .*of its tea"):
        distil(folder, "strange_start", "--tts_conf", f"distil.start={start}")


@pytest.mark.integration
def test_resumed_equals_never_stopped(folder, student):
    first = distil(folder, "resumed", "--max_epoch", "1")
    assert not (first / "2epoch.pth").exists()
    again = distil(folder, "resumed", teacher="exp/1epoch.pth")
    found, expected = (weights(exp / "2epoch.pth") for exp in (again, student))
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    start = weights(again / "1epoch.pth")
    assert not all(torch.equal(start[name], value) for name, value in found.items())


def count(network):
    """The evaluations of its decoder from now on."""
    calls = []
    network.uniwav.decoder.register_forward_hook(lambda *a: calls.append(1))
    return calls


@pytest.mark.integration
def test_an_exported_student_speaks_in_two_evaluations(student, folder, tmp_path):
    export_experiment(student, tmp_path / "model", "2epoch.pth")
    shutil.move(folder / "teacher", folder / "away")
    try:
        models = [tmp_path / "model", student / "2epoch.pth"]
        exported, trained = map(Synthesizer.from_pretrained, models)
        options = ["--model", models[0], "--text", "bah.", "--output"]
        tts([*options, tmp_path / "a.wav"])
        tts([*options, tmp_path / "b.wav", "--num_steps", "3"])
    finally:
        shutil.move(folder / "away", folder / "teacher")
    conf = read_config(tmp_path / "model")["model"]
    assert SPEECH.items() <= conf["speaking"].items() and "distil" not in str(conf)
    calls = count(exported.network)
    speech = exported("bah.")
    assert len(calls) == 2
    assert np.array_equal(speech, trained("bah."))
    other = exported("bah.", num_steps=3, guidance_scale=0.5)
    assert len(calls) == 2 + 6
    written, more = (read_speech(tmp_path / name, 16000) for name in ("a.wav", "b.wav"))
    np.testing.assert_allclose(speech.clip(-1, 1), written, atol=1e-4)
    assert not np.array_equal(written, more) and not np.array_equal(speech, other)


@pytest.mark.integration
def test_stock_inference_of_a_student(student):
    from espnet2.bin.tts_inference import Text2Speech

    speak = Text2Speech(student / "config.yaml", student / "2epoch.pth")
    calls = count(speak.model.tts.synthesizer)
    speak("SIL B AA", make_speech([16000])[0][0])
    assert len(calls) == 2


def told(**changes):
    """A ``distil``; @ stands for the folder."""
    return dict(distil={"teacher": "@/teacher", **changes})


@pytest.mark.integration
@pytest.mark.parametrize(
    "conf, message",
    [
        (
            dict(distil="@"),
            r"distil: expected teacher, and of \['num_steps',.* found '",
        ),
        (dict(distil=dict(num_steps=2)), "distil: expected teacher, and of"),
        (told(steps=2), "distil: expected teacher, and of .* found .*'steps': 2"),
        (
            told(teacher=None),
            "distil: teacher: expected a fine-tuned model, found None",
        ),
        (told(teacher="/nowhere/x"), "/nowhere/x/config.yaml is missing"),
        ({"distil": {"teacher": "@/teacher", "start": 3}}, "distil: start: expected"),
        (
            {"distil": {"teacher": "@/teacher", "start": "/nowhere/x"}},
            "/nowhere/x/config.yaml is missing",
        ),
        (
            {
                "distil": {"teacher": "@/teacher", "start": "@/teacher"},
                "text_layers": 1,
            },
            "a student starts as distil.start: leave out text_layers",
        ),
        (told(teacher="/nowhere.pth"), "/config.yaml: no such file"),
        (
            told(teacher="@/checkpoint"),
            "kind synthesiser .*found one of the kind uniwav",
        ),
        (told(num_steps=3), r"multiple of num_steps \(3\), found 8"),
        (told(num_steps=0), "distil: num_steps: expected a whole number"),
        (told(guidance_scale="x"), "distil: guidance_scale: expected a number"),
        (
            dict(told(), num_steps=4),
            "num_steps: the student speaks with .*under distil",
        ),
        (dict(told(), checkpoint="small"), "as distil.teacher: leave out checkpoint"),
        (dict(told(), text_layers=1, dropout=0.0), "leave out dropout, text_layers"),
    ],
)
def test_options_of_no_use(folder, conf, message):
    conf = yaml.safe_load(yaml.safe_dump(conf).replace("@", str(folder)))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        build_tts(folder, tts_conf=conf)


@pytest.mark.integration
def test_other_tokens_are_refused(folder):
    (folder / "others").write_text("\n".join(PHONES[:2] + PHONES[3:1:-1] + PHONES[4:]))
    with pytest.raises(ValueError, match="expected the 7 tokens of .*teacher, found 7"):
        distil(folder, "strange", "--token_list", f"{folder}/others")


@pytest.mark.integration
def test_a_student_learns_from_its_teacher_alone(folder):
    model = build_tts(folder, tts_conf=told(teacher=f"{folder}/teacher")).train()
    with pytest.raises(RuntimeError, match="the teacher is loaded by tts_train alone"):
        model(**make_tts_batch())
