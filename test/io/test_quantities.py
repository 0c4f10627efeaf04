"""Numbers with units, on the command line and in yaml."""

import pytest

from espnet_uniwav.cli.uniwav import parser_of
from espnet_uniwav.io.units import count, parse_rate, seconds


@pytest.mark.parametrize("fs", [16000, "16000", "16k", "16K", "16kHz"])
def test_rate(fs):
    assert parse_rate(fs) == 16000


@pytest.mark.parametrize("fs", ["fast", "", 0, "-1"])
def test_no_rate(fs):
    with pytest.raises(ValueError, match="fs: expected a sampling rate in Hz"):
        parse_rate(fs)


def test_counts_and_seconds():
    found = [count(text) for text in ("0", "1000", "400k", "1.5M")]
    assert found == [0, 1000, 400000, 1500000]
    found = [seconds(text) for text in ("0.25", "-1", "200ms", "2m", "1h")]
    assert found == [0.25, -1.0, 0.2, 120.0, 3600.0]


def test_options():
    args = parser_of("size").parse_args(["conf.yaml", "--seconds", "2m"])
    assert args.seconds == 120.0
    command = ["in.wav", "out.wav", "--checkpoint", "x", "--start", "500ms"]
    args = parser_of("infill").parse_args([*command, "--end", "1.5"])
    assert (args.start, args.end) == ([0.5], [1.5])


@pytest.mark.parametrize(
    "name, command, said",
    [
        ("size", ["conf.yaml", "--seconds", "long"], "--seconds: expected seconds"),
        (
            "extract",
            ["a", "b", "--config", "c", "--shard_size", "big"],
            "--shard_size: expected a whole number, such as 400000 or 400k, found",
        ),
    ],
)
def test_errors_name_the_option(name, command, said, capsys):
    with pytest.raises(SystemExit):
        parser_of(name).parse_args(command)
    assert said in capsys.readouterr().err
