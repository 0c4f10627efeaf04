"""Speech tokenizer: a pre-trained UniWav whose decoder reads codes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from espnet_uniwav.flow.sampling import SPEAKING, generate
from espnet_uniwav.tokenizer.checks import FEATURES, check_codes, valid_samples
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
            (B, K, T) codes, -1 after the end of an utterance; an utterance has
            ceil(samples / hop) frames.

        Raises:
            ValueError: If an utterance has no samples.
        """
        codes = [self._encode(own) for own in valid_samples(speech, lengths)]
        codes = pad_sequence(
            [own.T for own in codes], batch_first=True, padding_value=PADDING
        )
        return codes.transpose(1, 2)

    def _encode(self, speech: Tensor) -> Tensor:
        """(S,) to (K, T)."""
        x = self._features(speech)[None]
        if self.layer == FEATURES:
            return self._codes(x, x)[0]  # needs no encoder
        return self._quantize(x, None)[0][0]

    def _features(self, speech: Tensor) -> Tensor:
        device = self.quantizer.codewords.device
        return self.features.extract_one(speech).to(device)

    @torch.no_grad()
    def decode(
        self,
        codes: Tensor,
        lengths: Tensor | None = None,
        prompt: Tensor | None = None,
        seed: int = 0,
        **sampling,
    ) -> Tensor:
        """Decode codes to speech.

        Args:
            codes: (B, K, T).
            lengths: (B,) valid frames; None: up to the first -1.
            prompt: (S,) samples of the target voice.
            seed: Seed of the noise, the same for every utterance.
            **sampling: Settings of ``Sampling``, such as ``num_steps``.

        Returns:
            (B, T * hop) samples, zero after the end of an utterance.

        Raises:
            ValueError: If the codes are not of this tokenizer.
        """
        if lengths is None:
            lengths = (codes[:, :1] != PADDING).sum((1, 2))
        codes = codes.to(self.quantizer.codewords.device)
        parts = [own[:, :n] for own, n in zip(codes, lengths.tolist())]
        for own in parts:
            check_codes(own, self.num_codebooks, self.codebook_size)
        return pad_sequence(
            [
                self.synthesise(self.quantizer(own[None])[0], prompt, seed, **sampling)
                for own in parts
            ],
            batch_first=True,
        )

    def resynthesise(
        self, speech: Tensor, prompt: Tensor | None = None, seed: int = 0, **sampling
    ) -> Tensor:
        """Encode and decode a recording: (S,) to (T * hop,) samples.

        Without codebooks, the speech is decoded from z.
        """
        condition = self.condition(self._features(speech))
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
