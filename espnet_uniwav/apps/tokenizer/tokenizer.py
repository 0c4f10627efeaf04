"""Speech tokenizer: a pre-trained UniWav whose decoder reads codes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.apps.tokenizer.checks import check_codes, check_voices, valid_samples
from espnet_uniwav.apps.tokenizer.network import TokenizerNetwork
from espnet_uniwav.apps.tts.context import check_prompt
from espnet_uniwav.core.flow.gap import open_gap
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.core.nn.given import SAMPLES, WHOLE, as_lengths, as_tensor

PADDING = -1


class UniWavTokenizer(TokenizerNetwork):
    """Encodes speech to codes and decodes them.

    The arguments are those of ``TokenizerNetwork``.
    """

    @torch.no_grad()
    def encode(self, speech: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode speech to codes.

        Utterances are encoded one by one: in a batch, rounding could change a code.

        Args:
            speech: (B, S) samples in [-1, 1], or of 16 bits, at ``sample_rate``;
                tensor or array. (S,) is a batch of one.
            lengths: (B,) valid samples; None: all.

        Returns:
            (B, K, N) codes, -1 after the end of an utterance; an utterance has
            ceil(samples / hop) frames, and a code for every ``frames_per_code``.

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``; or if
                an utterance has no samples.
        """
        codes = [self.encode_one(own)[0] for own in valid_samples(speech, lengths)]
        codes = pad_sequence(
            [own.T for own in codes], batch_first=True, padding_value=PADDING
        )
        return codes.transpose(1, 2)

    @torch.no_grad()
    def encode_voice(self, speech: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The digits of the voices, which learned codes may leave to them.

        Args:
            speech, lengths: As of ``encode``.

        Returns:
            (B, voice_digits) numbers from 0 to 3.

        Raises:
            TypeError, ValueError: As of ``encode``.
        """
        parts = valid_samples(speech, lengths)
        if not self.voice_digits:
            return torch.zeros(len(parts), 0, dtype=torch.long)
        return torch.stack([self.encode_one(own)[1] for own in parts])

    @torch.no_grad()
    def encode_one(self, speech: Tensor) -> tuple[Tensor, Tensor]:
        """Encode one utterance to codes and voice, in one pass of the encoder.

        Args:
            speech: (S,) samples in [-1, 1], or of 16 bits, at ``sample_rate``; tensor
                or array.

        Returns:
            (K, N) codes and (voice_digits,) numbers from 0 to 3.

        Raises:
            TypeError, ValueError: As of ``encode``.
        """
        reading = self.read(self._features(speech)[None])
        return reading.codes[0], reading.voice[0]

    def _features(self, speech, name: str = "speech") -> Tensor:
        speech = as_tensor(speech, name, "S", SAMPLES)
        if not len(speech):
            raise ValueError(f"{name}: expected samples, found none")
        return self.features.extract_one(speech).to(self.features.device)

    @torch.no_grad()
    def decode(
        self,
        codes: Tensor,
        lengths: Tensor | None = None,
        prompt: Tensor | None = None,
        seed: int = 0,
        voices: Tensor | None = None,
        **sampling,
    ) -> Tensor:
        """Decode codes to speech.

        Args:
            codes: (B, K, N), tensor or array; of learned codes the first codebooks are
                enough. (K, N) is a batch of one.
            lengths: (B,) valid codes; None: up to the first -1.
            prompt: (S,) samples of the target voice, as of ``encode_one``.
            seed: Seed of the noise, the same for every utterance.
            voices: (B, voice_digits) of ``encode_voice``; None: that of the prompt, or
                without one nobody's in particular.
            **sampling: Settings of ``Sampling``, such as ``num_steps``.

        Returns:
            (B, T * hop) samples, zero after the end of an utterance.

        Raises:
            TypeError, ValueError: If these are something else, see ``nn.given``, or not
                of this tokenizer.
        """
        codes = as_tensor(codes, "codes", "BKN", WHOLE, self.features.device)
        if lengths is None:
            lengths = (codes[:, :1] != PADDING).sum((1, 2))
        lengths = as_lengths(lengths, codes)
        parts = [own[:, :n] for own, n in zip(codes, lengths.tolist())]
        for own in parts:
            check_codes(own, self.quantizer.decodable, self.codebook_size)
        voices = self._voices(voices, prompt, len(parts))
        conditions = map(self._condition_of, parts, voices)
        return pad_sequence(
            [self.synthesise(own, prompt, seed, **sampling) for own in conditions],
            batch_first=True,
        )

    def _condition_of(self, codes: Tensor, voice: Tensor | None) -> Tensor:
        return self.quantizer.condition_of(self.uniwav, codes, voice)

    def _voices(self, voices: Tensor | None, prompt: Tensor | None, number: int):
        """A voice (voice_digits,) of every utterance, or None."""
        if voices is not None:
            voices = as_tensor(voices, "voices", "BD", WHOLE, self.features.device)
            check_voices(voices, number, self.voice_digits)
            return voices
        if prompt is None:
            return [None] * number
        return [self.read(self._features(prompt, "prompt")[None]).voice[0]] * number

    @torch.no_grad()
    def resynthesise(
        self, speech: Tensor, prompt: Tensor | None = None, seed: int = 0, **sampling
    ) -> Tensor:
        """Encode and decode a recording: (S,) to (T * hop,) samples.

        Without codebooks, the speech is decoded from z. Arguments and errors as of
        ``encode_one`` and ``decode``.
        """
        x = self._features(speech)
        reading = self.read(x[None])
        condition = reading.condition[0]
        if self.num_codebooks:
            voices = reading.voice if prompt is None else None
            (voice,) = self._voices(voices, prompt, 1)
            condition = self._condition_of(reading.codes[0], voice)[: len(x)]
        return self.synthesise(condition, prompt, seed, **sampling)

    @torch.no_grad()
    def synthesise(
        self,
        condition: Tensor,
        prompt: Tensor | None = None,
        seed: int = 0,
        **sampling,
    ) -> Tensor:
        """Decode a condition (T, D) to (T * hop,) samples; see ``decode``."""
        features = self.features
        before = condition.new_zeros(0, features.spec.dim)
        num_frames = len(condition)
        if prompt is not None:
            before = self._features(prompt, "prompt")
            check_prompt(before, features.spec)
            condition = torch.cat((self.read(before[None]).condition[0], condition))
        x, mask = open_gap(before, num_frames)
        x = self.uniwav.generate(
            x,
            mask,
            condition[None],
            sampling=replace(SPEAKING, **sampling),
            generator=torch.Generator(x.device).manual_seed(seed),
        )
        return features.invert_one(x[mask])
