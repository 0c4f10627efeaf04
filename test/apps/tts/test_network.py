"""The synthesiser: training, fixed seeds, kept context, and refused input."""

import itertools

import pytest
import torch
from factories import NUM_MELS, make_synthesizer, train_steps

from espnet_uniwav.apps.tts.aligner import best_path
from espnet_uniwav.apps.tts.batch import Batch
from espnet_uniwav.apps.tts.context import Context, check_prompt
from espnet_uniwav.apps.tts.durations import tokens_outside
from espnet_uniwav.core.flow.gaps import draw_gap
from espnet_uniwav.core.flow.sampling import Sampling

QUICK = Sampling(num_steps=2, method="euler")
TOKENS = torch.tensor([2, 3, 4])


@pytest.fixture
def batch():
    torch.manual_seed(0)
    tokens = torch.tensor([[2, 3, 4, 5], [3, 2, 0, 0]])
    durations = torch.tensor([[5, 9, 4, 7], [8, 6, 0, 0]])
    lengths = durations.sum(1)
    x = torch.randn(8, NUM_MELS)[tokens].repeat_interleave(7, dim=1)[:, :25]
    return Batch(tokens, torch.tensor([4, 2]), durations, x, lengths)


def speak(synthesizer, tokens=TOKENS, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)
    return synthesizer.speak(tokens, sampling=QUICK, generator=generator, **more)


def prompt(frames=10, **more):
    x = torch.randn(frames, NUM_MELS, generator=torch.Generator().manual_seed(5))
    return Context(x, **more)


@pytest.mark.parametrize("visible_only", (False, True))
def test_all_losses_fall(batch, visible_only):
    synthesizer = make_synthesizer(visible_only=visible_only).train()
    history = []

    def step(i):
        torch.manual_seed(i % 4)
        loss, stats = synthesizer(batch)
        history.append({key: float(value) for key, value in stats.items()})
        return loss

    train_steps(step, synthesizer.parameters(), 80, 2e-3)
    for key in ("loss_flow", "loss_duration", "loss_alignment"):
        first, last = (
            sum(h[key] for h in part) for part in (history[:8], history[-8:])
        )
        assert last < 0.7 * first, key
    unused = [n for n, p in synthesizer.named_parameters() if p.grad is None]
    assert unused == []


def test_durations_alone(batch):
    """No other part is trained, and no speech is encoded."""
    synthesizer = make_synthesizer(durations_only=True).train()
    loss, stats = synthesizer(batch)
    loss.backward()
    assert list(stats) == ["loss_duration"]
    trained = {n for n, p in synthesizer.named_parameters() if p.grad is not None}
    assert trained == {
        n for n, p in synthesizer.named_parameters() if n.startswith("duration_pred")
    }


def test_ends_of_words_change_durations_alone():
    """Tokens 5 to 7 are the ends of 2 to 4."""
    names = ["a", "b", "c", "d", "e", "c_E", "d_E", "e_E"]
    synthesizer = make_synthesizer(token_list=names)
    inside, ends = (speak(synthesizer, tokens) for tokens in (TOKENS, TOKENS + 3))
    assert not torch.equal(inside.durations, ends.durations)
    told = torch.tensor([3, 4, 5])
    inside, ends = (
        speak(synthesizer, tokens, durations=told) for tokens in (TOKENS, TOKENS + 3)
    )
    assert torch.equal(inside.x, ends.x)


def test_only_trained_tokens_are_spoken(batch):
    synthesizer = make_synthesizer()
    synthesizer.known_tokens.fill_(False)
    synthesizer.train()(batch)
    assert synthesizer.known_tokens.nonzero().flatten().tolist() == [2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"lines 7 of the token list"):
        speak(synthesizer.eval(), torch.tensor([2, 6]))
    with pytest.raises(ValueError, match="text is empty"):
        speak(synthesizer, TOKENS[:0])


def test_gaps_fill_their_share():
    torch.manual_seed(0)
    lengths = torch.tensor([40] * 500 + [10] * 500)
    gap = draw_gap(lengths, 40, 0.5)
    share = gap.sum(1) / lengths
    assert share.min() >= 0.5 and share.max() == 1
    assert not gap[500:, 10:].any()
    assert (gap.int().diff(dim=1).abs().sum(1) <= 2).all()
    assert gap[:500, 0].any() and gap[:500, 39].any()


