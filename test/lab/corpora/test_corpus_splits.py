from corpus_case import noise, write, write_table


def test_one_long_file_alone_still_gives_every_split(prepare, tmp_path):
    write(tmp_path / "in/long.wav", noise(60))
    result = prepare(tmp_path / "in", "--max_seconds", 10)
    assert {name: len(part) for name, part in result.splits.items()} == {
        "train": 4,
        "dev": 1,
        "test": 1,
    }


def test_missing_dev_is_taken_from_train_only(prepare, corpus):
    rows = [(f"u{i}", "s", f"good{i}.wav", "", "train") for i in range(3)]
    write_table(corpus, rows + [("u3", "s", "good3.wav", "", "test")])
    splits = prepare(corpus).splits
    assert list(splits["test"]) == ["s-u3"]
    assert (len(splits["train"]), len(splits["dev"])) == (2, 1)


def test_speakers_do_not_cross_splits(prepare, tmp_path):
    for number in range(30):
        path = tmp_path / f"in/s{number % 12:02d}/{number}.wav"
        write(path, noise(0.5, seed=number))
    splits = prepare(tmp_path / "in").splits
    speakers = [{utt[:3] for utt in part} for part in splits.values()]
    assert all(speakers) and sum(map(len, speakers)) == 12


def test_splits_do_not_depend_on_place_or_threads(prepare, tmp_path):
    for place in ("one", "two/deeper"):
        for number in range(25):
            write(tmp_path / place / f"{number}.wav", noise(0.5, seed=number))
    options = "--max_hours", 8 / 3600, "--nj"
    first = prepare(tmp_path / "one", *options, 1, out="a").splits
    second = prepare(tmp_path / "two/deeper", *options, 4, out="b").splits
    assert {k: list(v) for k, v in first.items()} == {
        k: list(v) for k, v in second.items()
    }


def test_max_hours_keeps_a_part(prepare, tmp_path):
    for number in range(20):
        write(tmp_path / f"in/{number}.wav", noise(0.5, seed=number))
    result = prepare(tmp_path / "in", "--max_hours", 5 / 3600)
    assert len(result.wavs) == 10 and all(result.splits.values())
