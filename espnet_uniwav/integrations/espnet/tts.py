"""ESPnet2 adapter for synthesis: ``tts: uniwav`` of the TTS task."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import torch
from espnet2.tts.abs_tts import AbsTTS
from torch import Tensor
from typeguard import typechecked

from espnet_uniwav.apps.tts.batch import Batch
from espnet_uniwav.apps.tts.context import Context, check_prompt
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.apps.vocoder import find_vocoder, use_vocoder
from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.draws import same_draws
from espnet_uniwav.core.nn.precision import bfloat16
from espnet_uniwav.integrations.espnet.distillation import Distillation
from espnet_uniwav.integrations.espnet.durations import check_batch
from espnet_uniwav.integrations.espnet.pretrained import (
    StartsFromCheckpoint,
    read_architecture,
)
from espnet_uniwav.integrations.espnet.results import report
from espnet_uniwav.integrations.espnet.tts_task import KEY, PARTS, adapt_task
from espnet_uniwav.io.folder import load_strictly


class UniWavTTS(StartsFromCheckpoint, AbsTTS):
    """``tts: uniwav``: speech in the voice of a prompt.

    In inference ``speech`` is the prompt. Its text may precede the text to be spoken,
    separated by the last token of the list (ESPnet's ``<sos/eos>``). With stock
    ``--use_teacher_forcing true`` the given ``durations`` of all tokens are used.

    Args:
        idim: Size of the token list.
        odim: Width of the features.
        checkpoint: Folder or name of a model with a decoder; None starts from
            random weights.
        architecture: The checkpoint's model configuration; see ``frontend: uniwav``.
        bf16: Train in bfloat16 where that is safe, see ``nn.precision``.
        vocoder: Folder or name of a vocoder, see ``vocoder.use_vocoder``.
        voice: Recording that ``espnet_uniwav.Synthesizer`` reads in without a prompt.
        voice_text: What is said in it.
        num_steps, method, guidance_scale, temperature: See ``Sampling``.
        seed: Seed of the noise; the same for every utterance.
        speed: Divides predicted durations.
        distil: Learn the speech of a trained model in fewer steps, see
            ``Distillation``; None: learn from the data.
        **conf: Arguments of ``SynthesizerNetwork``.
    """

    @typechecked
    def __init__(
        self,
        idim: int,
        odim: int,
        checkpoint: str | Path | None = None,
        architecture: dict | None = None,
        bf16: bool = False,
        vocoder: str | Path | None = None,
        voice: str | Path | None = None,
        voice_text: str = "",
        num_steps: int = SPEAKING.num_steps,
        method: str = SPEAKING.method,
        guidance_scale: float = SPEAKING.guidance_scale,
        temperature: float = SPEAKING.temperature,
        seed: int = 0,
        speed: float = 1.0,
        distil: dict | None = None,
        **conf,
    ):
        super().__init__()
        self.checkpoint = checkpoint
        architecture = architecture or read_architecture(checkpoint, PARTS, KEY)
        _check_architecture(architecture, checkpoint)
        uniwav = self._build(architecture)
        _check_width(odim, uniwav.features.spec.dim)
        tokens = {"token_list": [str(number) for number in range(idim)], **conf}
        self.synthesizer = SynthesizerNetwork(uniwav, **tokens)
        self.bf16 = bf16
        self.vocoder = vocoder
        self.end_of_prompt = idim - 1
        self.sampling = Sampling(num_steps, method, guidance_scale, temperature)
        self.options = {"seed": seed, "speed": speed}
        self.distil = None if distil is None else Distillation.from_conf(distil)
        self.teacher = None
        self.fs = uniwav.features.spec.sample_rate
        self.spks = self.langs = self.spk_embed_dim = None
        # In ESPnet this flag means: inference needs the features of ``speech``.
        self.use_gst = True

    adapt_task = staticmethod(adapt_task)

    def check_vocoder(self) -> None:
        """Refuse a vocoder of ``tts_conf`` that is missing or does not fit.

        Speaking may name another one, so that only training and export ask.

        Raises:
            FileNotFoundError, ValueError: As of ``vocoder.use_vocoder``.
        """
        if self.vocoder is not None:
            find_vocoder(self.vocoder, self.synthesizer.uniwav.features.spec)

    def forward(
        self,
        text: Tensor,
        text_lengths: Tensor,
        feats: Tensor,
        feats_lengths: Tensor,
        durations: Tensor | None = None,
        durations_lengths: Tensor | None = None,
        **kwargs,
    ):
        """Losses of one batch.

        Args:
            text: (B, L) tokens.
            text_lengths: (B,).
            feats: (B, T, F) features.
            feats_lengths: (B,).
            durations: (B, L) frames of the tokens.
            durations_lengths: (B,).

        Returns:
            loss, stats and weight (utterances), as ESPnet's trainer expects them.
        """
        self.require_weights()
        check_batch(text_lengths, feats_lengths, durations, durations_lengths)
        with (
            bfloat16(feats.device, self.bf16),
            same_draws(feats.device, not self.training),
        ):
            batch = Batch(text, text_lengths, durations, feats, feats_lengths)
            loss, stats = self._loss(batch)
        stats["loss"] = loss.detach()
        return report(loss, stats, len(text))

    def _loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and statistics of a batch, from the data or from the teacher."""
        if self.distil is None:
            return self.synthesizer(batch)
        if self.teacher is None:
            raise RuntimeError(
                f"{self.distil.teacher}: the teacher is loaded by tts_train alone: "
                "train with that, or set tts_conf: {distil: null}"
            )
        return self.teacher.loss(self.synthesizer, batch)

    def inference(
        self,
        text: Tensor,
        feats: Tensor | None = None,
        durations: Tensor | None = None,
        use_teacher_forcing: bool = False,
        num_frames: int | None = None,
        **settings,
    ) -> dict[str, Tensor]:
        """Synthesise a text in the voice of a prompt.

        Args:
            text: (L,) tokens, of the prompt first if its end is among them.
            feats: (T, F) features of the prompt.
            durations: (L,) frames of all tokens; zero for the end of the prompt.
            use_teacher_forcing: Use the given durations.
            num_frames: Length of the output, instead of ``speed``.
            **settings: Replace those of ``tts_conf``.

        Returns:
            ``wav`` (S,), ``feat_gen`` (T, F) normalised, ``feat_gen_denorm`` (T, F)
            for a vocoder (decimal logarithms), ``duration`` (L,) frames.

        Raises:
            ValueError: If text, prompt, durations or a setting are of no use.
        """
        self.require_weights()
        known = {**asdict(self.sampling), **self.options}
        if unknown := sorted(set(settings) - set(known)):
            raise ValueError(f"unknown settings {unknown}: choose from {sorted(known)}")
        options = {key: settings.pop(key, value) for key, value in self.options.items()}
        prompt, text, durations = self._split(text, feats, durations)
        utterance = self.synthesizer.speak(
            text,
            prompt,
            durations=durations,
            speed=options["speed"],
            num_frames=num_frames,
            sampling=replace(self.sampling, **settings),
            generator=torch.Generator(text.device).manual_seed(options["seed"]),
        )
        return self._outputs(utterance)

    def _split(self, text: Tensor, feats: Tensor | None, durations: Tensor | None):
        """Split tokens and durations into those of the prompt and of the text."""
        if feats is not None:
            check_prompt(feats, self.synthesizer.uniwav.features.spec)
        if durations is not None and len(durations) != len(text):
            raise ValueError(
                f"expected {len(text)} durations, one per token, found {len(durations)}"
            )
        ends = (text == self.end_of_prompt).nonzero().flatten().tolist()
        if not ends:
            return feats if feats is None else Context(feats), text, durations
        if feats is None or len(ends) > 1:
            raise ValueError(
                "the token that ends the text of the prompt needs a prompt, and may "
                f"occur once in a text: found it {len(ends)} times"
            )
        end = ends[0]
        head, tail = None, None
        if durations is not None:
            head, tail = durations[:end], durations[end + 1 :]
        return Context(feats, text[:end], head), text[end + 1 :], tail

    def _outputs(self, utterance) -> dict[str, Tensor]:
        features = self.synthesizer.uniwav.features
        if features.vocoder is None:
            use_vocoder(features, self.vocoder)
        x = utterance.x
        lengths = torch.tensor([len(x)], device=x.device)
        outputs = {
            "wav": features.invert(x[None], lengths)[0][0],
            "feat_gen": x,
            "duration": utterance.durations,
        }
        if features.spec.name == "log_mel":
            outputs["feat_gen_denorm"] = features.denormalise(x) / math.log(10)
        return outputs

    def _build(self, architecture: dict) -> UniWav:
        uniwav = UniWav.from_config(architecture)
        pretrained = self.read_weights(uniwav.features.spec)
        if pretrained is not None:
            load_strictly(uniwav, pretrained.state_dict(), str(self.checkpoint))
        return uniwav


def _check_architecture(architecture: dict, checkpoint: str | None) -> None:
    if not architecture.get("decoder"):
        raise ValueError(
            f"{checkpoint or 'tts_conf: architecture'} has no decoder: synthesis needs "
            "a model that was trained with the flow_matching loss"
        )


def _check_width(odim: int, expected: int) -> None:
    if odim != expected:
        raise ValueError(
            f"tts: uniwav expects features of width {expected}, found {odim}: set "
            "feats_extract: uniwav and leave odim out"
        )
