"""Pre-train and fine-tune from Python, with ESPnet-EZ: data/{train,dev}."""

import numpy as np

from espnet_uniwav import plugin

plugin.register()  # before anything of ESPnet
from espnetez.config import from_yaml  # noqa: E402
from espnetez.dataset import ESPnetEZDataset  # noqa: E402
from espnetez.trainer import Trainer  # noqa: E402

from espnet_uniwav.integrations.espnet.experiment import export_experiment  # noqa: E402
from espnet_uniwav.io.audio import read_speech  # noqa: E402
from espnet_uniwav.io.kaldi import read_data_folder  # noqa: E402

TOKENS = ["<blank>", "<unk>", *" ABCDEFGHIJKLMNOPQRSTUVWXYZ'", "<sos/eos>"]
WHAT = {
    "speech": lambda utterance: read_speech(utterance.path, 16000),
    "text": lambda u: np.array([TOKENS.index(c) if c in TOKENS else 1 for c in u.text]),
}


def train(task, conf, exp, names, data="data", **changes):
    what, sets = {name: WHAT[name] for name in names}, {}
    for part, folder in (("train", "train"), ("valid", "dev")):  # Kaldi data folders
        found = read_data_folder(f"{data}/{folder}/wav.scp")
        sets[f"{part}_dataset"] = ESPnetEZDataset(found, what)
    config = {**from_yaml(task, conf), "token_list": TOKENS, **changes}
    trainer = Trainer(task, config, exp, f"{exp}/stats", ngpu=0, **sets)
    trainer.collect_stats()
    trainer.train()


if __name__ == "__main__":
    train("ssl", "../ssl1/conf/train_tiny.yaml", "exp/ssl", ["speech"])
    export_experiment("exp/ssl", "exp/checkpoint")
    front = {"fs": "16k", "checkpoint": "exp/checkpoint", "mask_prob": 0.3}
    train("asr", "conf/train_asr.yaml", "exp/asr", WHAT, frontend_conf=front)
