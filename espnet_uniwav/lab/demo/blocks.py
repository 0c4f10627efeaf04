"""The tabs as Gradio shows them."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from espnet_uniwav.core.flow.sampling import SPEAKING, Sampling
from espnet_uniwav.lab.demo import samples
from espnet_uniwav.lab.demo.diagrams import diagram
from espnet_uniwav.lab.demo.events import explained, named, offer, on_click
from espnet_uniwav.lab.demo.tabs import Tabs

LEAD = """# UniWav
One model to understand and to generate speech. Recordings of up to {seconds:g} seconds
are read on the machine that serves this page, which deletes them when it stops.

Use a voice only if its speaker agreed, and say that the speech is generated."""
MARKUP = "{R EH1 D} says the phones of a word"
MISSING = {
    "checkpoint": "This tab needs a pre-trained model with a decoder. Start the page "
    "with `uniwav demo --checkpoint MODEL`; `uniwav models` lists packaged ones, and "
    "`make report` trains one.",
    "tts": "This tab needs a model that was fine-tuned to speak. Start the page with "
    "`uniwav demo --tts MODEL`; the recipe `egs2/mini_speech/tts1` trains one.",
    "tokenizer": "This tab needs a tokenizer. Start the page with `uniwav demo "
    "--tokenizer MODEL`; the recipe `egs2/mini_librispeech/token1` trains one.",
}


def build_page(tabs: Tabs, cache_seconds: int = 3600) -> gr.Blocks:
    """Build the page.

    Args:
        tabs: What its tabs do.
        cache_seconds: Age at which recordings are deleted.
    """
    models = tabs.models
    parts = (
        ("Speak", models.tts, "tts", _speak),
        ("Fill a gap", models.checkpoint, "checkpoint", _fill),
        ("Edit words", models.tts, "tts", _edit),
        ("Tokens", models.tokenizers, "tokenizer", _tokens),
        ("Look", True, "", _look),
    )
    with gr.Blocks(
        title="UniWav",
        analytics_enabled=False,
        delete_cache=(cache_seconds // 4, cache_seconds),
    ) as page:
        gr.Markdown(LEAD.format(seconds=tabs.max_seconds))
        first = next(title for title, model, *_ in parts if model)
        with gr.Tabs(selected=first):
            for title, model, option, add in parts:
                with gr.Tab(title, id=title):
                    if model:
                        gr.Markdown(diagram(title), sanitize_html=False)
                        add(tabs)
                    else:
                        gr.Markdown(MISSING[option])
    return page


def _speak(tabs: Tabs) -> None:
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", info=MARKUP, lines=3, value=samples.TEXT)
            prompt = recording_input("Voice to speak in; empty: the model's own")
            prompt_text = gr.Textbox(
                label="What is said in it", info="Optional; better with than without"
            )
            speed, steps, seed = settings(tabs.models.speaking_steps())
            button = gr.Button("Speak", variant="primary")
            told = [text, prompt, prompt_text]
        with gr.Column():
            filled = offer(samples.speak_rows(), told)
            shown = outputs("speech", "status", "pictures")
    on_click(button, tabs.speak, [*told, speed, steps, seed], shown, filled)


def _fill(tabs: Tabs) -> None:
    with gr.Row():
        with gr.Column():
            recording = recording_input("Recording")
            start, end = (
                gr.Slider(0, tabs.max_seconds, 0, step=0.01, label=f"{name} (seconds)")
                for name in ("Start of the gap", "End of the gap")
            )
            marked = gr.HTML()
            _, steps, seed = settings(Sampling.num_steps, speed=False)
            button = gr.Button("Fill the gap", variant="primary")
        with gr.Column():
            filled = offer(samples.fill_rows(), [recording])
            shown = outputs("speech", "status", "pictures")
    place, mark = _placing(tabs)
    gap = [recording, start, end]
    quiet = dict(show_progress="hidden")
    placed = [place, [recording], [start, end, marked]]
    recording.change(*placed, **quiet, **named("place"))
    if filled:
        filled = filled.success(*placed, **quiet, **named(None))
    gr.on(
        [start.input, end.input],
        mark,
        gap,
        [marked],
        trigger_mode="always_last",
        **quiet,
        **named("mark"),
    )
    on_click(button, tabs.fill, [*gap, steps, seed], shown, filled)


def _placing(tabs: Tabs) -> tuple[Callable, Callable]:
    """What happens when a recording is given, and when its gap is moved."""

    def place(recording: str | None):
        if not recording:
            return gr.skip(), gr.skip(), ""
        start, end, seconds = explained(tabs.place, recording)
        picture = tabs.mark(recording, start, end)
        sliders = (gr.Slider(value=own, maximum=seconds) for own in (start, end))
        return *sliders, picture

    def mark(recording: str | None, start: float, end: float) -> str:
        return explained(tabs.mark, recording, start, end) if recording else ""

    return place, mark


def _edit(tabs: Tabs) -> None:
    with gr.Row():
        with gr.Column():
            recording = recording_input("Recording, in English")
            text = gr.Textbox(label="What is said in it", lines=2)
            with gr.Row():
                replace = gr.Textbox(label="Words to replace", info="Said once")
                by = gr.Textbox(label="New words", info=MARKUP)
            speed, steps, seed = settings(tabs.models.speaking_steps())
            button = gr.Button("Edit", variant="primary")
            told = [recording, text, replace, by]
        with gr.Column():
            filled = offer(samples.edit_rows(), told)
            shown = outputs("speech", "status", "pictures")
    on_click(button, tabs.edit, [*told, speed, steps, seed], shown, filled)


def _tokens(tabs: Tabs) -> None:
    names = list(tabs.models.tokenizers)
    with gr.Row():
        with gr.Column():
            recording = recording_input("Recording")
            name = gr.Radio(
                names,
                value=names[0],
                label="Tokenizer",
                info="Fewer codebooks: fewer bits",
            )
            prompt = recording_input("Voice to decode in; empty: any")
            _, steps, seed = settings(SPEAKING.num_steps, speed=False)
            button = gr.Button("Encode and decode", variant="primary")
        with gr.Column():
            filled = offer(samples.token_rows(names), [recording, name])
            shown = outputs("speech", "status", "pictures", "codes")
    inputs = [recording, name, prompt, steps, seed]
    on_click(button, tabs.tokens, inputs, shown, filled)


def _look(tabs: Tabs) -> None:
    names = ["status", "pictures"]
    with gr.Row():
        with gr.Column():
            recording = recording_input("Recording; empty: the layer weights alone")
            button = gr.Button("Look", variant="primary")
            if not tabs.models.checkpoint:
                gr.Markdown("With `--checkpoint` the page shows layer weights, too.")
            if tabs.models.tokenizers:
                names.append("codes")
            else:
                gr.Markdown("With `--tokenizer` the page shows codes, too.")
        with gr.Column():
            filled = offer(samples.look_rows(), [recording])
            shown = outputs(*names)
    on_click(button, tabs.look, [recording], shown, filled)


def recording_input(label: str) -> gr.Audio:
    """A recording: a file, or from the microphone. Its value is a path."""
    return gr.Audio(
        label=label,
        sources=["upload", "microphone"],
        type="filepath",
        buttons=["download"],
    )


def settings(num_steps: int, speed: bool = True) -> tuple:
    """Speed (None if there is none), steps of the solver and seed, folded away."""
    with gr.Accordion("Settings", open=False):
        pace = gr.Slider(0.5, 2.0, 1.0, step=0.05, label="Speed") if speed else None
        steps = gr.Slider(
            1,
            max(64, num_steps),
            num_steps,
            step=1,
            label="Steps",
            info="More: better and slower",
        )
        seed = gr.Number(0, label="Seed", precision=0, minimum=0)
    return pace, steps, seed


def outputs(*names: str) -> dict[str, gr.components.Component]:
    """Where an answer is shown.

    Args:
        names: ``status``, or attributes of ``Answer``.
    """
    make = {
        "speech": lambda: gr.Audio(
            label="Result", interactive=False, autoplay=True, buttons=["download"]
        ),
        "status": lambda: gr.Markdown(),
        "pictures": lambda: gr.HTML(),
        "codes": lambda: gr.Textbox(
            label="Codes, a line for each codebook", lines=4, buttons=["copy"]
        ),
    }
    return {name: make[name]() for name in names}
