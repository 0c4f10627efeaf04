"""The table of all commands of ``uniwav``."""

from __future__ import annotations

from dataclasses import dataclass

# Packaged models that the commands use by default.
PRETRAINED, VOICE = "small", "voices"


@dataclass(frozen=True)
class Command:
    """A command: a function, whose arguments are the options.

    Attributes:
        group: Its place in the list of commands.
        function: ``module:function`` in this package; returns what to print.
        usage: See ``make_parser``.
        text: See ``make_parser``; its first line stands in the list of commands.
    """

    group: str
    function: str
    usage: str
    text: str


COMMANDS = {
    "align": Command(
        "data",
        "lab.align.forced_alignment:align",
        "data output",
        """Align the utterances of a data folder with their texts.

Reads a Kaldi-style data folder (wav.scp, segments, text, utt2spk). Writes start and
duration of phones and words (phones.ctm and words.ctm, `utt 1 start duration label`,
seconds), and failed.tsv: utterances that could not be aligned, with the reason (exit
status 1).

methods:
  pocketsphinx  English texts; offline, in processes; phones in ARPAbet
  mfa           TextGrids of the Montreal Forced Aligner, given with --textgrids
  table         existing alignments, given with --alignments: one line per word and
                phone, columns utt, tier (words, phones), start, end, label
  ctc           a fine-tuned ESPnet ASR model, given with --model; writes tokens.ctm
                instead of phones.ctm unless the tokens of the model are phones

examples:
  uniwav align data/train alignment/train
  uniwav align data/train alignment/train --method ctc --model EXP/valid.cer_ctc.ave.pth
""",
    ),
    "extract": Command(
        "data",
        "integrations.espnet.extract:extract",
        "wav_scp output",
        """Extract features of recordings to disk, once for many trainings.

Writes to OUT: Kaldi archives (feats.scp, feats_shape), the spec of the features
(spec.yaml), a checksum of every archive (checksums, for `sha256sum -c checksums`) and
failed.tsv. If run again, it resumes after the last complete archive, and extracts again
what has changed (recordings.tsv). Exit status 1: a file failed. To train:

  frontend_conf: {extracted: OUT, ...}
  --train_data_path_and_name_and_type OUT/feats.scp,speech,kaldi_ark
  --train_shape_file OUT/feats_shape          # batch_bins counts frames times width

examples:
  uniwav extract data/train/wav.scp OUT --config conf/train_base.yaml --num_workers 8
""",
    ),
    "codec": Command(
        "data",
        "integrations.espnet.codec:codec",
        "source wav_scp output",
        """Convert a neural codec to a feature space.

SOURCE is an experiment of ESPnet's gan_codec_train (encodec, soundstream), or EnCodec
from Hugging Face (a folder, or a name on the hub such as facebook/encodec_24khz). The
codec without its quantiser, and mean and variance of its latents, are written to OUT.
Then: frontend: uniwav, features: neural_codec, features_conf: {checkpoint: OUT}.

examples:
  uniwav codec facebook/encodec_24khz data/train/wav.scp OUT --num_utterances 500
""",
    ),
    "config": Command(
        "training",
        "io.config:show",
        "config",
        """Print a configuration with its includes resolved.

Stock ESPnet needs this resolved form.

examples:
  uniwav config conf/tuning/train_tiny_dinosr.yaml > exp/conf.yaml
""",
    ),
    "size": Command(
        "training",
        "integrations.espnet.size:size",
        "config",
        """Count parameters and multiply-adds of a configuration.

The model is not allocated.

examples:
  uniwav size conf/train_base.yaml
""",
    ),
    "export": Command(
        "training",
        "integrations.espnet.experiment:export",
        "experiment folder",
        """Export an experiment to a checkpoint, or a checkpoint to ONNX.

Writes config.yaml and model.safetensors to OUT. They cannot contain code: share them
rather than .pth files. With --data and --licence it also writes a model card
(README.md) for Hugging Face's hub, to which --push uploads. OUT, OWNER/NAME and
OWNER/NAME@REVISION are valid wherever a checkpoint is named; those of a synthesiser as
--model of tts and edit. ESPnet's model zoo takes the folder by its meta.yaml.

With --base weights that another checkpoint has too are not stored again; both are then
needed. For models that stay together, as those of the package do.

With --onnx it writes the graphs of a checkpoint or model file, and config.json, to a
folder, and takes no other option. Needs the extra onnx:
pip install "espnet_uniwav[onnx]".

examples:
  uniwav export EXP EXP/checkpoint
  uniwav export EXP_TTS OUT --model_file valid.loss.best.pth
  uniwav export EXP OUT --half --data "LibriSpeech, 960 h" --licence cc-by-4.0
  uniwav export EXP OUT --data "LibriSpeech" --licence cc-by-4.0 --push OWNER/NAME
  uniwav export voices --onnx OUT
""",
    ),
    "report": Command(
        "training",
        "lab.report.report:report",
        "",
        """Show a pre-training as one self-contained HTML page.

examples:
  uniwav report --exp EXP --checkpoint EXP/checkpoint --wav_scp data/test/wav.scp
""",
    ),
    "infill": Command(
        "generation",
        "apps.infill.recording:infill",
        "input output checkpoint=small",
        """Fill gaps of a recording with generated speech.

Frames outside the gaps are kept. If the audio inside a gap is damaged, make the gap
0.03 s wider on either side, because the window of a frame is that wide.

examples:
  uniwav infill in.wav out.wav --start 1.2 --end 1.5
  uniwav infill in.wav out.wav --checkpoint CHECKPOINT --start 1.2 --end 1.5 \\
      --start 3 --end 3.4 --seed 1
""",
    ),
    "tts": Command(
        "generation",
        "apps.tts.speaking:synthesize",
        "model=voices (text|lines)",
        """Read texts aloud in the voice of a prompt.

The table of --lines has a header and the columns name and text. Optional columns are
prompt and prompt_text, which replace the options, and phones and durations (frames,
separated by blanks), which replace the predicted ones. Writes to the folder: name.wav,
failed.tsv (lines that failed, with the reason; exit status 1) and times.tsv (seconds of
computing, of speech).

--output - writes wav to standard output, every sentence as soon as it is computed.

Without a prompt the model speaks in its own voice, if it was exported with one.

A prompt is the voice of a person: use it only if that person agreed, and tell listeners
that the speech is generated.

examples:
  uniwav tts --text "Anything." --output out.wav
  uniwav tts --model EXP/valid.loss.best.pth --prompt me.wav \\
      --prompt_text "What I say there." --text "Hello." --output out.wav
  uniwav tts --model MODEL --text "One. Two. Three." --output - > out.wav
  uniwav tts --model EXP/valid.loss.best.pth --lines lines.tsv --output OUT
""",
    ),
    "edit": Command(
        "generation",
        "apps.tts.edit:edit",
        "input output model=voices",
        """Replace words in a recording, in the same voice.

The recording must be English. All samples outside the replaced words are kept, except
for a fade of 15 ms.

examples:
  uniwav edit in.wav out.wav --model EXP/valid.loss.best.pth \\
      --text "I like cats." --replace cats --by dogs
""",
    ),
    "score": Command(
        "generation",
        "lab.score.speech:score",
        "lines systems",
        """Judge generated speech: words, voice, naturalness, time.

Scores folders of wav files written by `uniwav tts --lines`. For comparison it scores
the recordings and their Griffin-Lim copies (upper bounds) and other speakers (lower
bound of similarity).

WER and CER by Whisper tiny.en, speaker similarity to the prompt by Resemblyzer,
naturalness by DistillMOS: all from packages, without a download. Means with 95 %
intervals over utterances. Writes to OUT: scores.md, scores.csv, index.html with
players, sections.json (the same, for `uniwav report --speech OUT`) and cache.json. With
--match, only lines whose reference path matches a regular expression are scored.

examples:
  uniwav score lines.tsv ours=OUT theirs=OTHER --output SCORES --baseline theirs
""",
    ),
    "demo": Command(
        "generation",
        "lab.demo.server:serve",
        "",
        """Try the models on a page in the browser.

The page speaks texts, fills gaps, replaces words, encodes to tokens and back, and shows
spectrograms, codes and layer weights. Needs the extra demo:
pip install "espnet_uniwav[demo]".

Of every kind of model that no option names, a packaged one is used, if there is one:
the default of the other commands before others. A tab without a model says which option
it needs.

Only this machine reaches the page, unless --host or --share is given, and it loads
nothing from elsewhere. Recordings are deleted when the command ends.

examples:
  uniwav demo
  uniwav demo --tts MODEL --tokenizer TOKENIZER --vocoder VOCODER
""",
    ),
    "serve": Command(
        "generation",
        "integrations.server:serve",
        "",
        """Speak over HTTP, by the interface of speech servers.

POST /v1/audio/speech with model, input, voice, response_format (mp3, wav, flac, opus,
pcm) and speed (0.25 to 4), as of OpenAI, so their client works; wav and pcm are sent
sentence by sentence. GET /v1/models, /v1/audio/voices and /health. Needs the extra
serve: pip install "espnet_uniwav[serve]".

The voices are the model's own, `default`, and the recordings of a folder by name. Only
this machine reaches the server, unless --host is given, and nobody sends it a voice.
Requests are answered one after another.

examples:
  uniwav serve
  uniwav serve --voices PROMPTS --port 8080
""",
    ),
    "cluster": Command(
        "tokens",
        "apps.tokenizer.cluster:cluster",
        "checkpoint wav_scp output",
        """Cluster the frames of a pre-trained model into a tokenizer.

OUT is a checkpoint whose codes are final, but for codewords that are `learned` with the
decoder. Its decoder does not know the codes yet: train it with `model:
uniwav_tokenizer` (recipe token1).

examples:
  uniwav cluster CHECKPOINT data/train/wav.scp OUT --layer 6 --num_codebooks 2
  uniwav cluster small data/train/wav.scp OUT --layer learned --num_codebooks 4 \\
      --frames_per_code 2 --speaker_code_length 32
""",
    ),
    "tokenize": Command(
        "tokens",
        "apps.tokenizer.recordings:tokenize",
        "wav_scp output",
        """Encode recordings to codes.

Writes to OUT: codes_1 to codes_K, one line per utterance (name, then the code of every
frame), the format of ESPnet's recipes for discrete tokens, or NAME.npz with `codes`
(K, T); failed.tsv (files left out, with the reason); and times.tsv (seconds of
computing, of speech). If run again, it resumes an interrupted run, and encodes again
what has changed (recordings.tsv). Exit status 1: a file failed.

examples:
  uniwav tokenize wav.scp CODES --num_workers 2
  uniwav tokenize wav.scp CODES --num_codebooks 2
  uniwav tokenize wav.scp CODES --tokenizer TOKENIZER
""",
    ),
    "detokenize": Command(
        "tokens",
        "apps.tokenizer.recordings:detokenize",
        "codes output [prompt|prompts]",
        """Decode codes to speech.

CODES is a folder written by `uniwav tokenize`, or a wav.scp, whose recordings are
encoded and decoded in one pass (as a control also without codebooks). Writes to OUT:
NAME.wav, failed.tsv (utterances that failed, with the reason; exit status 1) and
times.tsv (seconds of computing, of speech). With a prompt of another speaker the speech
is in that voice, as far as the codes hold no speaker information.

examples:
  uniwav detokenize CODES OUT
  uniwav detokenize CODES OUT --prompt voice.wav
  uniwav detokenize CODES OUT --tokenizer TOKENIZER
""",
    ),
    "understand": Command(
        "analysis",
        "lab.understand.measure:understand",
        "",
        """Measure phone and speaker information in every layer.

Mutual information of k-means units with phones and speakers, linear probes, and phone
ABX (--abx), next to the raw features and a random encoder. Writes tables and pictures;
`uniwav report --understanding FOLDER` shows them.

examples:
  uniwav understand --checkpoint CHECKPOINT --data data/dev --output OUT
  uniwav understand --checkpoint joint=A dinosr=B --data data/dev \\
      --fit_data data/train --alignment ALI_DEV ALI_TRAIN --output OUT
""",
    ),
    "models": Command(
        "set-up",
        "core.packaged:models",
        "name",
        """List the models that come with the package, or print one's card.

The name of a packaged model is valid wherever a checkpoint is expected:
UniWav.from_pretrained("small"), `uniwav infill --checkpoint small`,
frontend_conf: {checkpoint: small}, or -k small of S3PRL's run_downstream.

examples:
  uniwav models
  uniwav models small
""",
    ),
    "hook": Command(
        "set-up",
        "cli.hook:hook",
        "action",
        """Register UniWav in every Python process, or undo this.

Installs a ``.pth`` file in site-packages of this environment. It registers our names
when ESPnet's task modules or S3PRL's hub are imported, so that
``python -m espnet2.bin.ssl_train`` and ``python -m s3prl.run_downstream`` work without
a prefix. Off by default; it adds a few milliseconds to every interpreter start.

examples:
  uniwav hook install
  uniwav hook remove
""",
    ),
}
