"""Draw doc/architecture-{light,dark}.svg: python doc/picture.py."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 980, 500
# Kind of part -> fill and outline; text and arrows; in light and in dark surroundings.
COLOURS = {
    "light": dict(
        trained=("#dbeafe", "#2563eb"),
        frozen=("#f1f3f5", "#868e96"),
        loss=("#ffe8cc", "#d9480f"),
        use=("#d3f9d8", "#2b8a3e"),
        ink=("#1b1f24", "#57606a"),
    ),
    "dark": dict(
        trained=("#172f55", "#6ea8fe"),
        frozen=("#2b3036", "#adb5bd"),
        loss=("#4a2a12", "#ffa94d"),
        use=("#14361f", "#69db7c"),
        ink=("#f0f3f6", "#9aa4af"),
    ),
}
# Kind, x, y, width, height, lines.
BOXES = (
    ("frozen", 20, 190, 130, 60, ("Features", "log-mel or codec")),
    ("frozen", 290, 40, 150, 60, ("Teacher", "sees all frames")),
    ("frozen", 550, 40, 160, 60, ("Codebooks", "online clustering")),
    ("trained", 290, 190, 150, 60, ("Encoder", "student, N layers")),
    ("trained", 550, 140, 160, 50, ("Heads", "predict the codes")),
    ("trained", 550, 240, 160, 50, ("Weighted sum", "of all N + 1 states")),
    ("trained", 550, 340, 160, 60, ("Flow decoder", "predicts the velocity")),
    ("loss", 800, 90, 165, 60, ("DinoSR loss", "at masked frames")),
    ("loss", 800, 340, 165, 60, ("Flow matching loss", "at masked frames")),
    ("use", 20, 440, 290, 46, ("States", "recognition, S3PRL probes, analysis")),
    ("use", 335, 440, 290, 46, ("z and flow decoder", "infilling, synthesis, editing")),
    ("use", 650, 440, 310, 46, ("Codes of states and z", "speech tokens, and back")),
)
# Points of a line with an arrow at its end; whether it is dashed.
ARROWS = (
    (((85, 150), (85, 190)), False),
    (((150, 220), (290, 220)), False),
    (((200, 220), (200, 70), (290, 70)), False),
    (((440, 70), (550, 70)), False),
    (((365, 190), (365, 100)), True),
    (((440, 220), (495, 220), (495, 165), (550, 165)), False),
    (((440, 220), (495, 220), (495, 265), (550, 265)), False),
    (((630, 290), (630, 340)), False),
    (((440, 370), (550, 370)), False),
    (((710, 70), (760, 70), (760, 110), (800, 110)), False),
    (((710, 165), (760, 165), (760, 130), (800, 130)), False),
    (((710, 370), (800, 370)), False),
)
# Where, anchor, text.
WORDS = (
    (85, 143, "middle", "speech"),
    (20, 30, "start", "Blue: trained by gradients. Grey: not."),
    (20, 428, "start", "What is used after pre-training:"),
    (245, 210, "middle", "masked x"),
    (245, 60, "middle", "x"),
    (357, 150, "end", "moving average"),
    (495, 60, "middle", "top layers"),
    (760, 60, "middle", "targets"),
    (543, 156, "end", "last state"),
    (543, 282, "end", "states"),
    (640, 320, "start", "z"),
    (430, 366, "end", "noisy x at time t,"),
    (430, 384, "end", "and the given frames"),
)


def picture(colours: dict[str, tuple[str, str]]) -> str:
    """The picture in some colours."""
    ink, faint = colours["ink"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        "<title>UniWav: encoder, teacher, codebooks, flow decoder, losses</title>",
        '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="{faint}"/>'
        "</marker>",
    ]
    for points, dashed in ARROWS:
        path = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{faint}" '
            f'stroke-width="1.5"{dash} marker-end="url(#tip)"/>'
        )
    for kind, x, y, width, height, lines in BOXES:
        fill, outline = colours[kind]
        parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" '
            f'fill="{fill}" stroke="{outline}" stroke-width="1.5"/>'
        )
        middle = y + height / 2
        for line, place, style in zip(lines, (-4, 14), ('font-weight="bold"', "")):
            parts.append(
                text(x + width / 2, middle + place, "middle", line, ink, style)
            )
    parts += [text(x, y, anchor, words, faint) for x, y, anchor, words in WORDS]
    return "\n".join((*parts, "</svg>\n"))


def text(
    x: float, y: float, anchor: str, words: str, fill: str, style: str = ""
) -> str:
    """One line of text."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" {style}>'
        f"{words}</text>"
    )


if __name__ == "__main__":
    for name, colours in COLOURS.items():
        file = FOLDER / f"architecture-{name}.svg"
        file.write_text(picture(colours), encoding="utf-8")
