"""ESPnet's tasks on tiny data: folders, configurations, trainings, experiments."""

import importlib

import torch
import yaml
from espnet2.tasks.ssl import SSLTask
from espnet2.tasks.tts import TTSTask
from factories import ROOT, TRAINING, make_speech, save_model, write_data

SOUND = "wav.scp,speech,sound"
BLANK, SOS_EOS = ["<blank>", "<unk>"], ["<sos/eos>"]
LETTERS = [*BLANK, "<space>", "A", "B", *SOS_EOS]
PHONES = [*BLANK, "AA", "AA_E", "B", "SIL", *SOS_EOS]
SSL_CONF = ROOT / "egs2/mini_speech/ssl1/conf/train_tiny.yaml"
CODEBOOKS = 2
HUBERT = dict(num_classes=5, final_dim=8)
DINOSR = dict(
    name="dinosr",
    conf=dict(num_codebooks=CODEBOOKS, codebook_size=16, ema_decay=0.9),
)
FLOW_MATCHING = dict(
    name="flow_matching",
    conf=dict(
        weight=0.25,
        decoder=dict(num_layers=2, num_heads=4, ffn_dim=48, position="rotary"),
    ),
)
TTS_CONF = dict(
    feats_extract="uniwav",
    normalize=None,
    tts="uniwav",
    token_type="phn",
    **TRAINING,
)


def write_task(folder, conf, lengths, tokens=(*BLANK, *SOS_EOS), **tables):
    """Write recordings of the lengths in samples, tokens and a configuration."""
    write_data(folder, lengths, **tables)
    (folder / "tokens").write_text("".join(f"{token}\n" for token in tokens))
    (folder / "conf.yaml").write_text(yaml.safe_dump(conf))
    return folder


def train_options(folder, name, kinds=(SOUND,)):
    """Options of a stock training in a folder of ``write_task``, as ``name`` in it."""
    options = ["--config", f"{folder}/conf.yaml", "--token_list", f"{folder}/tokens"]
    for split in ("train", "valid"):
        options += [f"--{split}_shape_file", f"{folder}/shape"]
        for kind in kinds:
            options += [f"--{split}_data_path_and_name_and_type", f"{folder}/{kind}"]
    return [*options, "--output_dir", f"{folder}/{name}"]


def train(task, folder, name, *more, kinds=(SOUND,)):
    """Run ``espnet2.bin.TASK_train`` in this process, and return the experiment."""
    main = importlib.import_module(f"espnet2.bin.{task}_train").main
    main([*train_options(folder, name, kinds), *more])
    return folder / name


def save_experiment(task, args, folder):
    """Save the untrained model of some arguments as ESPnet saves experiments."""
    model = task.build_model(args)
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(args)))
    torch.save(model.state_dict(), folder / "latest.pth")
    return model


def parse(task, folder, conf):
    """Arguments of a task, from a configuration file."""
    conf = {"output_dir": f"{folder}/exp", **conf}
    (folder / "parsed.yaml").write_text(yaml.safe_dump(conf))
    return task.get_parser().parse_args(["--config", f"{folder}/parsed.yaml"])


def with_conf(loss, **conf):
    """The entry of a loss with other arguments."""
    return {**loss, "conf": {**loss["conf"], **conf}}


def make_args(tmp_path, **overrides):
    """Arguments of the SSL task: the recipe's own configuration, made tiny."""
    conf = yaml.safe_load(SSL_CONF.read_text())
    conf["encoder_conf"].update(num_layers=3, embed_dim=32, num_heads=4, ffn_dim=48)
    conf |= dict(loss=[DINOSR, FLOW_MATCHING], token_list=[*BLANK, *SOS_EOS])
    return parse(SSLTask, tmp_path, {**conf, **overrides})


def asr_conf(**overrides):
    """Configuration of a CTC recogniser without an encoder of its own."""
    conf = dict(
        frontend="uniwav",
        specaug=None,
        normalize=None,
        encoder=None,
        model_conf=dict(ctc_weight=1.0),
        token_type="char",
        token_list=LETTERS,
    )
    return {**conf, **overrides}


def write_tts(folder):
    """Six utterances with phones and durations, a checkpoint and a configuration."""
    save_model(folder / "checkpoint")
    return write_task(
        folder,
        TTS_CONF,
        [16000 + 320 * i for i in range(6)],
        PHONES,
        phones=["SIL B AA_E SIL"] * 6,
        durations=[f"10 {10 + i} 10 20" for i in range(6)],
    )


TEXTS = ("phones,text,text", "durations,durations,text_int")


def tts_train(
    folder, name, *more, start=("checkpoint", "checkpoint"), kinds=(SOUND, *TEXTS)
):
    """Run stock ``tts_train``.

    Args:
        folder: Of ``write_tts``.
        name: Of the experiment, in the folder.
        *more: Options.
        start: Key of ``tts_conf``, and what it names in the folder.
        kinds: Files, names and types of the data.
    """
    start = f"{start[0]}={folder}/{start[1]}"
    return train("tts", folder, name, "--tts_conf", start, *more, kinds=kinds)


def build_tts(folder, **changes):
    """The model of a configuration with some keys changed."""
    conf = {"tts_conf": {"checkpoint": f"{folder}/checkpoint"}, **changes}
    args = parse(TTSTask, folder, {**TTS_CONF, "token_list": PHONES, **conf})
    return TTSTask.build_model(args)


def make_tts_batch(**changes):
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
