"""ESPnet2 adapters for vocoders: two codecs of the GAN codec task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from espnet2.gan_codec.abs_gan_codec import AbsGANCodec
from espnet2.gan_tts.hifigan.hifigan import HiFiGANPeriodDiscriminator
from espnet2.gan_tts.hifigan.loss import (
    DiscriminatorAdversarialLoss,
    FeatureMatchLoss,
    GeneratorAdversarialLoss,
    MelSpectrogramLoss,
)
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from typeguard import typechecked

from espnet_uniwav.apps.vocoder import FlowVocoder, Vocoder
from espnet_uniwav.apps.vocoder.pitch import measure_pitch
from espnet_uniwav.core.features import build_features
from espnet_uniwav.core.nn.draws import same_draws
from espnet_uniwav.core.nn.precision import bfloat16
from espnet_uniwav.integrations.espnet.results import report
from espnet_uniwav.integrations.espnet.steps import CountsSteps
from espnet_uniwav.io.folder import load_strictly
from espnet_uniwav.io.input import error_context

# Window (samples) -> mel bands of the distance in that resolution.
RESOLUTIONS = {256: 20, 512: 40, 1024: 80, 2048: 160}


class _Pair(NamedTuple):
    """A batch of segments.

    Attributes:
        real: (B, 1, S) samples.
        spoken: (B, 1, S) samples of the generator.
        pitch_losses: Their names and values; empty without ``harmonics``.
    """

    real: Tensor
    spoken: Tensor
    pitch_losses: dict[str, Tensor]


class _VocoderCodec(CountsSteps, AbsGANCodec):
    """What the task asks of every vocoder: its "codes" are the frozen features.

    Args:
        generator: The network in training.
        discriminator: The second one that the task optimises.
        segment: See ``UniWavVocoder``.
    """

    def __init__(
        self, generator: Vocoder | FlowVocoder, discriminator: nn.Module, segment: int
    ):
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.segment = segment

    def meta_info(self) -> dict:
        """Properties that ESPnet's codec inference needs."""
        spec = self.generator.features.spec
        return {"fs": spec.sample_rate, "frame_shift": spec.hop_length}

    def forward(self, audio: Tensor, forward_generator: bool, **kwargs) -> dict:
        """Loss of the generator or of the discriminators.

        Args:
            audio: (B, S) samples.
            forward_generator: True for the generator, False for the discriminators.

        Returns:
            ``loss``, ``stats``, ``weight``, ``optim_idx``, as ESPnet's trainer expects.
        """
        turn = self._generator_turn if forward_generator else self._discriminator_turn
        loss, stats = turn(audio)
        stats = {name: value.detach() for name, value in stats.items()}
        loss, stats, weight = report(loss, stats, len(audio))
        if forward_generator and self.training:
            self.step += 1
        optim_idx = 0 if forward_generator else 1
        return dict(loss=loss, stats=stats, weight=weight, optim_idx=optim_idx)

    def encode(self, x: Tensor) -> Tensor:
        """Samples (B, 1, S) to features (B, T, F)."""
        lengths = torch.full((len(x),), x.shape[-1], device=x.device)
        return self.generator.features.extract(x.flatten(0, 1), lengths)[0]

    def decode(self, x: Tensor) -> Tensor:
        """Features (B, T, F) to samples (B, 1, T * hop)."""
        return self.generator(x)[:, None]

    def _segments(self, audio: Tensor) -> Tensor:
        """Stretches (B, 1, S) of audio (B, S), from anywhere in training."""
        length = min(self.segment, audio.shape[1])
        last = audio.shape[1] - length
        starts = torch.full((len(audio), 1), last // 2, device=audio.device)
        if self.training:
            starts = torch.randint_like(starts, last + 1)
        places = starts + torch.arange(length, device=audio.device)
        return audio.gather(1, places)[:, None]

    def _discriminator_turn(self, audio: Tensor):
        """Nothing to learn; the task wants a loss with gradients."""
        loss = sum(p.sum() for p in self.discriminator.parameters()) * 0.0
        return loss, {"loss_discriminator": loss}


class UniWavFlowVocoder(_VocoderCodec):
    """``codec: uniwav_flow_vocoder``: a ``FlowVocoder``, which draws a codec's latents.

    It learns by flow matching alone: set ``skip_discriminator_prob: 1``. The task's
    second optimiser has a number that nothing reads.

    Args:
        features: Name and arguments of the feature space.
        generator: Arguments of ``FlowVocoder``.
        segment: See ``UniWavVocoder``.
        bf16: Decoder in bfloat16, see ``nn.precision``.
        teacher: Checkpoint of a vocoder of the same sizes. This one starts as it, and
            learns its guided steps in the fewer ones of its own ``sampling``.
    """

    @typechecked
    def __init__(
        self,
        features: dict,
        generator: dict,
        segment: int = 64000,
        bf16: bool = False,
        teacher: str | None = None,
    ):
        network = FlowVocoder(build_features(**features), **generator)
        nothing = nn.ParameterList([nn.Parameter(torch.zeros(()))])
        super().__init__(network, nothing, segment)
        self.bf16 = bf16
        self.teacher = teacher

    @cached_property
    def _teacher(self) -> FlowVocoder:
        """The teacher, no submodule: neither saved nor trained, nor needed to speak."""
        with error_context(self.teacher):
            spec = self.generator.features.spec
            teacher = Vocoder.from_pretrained(self.teacher, spec)
            self.generator.check_teacher(teacher)
            if self.step == 0:
                load_strictly(self.generator, teacher.state_dict(), self.teacher)
        device = next(self.generator.parameters()).device
        return teacher.to(device).requires_grad_(False)

    def _generator_turn(self, audio: Tensor):
        with (
            bfloat16(audio.device, self.bf16),
            same_draws(audio.device, not self.training),
        ):
            speech = self._segments(audio)[:, 0]
            if self.teacher is None:
                loss = self.generator.loss(speech)
                return loss, {"loss": loss, "loss_flow": loss}
            loss = self.generator.distillation_loss(self._teacher, speech)
            return loss, {"loss": loss, "loss_distil": loss}


class UniWavVocoder(_VocoderCodec):
    """``codec: uniwav_vocoder``: a ``Vocoder`` trained against discriminators.

    Loss of the generator: mel distances in four resolutions, and after the warm-up the
    hinge adversarial loss and feature matching (Siuzdak 2024).

    Args:
        features: Name and arguments of the feature space.
        generator: Arguments of ``Vocoder``.
        fft_sizes: Window lengths in samples, a discriminator of spectra for each.
        channels: Channels of their convolutions.
        periods: Periods in samples, a discriminator of waveforms for each (Kong 2020).
        period_channels: Channels of their first convolutions; the last have 8 times as
            many.
        segment: Samples cut from every utterance, at a random position in training and
            from the middle in validation. (The chunk iterator of ESPnet 202511 does
            not run with NumPy 2.4.)
        warm_up_steps: Training batches before the discriminators start.
        mel_weight: Factor of the mel distance.
        feature_weight: Factor of the feature matching.
        pitch_weight: Factor of the errors of the pitch (octaves) and of its presence
            (nats), which are measured if the generator has ``harmonics``.
        pitch_workers: Processes that measure the pitch; 0: this one. One of them needs
            about 5 ms for a second of audio, for which a GPU waits.
        bf16: Networks in bfloat16, the STFTs in fp32, see ``nn.precision``.
    """

    @typechecked
    def __init__(
        self,
        features: dict,
        generator: dict | None = None,
        fft_sizes: Sequence[int] = (1024, 512),
        channels: int = 16,
        periods: Sequence[int] = (),
        period_channels: int = 8,
        segment: int = 12800,
        warm_up_steps: int = 0,
        mel_weight: float = 15.0,
        feature_weight: float = 2.0,
        pitch_weight: float = 2.0,
        pitch_workers: int = 0,
        bf16: bool = False,
    ):
        network = Vocoder(build_features(**features), **(generator or {}))
        judges = _Discriminators(fft_sizes, channels, periods, period_channels)
        super().__init__(network, judges, segment)
        self.warm_up_steps = warm_up_steps
        self.mel_weight = mel_weight
        self.feature_weight = feature_weight
        self.pitch_weight = pitch_weight
        self.pitch_workers = pitch_workers
        self.bf16 = bf16
        rate = self.generator.features.spec.sample_rate
        self.mel_losses = nn.ModuleList(
            MelSpectrogramLoss(
                fs=rate,
                n_fft=size,
                hop_length=size // 4,
                win_length=size,
                n_mels=bands,
                fmin=0,
                fmax=rate // 2,
                log_base=None,
            )
            for size, bands in RESOLUTIONS.items()
        )
        self.adversarial = GeneratorAdversarialLoss(False, loss_type="hinge")
        self.judgement = DiscriminatorAdversarialLoss(False, loss_type="hinge")
        self.matching = FeatureMatchLoss(average_by_discriminators=False)
        self._cache = None

    def decode(self, x: Tensor) -> Tensor:
        """Features (B, T, F) to samples (B, 1, T * hop)."""
        return self.generator.speak(*self._states(x))[:, None]

    def _states(self, x: Tensor):
        with bfloat16(x.device, self.bf16):
            return self.generator.states(x)

    @property
    def is_warm(self) -> bool:
        """Whether the discriminators are in use."""
        return self.step >= self.warm_up_steps

    def _pair(self, audio: Tensor) -> _Pair:
        """Segments of audio and the generator's version of them."""
        real = self._segments(audio)
        states, pitch = self._states(self.encode(real))
        losses = {}
        if pitch is not None:
            pitch, losses = self._compare_pitch(pitch, real)
        spoken = self.generator.speak(states, pitch)[:, None, : real.shape[-1]]
        return _Pair(real, spoken, losses)

    def _compare_pitch(self, pitch: tuple[Tensor, Tensor], real: Tensor):
        """The pitch for the pulses and the losses of the predicted one.

        Training pulses have the measured pitch where there is one.
        """
        spec = self.generator.features.spec
        hertz, voice = pitch
        measured = measure_pitch(
            real[:, 0],
            spec.sample_rate,
            spec.hop_length,
            hertz.shape[1],
            self.pitch_workers,
        )
        is_voiced = measured > 0
        octaves = (measured.clamp(min=1.0) / hertz).log2().abs()
        losses = {
            "loss_pitch": (octaves * is_voiced).sum() / is_voiced.sum().clamp(min=1),
            "loss_voice": binary_cross_entropy_with_logits(voice, is_voiced.float()),
        }
        if self.training:
            hertz = torch.where(is_voiced, measured, hertz)
            voice = is_voiced.float()
        return (hertz.detach(), voice.detach()), losses

    def _judge(self, audio: Tensor) -> list[list[Tensor]]:
        """Layer outputs of the discriminators for (B, 1, S), score last, in fp32."""
        with bfloat16(audio.device, self.bf16):
            outputs = self.discriminator(audio.squeeze(1))
        return [[layer.float() for layer in own] for own in outputs]

    def _discriminator_turn(self, audio: Tensor):
        if not self.is_warm:
            return super()._discriminator_turn(audio)
        self._cache = pair = self._pair(audio)
        fake_seen = self._judge(pair.spoken.detach())
        loss = sum(self.judgement(fake_seen, self._judge(pair.real)))
        return loss, {"loss_discriminator": loss}

    def _generator_turn(self, audio: Tensor):
        real, spoken, pitch_losses = self._cache or self._pair(audio)
        self._cache = None
        mel = sum(distance(spoken, real) for distance in self.mel_losses)
        mel = mel / len(self.mel_losses)
        loss, stats = self.mel_weight * mel, {"loss_mel": mel, **pitch_losses}
        if pitch_losses:
            loss = loss + self.pitch_weight * sum(pitch_losses.values())
        if self.is_warm:
            self.discriminator.requires_grad_(False)  # its gradients are not wanted
            fake_seen = self._judge(spoken)
            self.discriminator.requires_grad_(True)
            with torch.no_grad():
                real_seen = self._judge(real)
            opinion = self.adversarial(fake_seen)
            matching = self.matching(fake_seen, real_seen)
            loss = loss + opinion + self.feature_weight * matching
            stats.update(loss_adversarial=opinion, loss_matching=matching)
        return loss, {"loss": loss, **stats}


class _Discriminators(nn.ModuleList):
    """Discriminators of spectra (the ``vocos`` package) and of periods (ESPnet).

    All judge audio of one peak, which those of ``vocos`` see to themselves: without
    that, ESPnet's MultiScaleSTFTDiscriminator stayed at chance on speech at its natural
    level for as long as it was tried.
    """

    def __init__(
        self,
        fft_sizes: Sequence[int],
        channels: int,
        periods: Sequence[int],
        period_channels: int,
    ):
        from vocos.discriminators import DiscriminatorR

        super().__init__(DiscriminatorR(size, channels=channels) for size in fft_sizes)
        self.extend(
            HiFiGANPeriodDiscriminator(
                period=period,
                channels=period_channels,
                max_downsample_channels=8 * period_channels,
            )
            for period in periods
        )

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """Layer outputs of every discriminator for (B, S) samples, the score last."""
        level = 0.8 * audio / (audio.abs().amax(dim=1, keepdim=True) + 1e-9)
        outputs = []
        for judge in self:
            if isinstance(judge, HiFiGANPeriodDiscriminator):
                outputs.append(judge(level[:, None]))
            else:
                verdict, layers = judge(audio)
                outputs.append([*layers, verdict])
        return outputs
