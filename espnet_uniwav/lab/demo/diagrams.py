"""What happens in a tab, as a row of boxes in the colours of the page."""

from __future__ import annotations

# Title and detail of every step; networks have a *.
STEPS = {
    "Speak": (
        ("Text", "numbers in words"),
        ("Phones", "markup, lexicon, dictionary"),
        ("*Durations", "predicted, at the pace of the prompt"),
        ("*Flow decoder", "from noise to log-mel; the prompt's frames are given"),
        ("*Vocoder", "log-mel to samples"),
    ),
    "Fill a gap": (
        ("Log-mel", "the gap is hidden"),
        ("*Encoder", "states of the rest; z is their weighted sum"),
        ("*Flow decoder", "from noise to log-mel in the gap; the rest is given"),
        ("*Vocoder", "samples of the gap; the rest is kept"),
    ),
    "Edit words": (
        ("Aligner", "finds the words in the recording"),
        ("Phones", "of the new words"),
        ("*Durations", "predicted, at the pace of the recording"),
        ("*Flow decoder", "from noise to log-mel; both sides are given"),
        ("*Vocoder", "samples of the new words; the rest is kept"),
    ),
    "Tokens": (
        ("Log-mel", "of the recording"),
        ("*Encoder", "a state, for the first code or for all"),
        ("Codebooks", "numbers of the nearest codewords: the codes"),
        ("*Flow decoder", "from noise to log-mel, given the codes"),
        ("*Vocoder", "log-mel to samples"),
    ),
    "Look": (
        ("Log-mel", "the spectrogram"),
        ("*Encoder", "states of its layers, and their weights in z"),
        ("Codebooks", "numbers of the nearest codewords: the codes"),
    ),
}
ROW = (
    '<div style="display:flex;flex-wrap:wrap;gap:.35em;font-size:.85em;'
    'line-height:1.3">{boxes}</div>'
)
BOX = (
    '<div style="flex:1 1 8.5em;padding:.45em .7em;border-radius:.5em;'
    "border:1px solid var({edge});background:var(--background-fill-secondary);"
    'color:var(--body-text-color)"><b>{title}</b><br>'
    '<span style="opacity:.75">{detail}</span></div>'
)
ARROW = (
    '<div aria-hidden="true" style="align-self:center;'
    'color:var(--body-text-color)">\u2192</div>'
)


def diagram(tab: str) -> str:
    """The steps of a tab as HTML; networks have an outline in the accent colour."""
    boxes = []
    for title, detail in STEPS[tab]:
        network = title.startswith("*")
        edge = "--color-accent" if network else "--border-color-primary"
        boxes.append(BOX.format(edge=edge, title=title.strip("*"), detail=detail))
    return ROW.format(boxes=ARROW.join(boxes))
