"""Register UniWav in every Python process, or undo this.

Installs a ``.pth`` file in site-packages of this environment. It registers our names
when ESPnet's task modules or S3PRL's hub are imported, so that
``python -m espnet2.bin.ssl_train`` and ``python -m s3prl.run_downstream`` work without
a prefix. Off by default; it adds a few milliseconds to every interpreter start.

examples:
  uniwav hook install
  uniwav hook remove
"""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path

from espnet_uniwav.cli.command import make_parser, run_command
from espnet_uniwav.io.output import write_text

WORK = "espnet_uniwav.cli.commands.hook:hook"
LINE = (
    "import importlib.util as u; "
    "u.find_spec('espnet_uniwav') and "
    "__import__('espnet_uniwav.plugin', fromlist=['register']).register()\n"
)


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser("hook", __doc__)
    parser.add_argument(
        "action", choices=("install", "remove", "status"), help="what to do"
    )
    return parser


def hook(action: str) -> str:
    """Install, remove or look for the file; return its status."""
    path = hook_path()
    if action == "install":
        write_text(path, LINE)
    elif action == "remove":
        path.unlink(missing_ok=True)
    return f"{path}: {'installed' if path.exists() else 'not installed'}"


def hook_path() -> Path:
    """Path of the hook in the running environment."""
    return Path(sysconfig.get_path("purelib")) / "espnet_uniwav_register.pth"


def main(cmd: list[str] | None = None) -> None:
    """Run the command; errors are one line and exit status 1."""
    run_command(get_parser(), WORK, cmd)


if __name__ == "__main__":
    main()
