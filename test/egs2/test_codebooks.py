"""The ssl1 recipe's own script: what the codes of a teacher know of phones."""

import pytest
import soundfile
import torch
import yaml
from factories import make_speech, write_data
from sklearn.metrics import mutual_info_score

pytest.importorskip("espnet2")

from espnet_uniwav import plugin  # noqa: E402

plugin.register()
from espnet2.tasks.ssl import SSLTask  # noqa: E402
from espnet_case import DINOSR, FLOW_MATCHING, make_args, with_conf  # noqa: E402

from espnet_uniwav.apps.phones.ctm import Segment, write_ctm  # noqa: E402

SCRIPT = "mini_librispeech/ssl1/local/codebooks.py"
SAMPLES = (9000, 6400, 8000)
PHONES = [Segment(0.05, 0.18, "AA"), Segment(0.18, 0.27, "B"), Segment(0.3, 0.38, "AA")]
# Frames of 20 ms: one centre at 0 ms, one at 20 ms ...
SPOKEN = 3 * ["SIL"] + 6 * ["AA"] + 5 * ["B"] + ["SIL"] + 4 * ["AA"]


@pytest.fixture
def data(tmp_path):
    """Speech and phones in a folder that is data and alignment at once."""
    write_data(tmp_path, SAMPLES)
    write_ctm(tmp_path / "phones.ctm", {f"utt{i}": PHONES for i in range(len(SAMPLES))})
    return tmp_path


def make_experiment(folder, *losses):
    """A model after one step, as ESPnet saves it."""
    args = make_args(folder, loss=list(losses))
    model = SSLTask.build_model(args).train()
    speech, lengths = make_speech([24000, 20000])
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    model(speech=speech, speech_lengths=lengths)[0].backward()
    optimizer.step()
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), folder / "1epoch.pth")
    return model.eval()


@torch.no_grad()
def codes_and_phones(model, data):
    """Codes (K, N) of every frame, by its distances, and its phone."""
    objective = model.losses[-1].objective
    codes, phones = [], []
    for i in range(len(SAMPLES)):
        speech = torch.from_numpy(soundfile.read(data / f"{i}.wav", dtype="float32")[0])
        x, _ = model.frontend(speech[None], torch.tensor([len(speech)]))
        targets = objective.teacher(model.encoder.encoder.embed(x), None, 2)[:, 0]
        codes.append(torch.cdist(targets, objective.codebooks.codewords).argmin(-1))
        phones += (SPOKEN + 99 * ["SIL"])[: x.shape[1]]
    return torch.cat(codes, dim=1), phones


@pytest.mark.parametrize("heads", ("last", "own_ffn"))
def test_information_of_every_codebook(run_script, data, heads):
    dinosr = with_conf(DINOSR, heads=heads, codebook_init="data", weight=2.0)
    model = make_experiment(data, FLOW_MATCHING, dinosr)
    said = run_script(SCRIPT, data / "1epoch.pth", "--data", data, "--alignment", data)
    codes, phones = codes_and_phones(model, data)
    assert f"{len(phones)} frames of 3 utterances" in said
    rows = [line.strip("| ").split(" | ") for line in said.splitlines()[4:]]
    assert [row[0] for row in rows] == ["2", "3"]  # of three layers
    entropy = mutual_info_score(phones, phones)
    for row, own in zip(rows, codes):
        bits = mutual_info_score(phones, own.tolist())
        assert int(row[1]) == len(own.unique()) > 1
        assert row[2] == f"{bits / 0.6931472:.3f} of {entropy / 0.6931472:.3f}"
        assert float(row[3]) == pytest.approx(bits / entropy, abs=6e-4)
        assert float(row[4]) < bits / 0.6931472


def test_an_experiment_without_codebooks_is_refused(run_script, data):
    make_experiment(data, FLOW_MATCHING)
    with pytest.raises(SystemExit, match=r"loss: dinosr, found loss: \['flow"):
        run_script(SCRIPT, data / "1epoch.pth", "--data", data, "--alignment", data)


def test_cost_measures_the_saved_epochs_beside_an_untrained_encoder(run_script, data):
    make_experiment(data, FLOW_MATCHING, DINOSR)
    (data / "cpu_seconds").write_text("1 3600 0\n")
    script = SCRIPT.replace("codebooks", "cost")
    argv = ["--data", data, "--fit_data", data, "--alignment", data, "--clusters", 2]
    said = run_script(script, "--run", f"ours={data}", "--output", data / "out", *argv)
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if "(" in line]
    assert [row[0] for row in rows] == ["ours", "random encoder", "raw features"]
    assert rows[0][1:3] == ["1", "1.00"]
    assert rows[0][3:] != rows[1][-2:]
