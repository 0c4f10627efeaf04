"""The command line of a function: kinds of arguments, help, and scripts."""

import runpy
from pathlib import Path

import pytest

from espnet_uniwav.cli.parser import make_parser
from espnet_uniwav.cli.signature import REQUIRED, read_arguments

SOURCE = '''"""Do it.

examples:
  script in.wav 3 --flag
"""

from __future__ import annotations

import no_such_package
from espnet_uniwav.core.flow.sampling import SPEAKING
from espnet_uniwav.cli.command import INTERRUPTED as NUMBER
from espnet_uniwav.cli.command import run_script

SIZE = 7


def work(
    source: str | Path,
    number: int,
    more: Sequence[Path] = (),
    which: Literal["a", "b"] = "a",
    start: float | Sequence[float] = (),
    names: Sequence[str] = ("x", "y"),
    pair: tuple[Path, Path] | None = None,
    layer: int | str = SIZE,
    flag: bool = False,
    kept: bool = True,
    seed: int = NUMBER,
    one: str | None = None,
    other: str | None = None,
    **sampling,
) -> str:
    """Do it.

    Args:
        source, number: Positional. The second sentence is for Python.
        more: More than ``one`` of ``uniwav``; None: 100 % of all.
        which: See.
        names: Two.
        **sampling: Settings; by default those of the model, else ``SPEAKING``.

    Raises:
        ValueError: Always.
    """
    if number == 3:
        raise ValueError("three")
    return f"{source} {number}"


if __name__ == "__main__":
    run_script(work, "source number")
'''
USAGE = "source number layer=last [one|other]"


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SOURCE)
    return path


def parse(script: Path, *words: str, usage: str = USAGE):
    return make_parser("script", script, "work", usage).parse_args(words)


def test_defaults(script):
    found = vars(parse(script, "a", "1"))
    assert found == dict(
        **dict(source=Path("a"), number=1, more=[], which="a", start=[]),
        **dict(names=("x", "y"), pair=None, layer="last", flag=False, kept=True),
        **dict(seed=130, one=None, other=None, num_steps=None, method=None),
        **dict(guidance_scale=None, temperature=None),
    )


@pytest.mark.parametrize(
    "words, name, value",
    [
        ("--more b c --more d", "more", [Path("b"), Path("c"), Path("d")]),
        ("--start 1 --start 2m", "start", [1.0, 120.0]),
        ("--names z", "names", ["z"]),
        ("--pair b c", "pair", [Path("b"), Path("c")]),
        ("--layer 3", "layer", 3),
        ("--layer learned", "layer", "learned"),
        ("--flag", "flag", True),
        ("--no-kept", "kept", False),
        ("--seed -1", "seed", -1),
        ("--num_steps 2", "num_steps", 2),
    ],
)
def test_kinds(script, words, name, value):
    assert getattr(parse(script, "a", "1", *words.split()), name) == value


@pytest.mark.parametrize(
    "words",
    ["a", "a b", "a 1 --which c", "a 1 --one b --other c", "a 1 --pair b"],
)
def test_what_is_refused(script, words):
    with pytest.raises(SystemExit) as ended:
        parse(script, *words.split())
    assert ended.value.code == 2


def test_options_of_which_one_is_required(script):
    with pytest.raises(SystemExit):
        parse(script, "a", "1", usage="source number (one|other)")
    with pytest.raises(SystemExit):
        parse(script, usage="")
    assert parse(script, "--source=a", "--number=1", usage="").number == 1


def test_help_is_the_docstring(script):
    parser = make_parser("script", script, "work", USAGE)
    helps = {action.dest: action.help for action in parser._actions}
    assert helps["source"] == helps["number"] == "Positional"
    assert helps["more"] == "More than --one of `uniwav` (default: 100 %% of all)"
    assert helps["num_steps"].endswith("(default: that of the model, else 8)")
    assert "Two (default: x y)" in parser.format_help()


def test_arguments(script):
    source, *_ = read_arguments(script, "work")
    assert (source.name, source.kind) == ("source", "str | Path")
    assert source.default is REQUIRED
    with pytest.raises(LookupError, match="script.py: expected a definition of play"):
        read_arguments(script, "play")


def test_a_script(script, capsys, monkeypatch):
    script.write_text(SOURCE.replace("import no_such_package\n", ""))

    def run(*words):
        monkeypatch.setattr("sys.argv", [str(script), *words])
        runpy.run_path(str(script), run_name="__main__")

    run("a", "1")
    assert capsys.readouterr().out == "a 1\n"
    with pytest.raises(SystemExit, match="^script: three$"):
        run("a", "3")
    with pytest.raises(SystemExit, match="^script: --seed: expected"):
        run("a", "1", "--seed", "-1")
    with pytest.raises(SystemExit):
        run("--help")
    shown = capsys.readouterr().out
    assert shown.startswith("usage: script [-h]") and "Do it." in shown
    assert shown.endswith("examples:\n  script in.wav 3 --flag\n")
