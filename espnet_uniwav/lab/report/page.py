"""Parts of a report page, and their rendering to one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import jinja2

from espnet_uniwav.io.output import check_output, write_text

TEMPLATE = "report.html.jinja"


@dataclass
class Figure:
    """A picture with a caption that explains how to read it.

    Attributes:
        src: The picture as a ``data:`` address.
        caption: How to read it, and what would be bad.
        title: A few words above the picture; also its text for screen readers.
    """

    src: str
    caption: str
    title: str


@dataclass
class Clip:
    """One version of an utterance: a player and its picture.

    Attributes:
        title: The heading of the column.
        audio: The sound as a ``data:`` address.
        picture: The spectrogram as a ``data:`` address.
    """

    title: str
    audio: str
    picture: str


@dataclass
class Row:
    """An utterance in several versions, side by side."""

    title: str
    clips: list[Clip]
    text: str = ""


@dataclass
class Table:
    """A table of strings under a title."""

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass
class Section:
    """A part of the page.

    Attributes:
        title: Its heading; the page's contents link to it.
        lead: A short text under the heading.
        figures: Pictures, laid out in columns.
        rows: Utterances to listen to.
        tables: Tables.
        code: Pairs of a title and preformatted text, folded away when long.
        notes: Missing parts, and how to get them.
    """

    title: str
    lead: str = ""
    figures: list[Figure] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    code: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The heading as a URL fragment."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def check_page(path: str | Path) -> None:
    """Raise an OSError if ``write_page`` could not write this file."""
    check_output(Path(path).parent, folder=True)
    if Path(path).parent.is_dir():
        check_output(path)


def write_page(
    path: str | Path,
    title: str,
    sections: list[Section],
    lead: str = "",
    facts: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write a page, and the folders above it; everything is escaped.

    Args:
        path: File to write.
        title: The heading of the page.
        sections: The parts, in order.
        lead: What the page shows, in a sentence or two.
        facts: Pairs of a name and a value, shown at the top.

    Returns:
        The path.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template(TEMPLATE).render(
        title=title, lead=lead, facts=facts, sections=sections
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, html)
    return path


def save_sections(sections: list[Section], path: Path) -> None:
    """Save sections to a JSON file, for use in another page."""
    write_text(path, json.dumps([asdict(s) for s in sections]))


def load_sections(path: Path) -> list[Section]:
    """Read sections written by ``save_sections``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else.
    """
    try:
        return [_section(**own) for own in json.loads(path.read_text(encoding="utf-8"))]
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no sections of a page: {error}") from error


def _section(figures: list, rows: list, tables: list, **more) -> Section:
    return Section(
        figures=[Figure(**own) for own in figures],
        rows=[_row(**own) for own in rows],
        tables=[Table(**own) for own in tables],
        **more,
    )


def _row(clips: list, **more) -> Row:
    return Row(clips=[Clip(**own) for own in clips], **more)
