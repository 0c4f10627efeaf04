"""Register UniWav in every Python process of this environment, or stop doing so.

    uniwav hook install | remove | status

A ``.pth`` file in site-packages then registers our names whenever ESPnet's task
modules or S3PRL's hub are imported: ``python -m espnet2.bin.ssl_train`` and ``python
-m s3prl.run_downstream`` work without a prefix. Off by default; it costs a few
milliseconds per interpreter start.
"""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path

LINE = (
    "import importlib.util as u; "
    "u.find_spec('espnet_uniwav') and "
    "__import__('espnet_uniwav.plugin', fromlist=['register']).register()\n"
)


def hook_path() -> Path:
    """Where the hook stands in the running environment."""
    return Path(sysconfig.get_path("purelib")) / "espnet_uniwav_register.pth"


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("install", "remove", "status"))
    action = parser.parse_args(argv).action
    path = hook_path()
    if action == "install":
        path.write_text(LINE)
    elif action == "remove":
        path.unlink(missing_ok=True)
    print(f"{path}: {'installed' if path.exists() else 'not installed'}")


if __name__ == "__main__":
    main()