def test_known_tokens_lie_outside_the_gap():
    gap = torch.tensor([[False, False, True, True, False, False]])
    durations = torch.tensor([[2, 1, 0, 2, 1]])
    assert tokens_outside(gap, durations).tolist() == [[True, False, True, False, True]]


def test_best_path_is_the_best_of_all():
    torch.manual_seed(1)
    for _ in range(5):
        scores = torch.randn(7, 3)
        total = {}
        for a, b in itertools.product(range(1, 6), repeat=2):
            if a + b < 7:
                index = [0] * a + [1] * b + [2] * (7 - a - b)
                total[a, b, 7 - a - b] = float(scores[range(7), index].sum())
        best = max(total, key=total.get)
        assert tuple(best_path(scores).tolist()) == best
    assert best_path(torch.randn(4, 4)).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="5 tokens do not fit into 4 frames"):
        best_path(torch.randn(4, 5))


def test_same_seed_same_frames():
    synthesizer = make_synthesizer()
    first, again, other = (speak(synthesizer, seed=s).x for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.allclose(first, other)


def test_lengths_can_be_told():
    synthesizer = make_synthesizer()
    durations = torch.tensor([4, 0, 6])
    told = speak(synthesizer, durations=durations)
    assert torch.equal(told.durations, durations) and len(told.x) == 10
    assert len(speak(synthesizer, num_frames=33).x) == 33
    free = len(speak(synthesizer).x)
    slow = len(speak(synthesizer, speed=0.25).x)
    assert abs(slow - 4 * free) <= 4


@pytest.mark.parametrize(
    "more, message",
    [
        (dict(speed=0.0), "speed: expected a number from 0.1"),
        (dict(durations=torch.tensor([1, 2])), "expected 3 durations, found 2"),
        (dict(durations=torch.tensor([0, 0, 0])), "not all zero"),
        (dict(durations=torch.tensor([1, -1, 3])), "zero or more"),
        (dict(prompt=prompt(2, tokens=TOKENS)), "3 tokens do not fit into 2 frames"),
        (
            dict(prompt=prompt(tokens=TOKENS, durations=torch.tensor([3, 3, 3]))),
            "sum to 9 frames, but it has 10",
        ),
    ],
)
def test_what_does_not_fit(more, message):
    with pytest.raises(ValueError, match=message):
        speak(make_synthesizer(), **more)


@pytest.mark.parametrize("visible_only", (False, True))
def test_prompt_matters_and_is_cut_off(visible_only):
    synthesizer = make_synthesizer(visible_only=visible_only)
    durations = torch.tensor([4, 5, 6])
    alone = speak(synthesizer, durations=durations)
    silent = speak(synthesizer, durations=durations, prompt=prompt())
    told = speak(synthesizer, durations=durations, prompt=prompt(tokens=TOKENS))
    for one, two in itertools.combinations((alone.x, silent.x, told.x), 2):
        assert one.shape == (15, NUM_MELS) and not torch.allclose(one, two)


def test_found_durations_are_those_of_the_aligner():
    synthesizer = make_synthesizer()
    context = prompt(tokens=TOKENS)
    states = synthesizer.uniwav.hidden_states(context.x[None])
    durations, mismatch = synthesizer.aligner.align(states, TOKENS)
    aligned = synthesizer.align(context)
    assert torch.equal(aligned.durations, durations)
    assert aligned.mismatch == mismatch >= 0
    assert durations.sum() == 10 and (durations >= 1).all()
    given = Context(context.x, TOKENS, durations)
    assert torch.equal(
        speak(synthesizer, prompt=context).x, speak(synthesizer, prompt=given).x
    )


def test_what_follows_matters():
    synthesizer = make_synthesizer()
    spans = torch.tensor([3, 3, 4])
    context = prompt(tokens=TOKENS, durations=spans)
    between = speak(synthesizer, durations=spans, prompt=context, after=context)
    open_end = speak(synthesizer, durations=spans, prompt=context)
    assert between.x.shape == open_end.x.shape
    assert not torch.allclose(between.x, open_end.x)


@pytest.mark.parametrize(
    "x, message",
    [
        (torch.randn(5, NUM_MELS), "lasts 0.10 s"),
        (torch.randn(3000, NUM_MELS), "lasts 60.00 s"),
        (torch.ones(100, NUM_MELS), "silent"),
        (torch.full((100, NUM_MELS), torch.nan), "silent"),
    ],
)
def test_bad_prompts(x, message):
    spec = make_synthesizer().uniwav.features.spec
    with pytest.raises(ValueError, match=message):
        check_prompt(x, spec)
