"""ESPnet2's tokens of a text, for a synthesiser whose tokens are not our phones."""

from __future__ import annotations

from collections.abc import Callable

from espnet_uniwav.apps.phones.ctm import SILENCE


def describe_text(args: dict) -> dict | None:
    """Arguments of ``build_tokenizer`` from those of a task.

    Returns:
        None if the tokens are the phones of ``apps.phones.from_text``.
    """
    kind, g2p = args.get("token_type"), args.get("g2p")
    if kind == "phn" and g2p is None and SILENCE in args["token_list"]:
        return None
    keys = ("bpemodel", "non_linguistic_symbols", "cleaner")
    files = {key: args[key] for key in keys if args.get(key)}
    return {"token_type": kind, "g2p_type": g2p, **files}


def build_tokenizer(
    token_type: str,
    g2p_type: str | None = None,
    bpemodel: str | None = None,
    non_linguistic_symbols: str | None = None,
    cleaner: str | None = None,
) -> Callable[[str], list[str]]:
    """Text -> tokens, cleaned and split as in training.

    Args:
        token_type: ``phn``, ``char``, ``word`` or ``bpe``.
        g2p_type, bpemodel, non_linguistic_symbols, cleaner: As of ESPnet's tasks.
    """
    from espnet2.text.build_tokenizer import build_tokenizer as build
    from espnet2.text.cleaner import TextCleaner

    tokenizer = build(
        token_type,
        bpemodel=bpemodel,
        non_linguistic_symbols=non_linguistic_symbols,
        g2p_type=g2p_type,
    )
    clean = TextCleaner(cleaner)
    return lambda text: tokenizer.text2tokens(clean(text))
