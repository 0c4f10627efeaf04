"""A tiny world for the commands: recordings, tables, models, and how to name them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import torch
import yaml
from factories import TRAINING, command, make_config, make_model, make_speech
from transformers import EncodecConfig, EncodecModel

from espnet_uniwav.apps.tokenizer.tokenizer import UniWavTokenizer
from espnet_uniwav.core.checkpoint import save_checkpoint

TOKENS = ["<blank>", "<unk>", "AA", "B", "SIL", "<sos/eos>"]
CODEC = dict(
    num_filters=4,
    hidden_size=8,
    upsampling_ratios=[8, 5, 4, 2],
    sampling_rate=16000,
    num_lstm_layers=1,
    codebook_size=4,
    codebook_dim=8,
    target_bandwidths=[1.5],
)
QUICK = "--num_steps 1 --seed 3 --guidance_scale 0.5 --temperature 0.4"
LOG = (
    "[host] 2025-01-01 00:00:00,000 (trainer:1) INFO: 1epoch results: "
    "[train] loss=2.5, time=3 seconds, total_count=7\n"
)
LINES = "name\ttext\tphones\tdurations\na\tbah.\t\t\nb\t\tB AA\t5 7\n"
ALIGNED = "utt\ttier\tstart\tend\tlabel\n" + "".join(
    f"utt{i}\twords\t0\t0.6\tBAH\n"
    f"utt{i}\tphones\t0\t0.3\tB\n"
    f"utt{i}\tphones\t0.3\t0.6\tAA\n"
    for i in range(3)
)


@dataclass(frozen=True)
class Command:
    """How a command is called in the world, and which files of it are read.

    Attributes:
        line: Words; OUT is what it writes.
        files: That it reads, and that somebody else may have written.
        share: Of the inputs that other commands get; slow ones get less.
        ends: How the message begins that it ends with, as it is.
    """

    line: str
    files: tuple[str, ...] = field(default=())
    share: float = 1.0
    ends: str = ""

    def words(self, folder: Path) -> list[str]:
        """The command line without the name of the command."""
        return [word.replace("@", f"{folder}/") for word in self.line.split()[1:]]

    @property
    def main(self) -> Callable:
        """Of its words."""
        return command(self.line.split()[0])


MODEL = ("model/config.yaml", "model/model.safetensors")
TOKENIZER = ("tokens/config.yaml", "tokens/model.safetensors")
VOICE = ("tts/config.yaml", "tts/model.safetensors")
DATA = ("data/wav.scp", "data/utt0.wav", "data/utt1.flac")
COMMANDS = {
    "tokenize": Command(
        "tokenize @data/wav.scp OUT --tokenizer @tokens --num_workers 0",
        (*DATA, *TOKENIZER),
    ),
    "tokenize npz": Command(
        "tokenize @data/wav.scp OUT --tokenizer @tokens --format npz --device cpu",
        (*DATA, *TOKENIZER),
    ),
    "tokenize segments": Command(
        "tokenize @cut/wav.scp OUT --tokenizer @tokens --allow_failed",
        ("cut/wav.scp", "cut/segments", "data/utt1.flac"),
    ),
    "detokenize": Command(
        f"detokenize @codes OUT --tokenizer @tokens {QUICK}",
        ("codes/codes_1", "codes/codes_2", *TOKENIZER),
    ),
    "detokenize npz": Command(
        f"detokenize @npz OUT --tokenizer @tokens --prompt @data/utt0.wav {QUICK}",
        ("npz/utt0.npz", "data/utt0.wav"),
    ),
    "extract": Command(
        "extract @data/wav.scp OUT --config @model --shard_size 2",
        (*DATA, *MODEL),
    ),
    "infill": Command(
        f"infill @data/utt0.wav OUT --checkpoint @model --start 0.2 --end 0.4 {QUICK}"
        " --context 5",
        ("data/utt0.wav", *MODEL),
    ),
    "cluster": Command(
        "cluster @model @data/wav.scp OUT --layer 2 --num_codebooks 2"
        " --codebook_size 8 --num_axes 4 --max_frames 100 --seed 0",
        (*DATA, *MODEL),
    ),
    "tts": Command(
        f"tts --model @tts --text bah. --output OUT --seconds 0.5 --speed 1 {QUICK}",
        VOICE,
    ),
    "tts lines": Command(
        f"tts --model @tts --lines @lines.tsv --output OUT {QUICK}",
        ("lines.tsv", *VOICE),
    ),
    "tts of a file": Command(
        f"tts --model @exp/model.pth --text bah. --output OUT {QUICK}",
        ("exp/config.yaml", "exp/model.pth"),
    ),
    "export": Command(
        "export @exp OUT --model_file model.pth", ("exp/config.yaml", "exp/model.pth")
    ),
    "align": Command(
        "align @data OUT --method table --alignments @aligned.tsv --num_utterances 3",
        ("aligned.tsv", "data/text", "data/utt2spk", *DATA),
    ),
    "config": Command("config @conf.yaml", ("conf.yaml", "base.yaml")),
    "size": Command("size @conf.yaml --seconds 1", ("conf.yaml", "base.yaml")),
    "align ctc": Command(
        "align @data OUT --method ctc --model @exp/model.pth",
        ("exp/config.yaml", "exp/model.pth"),
        share=0.2,
        ends="align: ",
    ),
    "codec": Command(
        "codec @hf @data/wav.scp OUT --num_utterances 2",
        ("hf/config.json", "hf/model.safetensors", *DATA),
        share=0.5,
    ),
    "edit": Command(
        f"edit @data/utt0.wav OUT --model @tts --text bah --replace bah --by bah"
        f" {QUICK}",
        ("data/utt0.wav", *VOICE),
        share=0.1,
    ),
    "report": Command(
        "report --exp @exp --checkpoint @model --wav_scp @data/wav.scp --output OUT"
        f" --num_utterances 1 --mask_share 0.3 --mask_span 0.1 {QUICK}",
        ("exp/config.yaml", "exp/train.log", *DATA, *MODEL),
        share=0.05,
    ),
    "score": Command(
        "score @lines.tsv ours=@data --output OUT --players 2 --frame_rate 50",
        ("lines.tsv",),
        share=0.1,
        ends="score: ",
    ),
    "understand": Command(
        "understand --checkpoint @model --data @data --codes @codes --output OUT"
        " --clusters 2 --runs 1 --max_frames 60 --seed 0",
        ("codes/codes_1", "data/utt2spk", *DATA, *MODEL),
        share=0.1,
    ),
    "models": Command("models @model", (*MODEL, "model/README.md")),
}


def make_world(folder: Path) -> Path:
    """Write all that the commands read."""
    (folder / "data").mkdir(parents=True)
    tables = {name: "" for name in ("wav.scp", "text", "utt2spk")}
    for i, ending in enumerate(("wav", "flac", "wav")):
        path = folder / f"data/utt{i}.{ending}"
        soundfile.write(path, make_speech([9600], seed=i)[0][0].numpy(), 16000)
        tables["wav.scp"] += f"utt{i} {path}\n"
        tables["text"] += f"utt{i} BAH\n"
        tables["utt2spk"] += f"utt{i} someone\n"
    for name, table in tables.items():
        (folder / "data" / name).write_text(table)
    (folder / "cut").mkdir()
    (folder / "cut/wav.scp").write_text(f"r {folder}/data/utt1.flac\n")
    (folder / "cut/segments").write_text("utt0 r 0 0.25\nutt1 r 0.25 -1\n")
    (folder / "lines.tsv").write_text(LINES)
    (folder / "aligned.tsv").write_text(ALIGNED)
    save_checkpoint(make_model(), make_config(), folder / "model")
    (folder / "model/README.md").write_text("---\nlicense: mit\n---\n\n# A model\n")
    _make_tokens(folder)
    _make_voice(folder)
    codec = EncodecModel(EncodecConfig(**CODEC))
    codec.save_pretrained(folder / "hf")
    return folder


def _make_tokens(folder: Path) -> None:
    conf = dict(layer=2, num_codebooks=2, codebook_size=8)
    tokenizer = UniWavTokenizer(make_model(), **conf).eval()
    save_checkpoint(tokenizer, make_config(tokenizer=conf), folder / "tokens")
    for form, name in (("text", "codes"), ("npz", "npz")):
        line = f"tokenize @data/wav.scp @{name} --tokenizer @tokens --format {form}"
        command = Command(line)
        command.main(command.words(folder))


def _make_voice(folder: Path) -> None:
    """An untrained synthesiser, as ESPnet's training saves it and as exported."""
    from espnet_uniwav import plugin

    plugin.register()
    from espnet2.tasks.tts import TTSTask

    conf = dict(
        feats_extract="uniwav",
        normalize=None,
        tts="uniwav",
        tts_conf=dict(checkpoint=f"{folder}/model"),
        token_type="phn",
        token_list=TOKENS,
        output_dir=f"{folder}/exp",
        **TRAINING,
    )
    (folder / "exp").mkdir()
    (folder / "exp/train.log").write_text(LOG)
    (folder / "base.yaml").write_text(yaml.safe_dump(conf))
    args = TTSTask.get_parser().parse_args(["--config", f"{folder}/base.yaml"])
    model = TTSTask.build_model(args)
    model.tts.synthesizer.known_tokens.fill_(True)
    args = vars(args)
    (folder / "exp/config.yaml").write_text(yaml.safe_dump(args, sort_keys=False))
    torch.save(model.state_dict(), folder / "exp/model.pth")
    command = Command("export @exp @tts --model_file model.pth")
    command.main(command.words(folder))
    layers = dict(num_layers=2, embed_dim=32, num_heads=2, ffn_dim=32)
    base = dict(frontend="uniwav", encoder="uniwav", encoder_conf=layers)
    loss = [dict(name="flow_matching", conf=dict(decoder=layers))]
    (folder / "base.yaml").write_text(yaml.safe_dump(dict(base, loss=loss)))
    (folder / "conf.yaml").write_text("include: base.yaml\nfrontend_conf: {fs: 16k}\n")


def remove(path: Path) -> None:
    """A file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
