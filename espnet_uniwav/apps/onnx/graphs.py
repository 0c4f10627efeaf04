"""The parts of models that are exported, each a function of tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espnet_uniwav.apps.onnx.wave_head import WaveHead
from espnet_uniwav.apps.tokenizer import UniWavTokenizer
from espnet_uniwav.apps.tts.network import SynthesizerNetwork
from espnet_uniwav.apps.vocoder import Vocoder
from espnet_uniwav.core.features import AbsFeatures
from espnet_uniwav.core.flow.sampling import Sampling
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.core.nn.masks import lengths_to_padding_mask


class Graph(nn.Module):
    """A function of tensors, all of which are arguments of ``forward``.

    Attributes:
        inputs: Name -> type and shape, such as ``float32 B T 80``; letters are axes of
            any length. In the order of the arguments.
        outputs: Name -> type and shape.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]


class FeaturesGraph(Graph):
    """Samples to features, and a mask of those after the end of an utterance."""

    def __init__(self, features: AbsFeatures):
        super().__init__()
        self.features = features
        self.inputs = {"speech": "float32 B S", "speech_lengths": "int64 B"}
        x = f"float32 B T {features.spec.dim}"
        self.outputs = {"x": x, "padding_mask": "bool B T"}

    def forward(self, speech: Tensor, speech_lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.features.extract_batch(speech, speech_lengths)
        return x, lengths_to_padding_mask(lengths, x.shape[1])


class EncoderGraph(Graph):
    """Features to all states of the encoder, and z of a model with a decoder."""

    def __init__(self, uniwav: UniWav):
        super().__init__()
        self.uniwav, encoder = uniwav, uniwav.encoder
        self.inputs = {"x": f"float32 B T {encoder.input_dim}"}
        self.inputs["padding_mask"] = "bool B T"
        size = f"B T {encoder.embed_dim}"
        self.outputs = {"hidden_states": f"float32 {encoder.num_layers + 1} {size}"}
        if uniwav.weighted_sum is not None:
            self.outputs["z"] = f"float32 {size}"

    def forward(self, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, ...]:
        encoder, weighted_sum = self.uniwav.encoder, self.uniwav.weighted_sum
        hidden_states = encoder(encoder.embed(x), padding_mask)
        states = torch.stack(hidden_states)
        return (states, weighted_sum(hidden_states)) if weighted_sum else (states,)


class CodesGraph(Graph):
    """Features of an utterance to codes and a speaker code."""

    def __init__(self, tokenizer: UniWavTokenizer):
        super().__init__()
        self.tokenizer = tokenizer
        self.inputs = {"x": f"float32 1 T {tokenizer.features.spec.dim}"}
        self.outputs = {
            "codes": f"int64 1 {tokenizer.num_codebooks} N",
            "speaker_code": f"int64 1 {tokenizer.speaker_code_length}",
        }

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self.tokenizer.quantize(x)
        return found.codes, found.speaker_code


class DurationsGraph(Graph):
    """Frames of the tokens of a text, not rounded; those of a prompt are known."""

    def __init__(self, network: SynthesizerNetwork):
        super().__init__()
        self.network = network
        self.inputs = dict(tokens="int64 1 L", durations="int64 1 L", known="bool 1 L")
        self.outputs = {"predicted": "float32 1 L"}

    def forward(self, tokens: Tensor, durations: Tensor, known: Tensor) -> Tensor:
        network = self.network
        phones, ends = network.phone_of[tokens], network.is_end[tokens]
        return network.duration_predictor.predict(phones, ends, durations, known)[None]


class ConditionGraph(Graph):
    """Prompt and text to the condition of the decoder.

    Frames before those of the tokens, whose durations say how many these are, belong to
    a prompt without a text.
    """

    def __init__(self, network: SynthesizerNetwork):
        super().__init__()
        self.network, dim = network, network.features.spec.dim
        self.inputs = {"x": f"float32 1 T {dim}", "mask": "bool 1 T"}
        self.inputs |= {"tokens": "int64 1 L", "durations": "int64 1 L"}
        self.outputs = {"z": f"float32 1 T {network.uniwav.encoder.embed_dim}"}

    def forward(
        self, x: Tensor, mask: Tensor, tokens: Tensor, durations: Tensor
    ) -> Tensor:
        network, uniwav = self.network, self.network.uniwav
        encoder, num_frames = uniwav.encoder, x.shape[1]
        hidden_states = encoder(encoder.embed(x), None, mask)
        states = network.text_encoder(network.phone_of[tokens])
        untranscribed = num_frames - durations.sum(1, keepdim=True)
        silent = torch.arange(num_frames, device=x.device) < untranscribed
        # A token in their place, whose state ``no_text`` replaces.
        states = torch.cat((states[:, :1], states), dim=1)
        durations = torch.cat((untranscribed, durations), dim=1)
        text = network.text_condition(states, durations, silent, num_frames)
        return uniwav.weighted_sum(hidden_states) + text


class SamplerGraph(Graph):
    """Noise to features, by all steps of the flow."""

    def __init__(self, uniwav: UniWav, sampling: Sampling):
        super().__init__()
        self.uniwav, self.sampling = uniwav, sampling
        x = f"float32 1 T {uniwav.features.spec.dim}"
        z = f"float32 1 T {uniwav.encoder.embed_dim}"
        self.inputs = {"x": x, "mask": "bool 1 T", "z": z, "noise": x}
        self.outputs = {"generated": x}

    def forward(self, x: Tensor, mask: Tensor, z: Tensor, noise: Tensor) -> Tensor:
        return self.uniwav.generate(x, mask, z, None, self.sampling, noise=noise)


class VocoderGraph(Graph):
    """Features to samples."""

    def __init__(self, vocoder: Vocoder):
        super().__init__()
        self.vocoder, self.head = vocoder, WaveHead(vocoder.head)
        self.inputs = {"x": f"float32 B T {vocoder.features.spec.dim}"}
        self.outputs = {"speech": "float32 B S"}

    def forward(self, x: Tensor) -> Tensor:
        return self.head(*self.vocoder.states(x))
