"""Divides utterances into train, dev and test, the same way on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from espnet_uniwav.io.kaldi import hash_share
from espnet_uniwav.lab.corpora.decode import Piece

MIN_SPEAKERS = 10


def assign_splits(pieces: list[Piece], shares: dict[str, float]) -> list[Piece]:
    """Gives every piece a split; splits that the corpus names are kept.

    A split of `shares` that no piece has is taken from the rest of train: whole
    speakers where there are at least ten, else sentences with all their recordings,
    else whole utterances, else pieces.

    Args:
        pieces: all usable pieces; an empty split means none was given.
        shares: share of the groups, in (0, 1), for dev and test.
    """
    given = {piece.split for piece in pieces} - {""}
    missing = {name: share for name, share in shares.items() if name not in given}
    train = [piece for piece in pieces if piece.split in ("", "train")]
    group_of = _grouping(train)
    chosen = _choose({group_of(piece) for piece in train}, missing)
    return [
        replace(piece, split=chosen.get(group_of(piece), "train"))
        if piece.split in ("", "train")
        else piece
        for piece in pieces
    ]


def _grouping(pieces: list[Piece]):
    """Picks the coarsest unit that leaves enough groups to divide."""
    if len({piece.speaker for piece in pieces}) >= MIN_SPEAKERS:
        return lambda piece: piece.speaker
    if len({_sentence(piece) for piece in pieces}) >= 3:
        return _sentence
    return lambda piece: piece.utt


def _sentence(piece: Piece) -> str:
    """The text without regard to case and punctuation, else the recording."""
    return " ".join(re.findall(r"[^\W_]+", piece.text.lower())) or piece.origin


def _choose(groups: Iterable[str], shares: dict[str, float]) -> dict[str, str]:
    """Takes groups in the order of their hashes; at least one stays for train."""
    order, chosen = sorted(groups, key=hash_share), {}
    total = len(order)
    for split, share in shares.items():
        count = min(max(1, round(share * total)), len(order) - 1)
        for _ in range(count):
            chosen[order.pop(0)] = split
    return chosen
