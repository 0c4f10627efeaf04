"""Inputs and outputs that several tabs have."""

from __future__ import annotations

import gradio as gr


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
    """Where an answer is shown, in a column.

    Args:
        names: ``status``, or attributes of ``Answer``.
    """
    make = {
        "speech": lambda: gr.Audio(
            label="Result", interactive=False, buttons=["download"]
        ),
        "status": lambda: gr.Markdown(),
        "pictures": lambda: gr.HTML(),
        "codes": lambda: gr.Textbox(
            label="Codes, a line for each codebook", lines=4, buttons=["copy"]
        ),
    }
    with gr.Column():
        return {name: make[name]() for name in names}
