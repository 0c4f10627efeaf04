"""From a click to an answer: one after another, with progress and messages."""

from __future__ import annotations

import functools
import html
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr
from gradio.events import Dependency

from espnet_uniwav.io.audio import to_int16
from espnet_uniwav.lab.demo.stopwatch import Stopwatch
from espnet_uniwav.lab.demo.tabs import Answer


def named(name: str | None) -> dict:
    """Options of every event: its name in the API, if any, and one queue for all.

    Models, matplotlib and the log are not made for several threads.
    """
    shown = dict(api_name=name) if name else dict(api_visibility="private")
    return dict(**shown, concurrency_limit=1, concurrency_id="work")


def on_click(
    button: gr.Button,
    work: Callable[..., Answer],
    inputs: Sequence,
    shown: dict,
    filled: Dependency | None = None,
) -> None:
    """Let a button do the work of a tab, and an example, once it is filled in.

    Args:
        button: The button.
        work: A method of ``Tabs``; its name is that of the event in the API.
        inputs: Components, for the arguments but ``progress``.
        shown: Name -> component, see ``outputs``.
        filled: The event of ``offer``.
    """
    components = list(shown.values())
    answer = answering(work, list(shown)), list(inputs), components
    progress = dict(show_progress_on=components[:1])
    button.click(*answer, **progress, **named(work.__name__))
    if filled:
        filled.success(*answer, **progress, **named(None))


def offer(rows: dict[str, list], inputs: Sequence) -> Dependency | None:
    """Show examples; returns the event that one is filled in, None without examples.

    Args:
        rows: Label -> values of the inputs.
        inputs: Components.
    """
    if not rows:
        return None
    labels, values = list(rows), list(rows.values())
    made = gr.Examples(values, list(inputs), example_labels=labels, label="Examples")
    return made.load_input_event


def answering(work: Callable[..., Answer], names: Sequence[str]) -> Callable:
    """The work of a tab as Gradio calls it: ``progress`` is Gradio's progress."""

    @functools.wraps(work)
    def answer(*values):
        with Stopwatch(work.__self__.models) as watch:
            found = explained(work, *values)
        shown = {**vars(found), "status": watch.report(found.seconds)}
        if found.note:
            shown["status"] = f"{found.note}. {shown['status']}"
        if found.speech is not None:
            samples = explained(to_int16, "the answer", found.speech)
            shown["speech"] = (found.sample_rate, samples)
        values = [shown[name] for name in names]
        return values[0] if len(values) == 1 else values

    signature = inspect.signature(work)
    parameters = [
        own.replace(default=gr.Progress()) if own.name == "progress" else own
        for own in signature.parameters.values()
    ]
    answer.__signature__ = signature.replace(parameters=parameters)
    return answer


def explained(work: Callable, *values):
    """Call a function; its expected errors are messages on the page.

    Folders of recordings are on the server and mean nothing to the reader.
    """
    try:
        return work(*values)
    except (ValueError, OSError, ImportError) as error:
        said = str(error)
        for value in values:
            if isinstance(value, str) and Path(value).is_absolute():
                said = said.replace(f"{Path(value).parent}/", "")
        said = html.escape(said, quote=False)
        raise gr.Error(said, duration=None, print_exception=False) from error
