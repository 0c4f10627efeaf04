"""Condense ESPnet's training log (stdin) to a line per interval; keep all errors."""

import re
import sys

KEYS = {
    "loss_dinosr": "dinosr",
    "loss_flow_matching": "flow",
    "loss_flow": "flow",
    "loss_duration": "duration",
    "loss_alignment": "alignment",
    "loss_mel": "mel",
    "loss_adversarial": "adversarial",
    "loss_matching": "matching",
    "loss_discriminator": "discriminator",
    "mel_loss": "mel",
    "adv_loss": "adversarial",
    "feat_match_loss": "matching",
    "discriminator_loss": "discriminator",
    "accuracy": "accuracy",
    "grad_norm": "gradient",
    "audio_seconds_per_second": "audio s/s",
}
INTERVAL = re.compile(r"(\d+)epoch:train:\d+-(\d+)batch: (.*)")
PLAIN = re.compile(r"(WARNING|ERROR): (.*)|(\d+/\d+epoch started.*)")
# Words of ESPnet that are no news for the user of this recipe.
KNOWN = re.compile(r"FutureWarning|flash_attn|nltk_data")


def condense(line: str):
    """The short form of a log line, or None."""
    found = INTERVAL.search(line)
    if found:
        values = dict(re.findall(r"(\w+)=([-+.\de]+)", found[3]))
        shown = [f"{name} {values[k]}" for k, name in KEYS.items() if k in values]
        return f"  epoch {found[1]} batch {found[2]}: {', '.join(shown)}"
    found = PLAIN.search(line)
    return f"  {found[2] or found[3]}" if found else None


def main():
    """Read stdin, write stdout; a traceback is shown from its start."""
    in_traceback = False
    for line in sys.stdin:
        in_traceback = in_traceback or line.startswith(("Traceback", "usage:"))
        short = line.rstrip() if in_traceback else condense(line)
        if short and not KNOWN.search(short):
            print(short, flush=True)


if __name__ == "__main__":
    main()
