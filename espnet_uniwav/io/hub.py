"""Checkpoints on Hugging Face's hub: OWNER/NAME, or OWNER/NAME@REVISION."""

from __future__ import annotations

from pathlib import Path


def is_on_hub(name: str | Path) -> bool:
    """Whether this can be a name on the hub, and is not a local file."""
    parts = str(name).partition("@")[0].split("/")
    named = len(parts) == 2 and all(parts) and parts[0][0] not in ".~"
    return named and not Path(name).exists()


def at_revision(name: str | Path, revision: str | None) -> str | Path:
    """The name of a checkpoint at a revision of its repository; None: the newest.

    Raises:
        ValueError: If it is not on the hub, or names a revision itself.
    """
    if revision is None:
        return name
    if not is_on_hub(name) or "@" in str(name):
        raise ValueError(f"{name}: expected OWNER/NAME on the hub, for a revision")
    return f"{name}@{revision}"


def download(name: str | Path, patterns: list[str], **options) -> Path:
    """Download a repository, unless it is in the hub's own cache.

    Args:
        name: OWNER/NAME; or OWNER/NAME@REVISION: a branch, a tag, a commit, or a pull
            request (refs/pr/1).
        patterns: Wanted files.
        **options: Of ``snapshot_download``.

    Raises:
        FileNotFoundError: If it cannot be downloaded, with the reason.
        ValueError: If nothing follows the @.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    refused = (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError)
    repository, mark, revision = str(name).partition("@")
    if mark and not revision:
        raise ValueError(f"{name}: expected a revision behind @, found none")
    if revision:
        options["revision"] = revision
    try:
        return Path(snapshot_download(repository, allow_patterns=patterns, **options))
    except refused as error:
        raise FileNotFoundError(
            f"{name} is no local folder, and nothing of that name was found on the "
            f"hub ({_reason(error)})"
        ) from error


def check_push(name: str) -> None:
    """Refuse a push that cannot succeed.

    Raises:
        ValueError: If the name is not OWNER/NAME.
        PermissionError: If nobody is logged in to the hub on this machine.
    """
    from huggingface_hub import get_token
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id=name)
    except ValueError as error:
        raise ValueError(f"--push {name}: {_reason(error)}") from error
    if "/" not in name:
        raise ValueError(f"--push {name}: expected OWNER/NAME")
    if not get_token():
        raise PermissionError(
            "a push needs a token of Hugging Face's hub that may write, found none: "
            "run `hf auth login`, or set HF_TOKEN"
        )


def push(folder: str | Path, name: str, patterns: list[str]) -> str:
    """Upload a folder to a repository, which is made if missing.

    Args:
        folder: Folder.
        name: OWNER/NAME.
        patterns: Files to upload.

    Returns:
        URL of the commit.

    Raises:
        OSError: If the hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="espnet_uniwav")
    try:
        api.create_repo(name, exist_ok=True)
        return api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=patterns,
            commit_message="Export of espnet_uniwav",
        ).commit_url
    except Exception as error:  # of several libraries, if the network fails
        raise OSError(
            f"{folder} cannot be pushed to {name} ({_reason(error)}); check the name, "
            "the rights of the token and the network, and export again"
        ) from error


def _reason(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
