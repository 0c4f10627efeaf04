"""Speech tokenizer: a pre-trained UniWav whose decoder reads codes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.flow.sampling import SPEAKING, generate
from espnet_uniwav.tokenizer.checks import (
    FEATURES,
    check_codes,
    check_voices,
    valid_samples,
)
from espnet_uniwav.tokenizer.learned import levels_of, values_of
from espnet_uniwav.tokenizer.network import TokenizerNetwork
from espnet_uniwav.tts.context import check_prompt

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
            speech: (B, S) samples in [-1, 1] at ``sample_rate``.
            lengths: (B,) valid samples; None: all.

        Returns:
            (B, K, N) codes, -1 after the end of an utterance; an utterance has
            ceil(samples / hop) frames, and a code for every ``frames_per_code``.

        Raises:
            ValueError: If an utterance has no samples.
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
            ValueError: If an utterance has no samples.
        """
        if not self.voice_digits:
            return torch.zeros(len(speech), 0, dtype=torch.long)
        parts = valid_samples(speech, lengths)
        return torch.stack([self.encode_one(own)[1] for own in parts])

    @torch.no_grad()
    def encode_one(self, speech: Tensor) -> tuple[Tensor, Tensor]:
        """Encode one utterance to codes and voice, in one pass of the encoder.

        Args:
            speech: (S,) samples in [-1, 1] at ``sample_rate``.

        Returns:
            (K, N) codes and (voice_digits,) numbers from 0 to 3.
        """
        x = self._features(speech)
        if self.is_learned:
            digits, voice = self._write(x)
            return self.quantizer.codes(digits)[0], levels_of(voice[0])
        x = x[None]
        if self.layer == FEATURES:
            codes = self._codes(x, x)  # needs no encoder
        else:
            codes, _ = self._quantize(x, None)
        return codes[0], codes.new_zeros(0)

    def _features(self, speech: Tensor) -> Tensor:
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
            codes: (B, K, N).
            lengths: (B,) valid codes; None: up to the first -1.
            prompt: (S,) samples of the target voice.
            seed: Seed of the noise, the same for every utterance.
            voices: (B, voice_digits) of ``encode_voice``; None: that of the prompt, or
                without one nobody's in particular.
            **sampling: Settings of ``Sampling``, such as ``num_steps``.

        Returns:
            (B, T * hop) samples, zero after the end of an utterance.

        Raises:
            ValueError: If the codes are not of this tokenizer.
        """
        if lengths is None:
            lengths = (codes[:, :1] != PADDING).sum((1, 2))
        device = self.features.device
        parts = [own[:, :n].to(device) for own, n in zip(codes, lengths.tolist())]
        for own in parts:
            check_codes(own, self.num_codebooks, self.codebook_size)
        voices = self._voices(voices, prompt, len(parts))
        conditions = [
            self._condition_of(own, voice) for own, voice in zip(parts, voices)
        ]
        return pad_sequence(
            [self.synthesise(own, prompt, seed, **sampling) for own in conditions],
            batch_first=True,
        )

    def _voices(self, voices: Tensor | None, prompt: Tensor | None, number: int):
        """(number, voice_digits) in [-1, 1]."""
        check_voices(voices, number, self.voice_digits)
        device = self.features.device
        if voices is not None:
            return values_of(voices.to(device))
        if prompt is None or not self.voice_digits:
            return torch.zeros(number, self.voice_digits, device=device)
        return self._write(self._features(prompt))[1].expand(number, -1)

    def _condition_of(self, codes: Tensor, voice: Tensor) -> Tensor:
        """Codes (K, N) and a voice (voice_digits,) to (T, D)."""
        if not self.is_learned:
            return self.quantizer(codes[None])[0]
        frames = codes.shape[1] * self.frames_per_code
        digits = self.quantizer.digits_of(codes[None])
        return self.quantizer.condition(digits, voice[None], frames)[0]

    def _write(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (T, F) to learned digits: (1, N, K * digits), (1, voice_digits)."""
        return self.quantizer(self.uniwav.hidden_states(x[None]))

    @torch.no_grad()
    def resynthesise(
        self, speech: Tensor, prompt: Tensor | None = None, seed: int = 0, **sampling
    ) -> Tensor:
        """Encode and decode a recording: (S,) to (T * hop,) samples.

        Without codebooks, the speech is decoded from z.
        """
        x = self._features(speech)
        if self.voice_digits and prompt is not None:
            digits, voice = self._write(x)[0], self._voices(None, prompt, 1)
            condition = self.quantizer.condition(digits, voice, len(x))[0]
        else:
            condition = self.condition(x)
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
        x = condition.new_zeros(len(condition), features.spec.dim)
        mask = torch.ones_like(x[:, 0], dtype=torch.bool)
        if prompt is not None:
            before = self._features(prompt)
            check_prompt(before, features.spec)
            x = torch.cat((before, x))
            mask = torch.cat((torch.zeros_like(before[:, 0], dtype=torch.bool), mask))
            condition = torch.cat((self.condition(before), condition))
        generator = torch.Generator(x.device).manual_seed(seed)
        sampling = replace(SPEAKING, **sampling)
        generated = generate(
            self.uniwav.decoder,
            x[None],
            mask[None],
            condition[None],
            sampling=sampling,
            kept_frames=self.uniwav.kept_frames,
            generator=generator,
        )
        return features.invert_one(generated[0, mask])
