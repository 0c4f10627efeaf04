"""A tiny corpus with phones and durations, for the stock TTS task."""

from __future__ import annotations

import soundfile
import torch
import yaml
from espnet2.bin.tts_train import main
from espnet2.tasks.tts import TTSTask
from factories import TRAINING, make_config, make_model, make_speech

from espnet_uniwav.core.checkpoint import save_checkpoint

TOKENS = ["<blank>", "<unk>", "AA", "AA_E", "B", "SIL", "<sos/eos>"]
CONF = dict(
    feats_extract="uniwav",
    normalize=None,
    tts="uniwav",
    token_type="phn",
    **TRAINING,
)


def write_corpus(folder):
    """Six utterances with phones and durations, a checkpoint and a configuration."""
    tables = {name: "" for name in ("wav.scp", "phones", "durations", "shape")}
    for i in range(6):
        speech, _ = make_speech([16000 + 320 * i], seed=i)
        soundfile.write(folder / f"{i}.wav", speech[0].numpy(), 16000)
        tables["wav.scp"] += f"utt{i} {folder / f'{i}.wav'}\n"
        tables["phones"] += f"utt{i} SIL B AA_E SIL\n"
        tables["durations"] += f"utt{i} 10 {10 + i} 10 20\n"
        tables["shape"] += f"utt{i} {16000 + 320 * i}\n"
    for name, table in tables.items():
        (folder / name).write_text(table)
    (folder / "tokens").write_text("".join(f"{token}\n" for token in TOKENS))
    (folder / "conf.yaml").write_text(yaml.safe_dump(CONF))
    save_checkpoint(make_model(), make_config(), folder / "checkpoint")
    return folder


def tts_train(folder, name, *more, start=("checkpoint", "checkpoint")):
    """Run stock ``tts_train``.

    Args:
        folder: Of ``write_corpus``.
        name: Of the experiment, in the folder.
        *more: Options.
        start: Key of ``tts_conf``, and what it names in the folder.
    """
    kinds = ("wav.scp,speech,sound", "phones,text,text", "durations,durations,text_int")
    data = []
    for split in ("train", "valid"):
        for kind in kinds:
            data += [f"--{split}_data_path_and_name_and_type", f"{folder}/{kind}"]
        data += [f"--{split}_shape_file", f"{folder}/shape"]
    options = ["--config", f"{folder}/conf.yaml", "--token_list", f"{folder}/tokens"]
    options += ["--tts_conf", f"{start[0]}={folder}/{start[1]}"]
    main([*options, "--output_dir", f"{folder}/{name}", *data, *more])
    return folder / name


def build(folder, **changes):
    """The model of a configuration with some keys changed."""
    conf = {**CONF, "token_list": TOKENS, "output_dir": str(folder), **changes}
    conf.setdefault("tts_conf", {"checkpoint": f"{folder}/checkpoint"})
    (folder / "other.yaml").write_text(yaml.safe_dump(conf))
    args = TTSTask.get_parser().parse_args(["--config", str(folder / "other.yaml")])
    return TTSTask.build_model(args)


def make_batch(**changes):
    """What the task passes to the model, of two utterances."""
    speech, lengths = make_speech([16000, 9600])
    durations = torch.tensor([[20, 30], [15, 15]])
    two = torch.tensor([2, 2])
    return {
        **dict(text=torch.tensor([[2, 3], [3, 2]]), text_lengths=two),
        **dict(speech=speech, speech_lengths=lengths),
        **dict(durations=durations, durations_lengths=two),
        **changes,
    }
