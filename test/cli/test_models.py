"""``uniwav models``: what comes with the package, and recipes that ask for it."""

import os
import subprocess
import sys

import pytest
from factories import command

from espnet_uniwav.core.card import write_card
from espnet_uniwav.io import folder as storage

main = command("models")


def test_one_line_for_each(packaged, tmp_path, capsys):
    folder = tmp_path / "models/tiny-test"
    write_card(folder, "two hours of tones.\n\n| corpus |\n", "cc-by-4.0")
    main([])
    number = sum(value.numel() for value in packaged.state_dict().values())
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert capsys.readouterr().out == (
        f"tiny-test: uniwav, {number / 1e6:.1f} M parameters, "
        f"{size / 1e6:.1f} MB, trained on two hours of tones; cc-by-4.0\n"
    )


def test_what_a_model_needs(capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if line.startswith("vocoder_lyra: "))
    assert " 10.6 MB and the codec lyra, trained on " in line


def test_the_card_and_the_folder(packaged, tmp_path, capsys):
    folder = tmp_path / "models/tiny-test"
    card = write_card(folder, "two hours", "cc-by-4.0")
    main(["tiny-test"])
    assert capsys.readouterr().out == card.read_text()
    for name in ("tiny-test", str(folder)):
        main(["--folder", "--", name])
        assert capsys.readouterr().out == f"{folder.resolve()}\n"


def test_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(storage, "PACKAGED", tmp_path / "models")
    main([])
    assert capsys.readouterr().out == "this package comes without models\n"


@pytest.mark.parametrize(
    ("options", "message"),
    (
        (["tinny"], "models: tinny is no UniWav checkpoint.* are: tiny-test"),
        (["tiny-test"], "README.md is missing"),
        ([], "README.md is missing"),
        (["--folder"], "--folder needs the name"),
        (["--folder", "--", "/gone"], "/gone is no UniWav checkpoint"),
        (["--folder", "--", ""], "--folder needs the name"),
    ),
)
def test_bad_input(packaged, options, message):
    with pytest.raises(SystemExit, match=message):
        main(options)


def test_a_reader_that_has_enough_is_no_error():
    """As of ``uniwav models | head -1``."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "espnet_uniwav.cli.uniwav", "models"]
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
