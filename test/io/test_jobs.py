"""Work for many names, in one process or several."""

import os

import pytest

from espnet_uniwav.io.jobs import (
    DIED,
    Outcome,
    check_failures,
    process_all,
    write_outcomes,
)

ITEMS = {"four": 4, "zero": 0, "two": 2}


def halve(number):
    if not number:
        raise ValueError("nothing\nto halve")
    return number / 2


def prepare():
    return halve


@pytest.mark.parametrize("num_workers", [0, 2])
def test_outcomes_keep_their_order_and_reasons(num_workers):
    outcomes = list(process_all(prepare, ITEMS, num_workers))
    assert [(own.name, own.value, own.reason) for own in outcomes] == [
        ("four", 2.0, ""),
        ("zero", None, "nothing to halve"),
        ("two", 1.0, ""),
    ]
    assert all(own.spent >= 0 for own in outcomes)


def touchy(name):
    if name == "deadly":
        os._exit(3)
    if name == "odd":
        raise KeyError("x")
    return f"{name}!"


def prepare_touchy():
    return touchy


def test_one_bad_item_costs_no_other():
    names = ["a", "b", "deadly", "odd", *(f"u{i}" for i in range(12))]
    outcomes = list(process_all(prepare_touchy, dict(zip(names, names)), 2))
    assert [own.name for own in outcomes] == names
    reasons = {own.name: own.reason for own in outcomes if own.reason}
    assert reasons == {"deadly": DIED, "odd": "KeyError: 'x'"}
    good = [own.value for own in outcomes if not own.reason]
    assert good == [f"{name}!" for name in names if name not in reasons]


def test_tables(tmp_path):
    assert write_outcomes(tmp_path, process_all(prepare, ITEMS)) == 1
    assert (tmp_path / "failed.tsv").read_text().splitlines()[1:] == [
        "zero\tnothing to halve"
    ]
    rows = (tmp_path / "times.tsv").read_text().splitlines()
    assert rows[0] == "name\tspent\tspoken"
    assert [row.split("\t")[::2] for row in rows[1:]] == [
        ["four", "2.0000"],
        ["two", "1.0000"],
    ]


def read_times(folder):
    rows = (folder / "times.tsv").read_text().splitlines()
    assert rows[0] == "name\tspent\tspoken"
    return dict(row.split("\t")[::2] for row in rows[1:])


def test_times_of_earlier_runs_stay(tmp_path):
    write_outcomes(tmp_path, [Outcome("a", 1.0, ""), Outcome("b", 2.0, "")])
    failed = Outcome("b", None, "gone")
    write_outcomes(tmp_path, [Outcome("a", 3.0, ""), failed, Outcome("c", 4.0, "")])
    assert read_times(tmp_path) == {"a": "3.0000", "c": "4.0000"}


def test_times_of_an_interrupted_run_stay(tmp_path):
    def interrupted():
        yield Outcome("a", 1.0, "")
        raise KeyboardInterrupt

    write_outcomes(tmp_path, [Outcome("z", 9.0, "")])
    with pytest.raises(KeyboardInterrupt):
        write_outcomes(tmp_path, interrupted())
    with open(tmp_path / "times.tsv", "a") as file:
        file.write("torn\t0.1")
    write_outcomes(tmp_path, [Outcome("b", 2.0, "")])
    assert read_times(tmp_path) == {"z": "9.0000", "a": "1.0000", "b": "2.0000"}


def test_what_is_a_success(tmp_path):
    assert check_failures("said", tmp_path, 3, 0) == "said"
    some = f"said; 1 failed, see {tmp_path}/failed.tsv"
    assert check_failures("said", tmp_path, 3, 1, allow_failed=True) == some
    with pytest.raises(ValueError, match=some):
        check_failures("said", tmp_path, 3, 1)
    for failed in (0, 2):
        with pytest.raises(ValueError, match="said"):
            check_failures("said", tmp_path, 0, failed, allow_failed=True)
