"""Pushes to a hub and downloads from it: a server on this machine, hub's own client."""

from __future__ import annotations

import base64
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import pytest
import torch
from factories import make_config, make_model
from huggingface_hub.utils import _http

from espnet_uniwav import load
from espnet_uniwav.core.checkpoint import save_checkpoint
from espnet_uniwav.core.model import UniWav
from espnet_uniwav.io.folder import SHARED, find_folder, find_local
from espnet_uniwav.io.hub import at_revision, check_push, push

NAME, TOKEN = "owner/model", "hf_right"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as a push and a download use."""

    commits: list[dict[str, bytes]]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            return self.answer(200, {"url": f"http://{self.headers['Host']}/{NAME}"})
        if "/preupload/" in self.path:
            wanted = [file["path"] for file in json.loads(body)["files"]]
            mode = {"uploadMode": "regular", "shouldIgnore": False}
            return self.answer(200, {"files": [{"path": p, **mode} for p in wanted]})
        lines = [json.loads(line) for line in body.splitlines()]
        files = [line["value"] for line in lines if line["key"] == "file"]
        self.commits.append({f["path"]: base64.b64decode(f["content"]) for f in files})
        oid = f"{len(self.commits) - 1:040d}"
        self.answer(200, {"commitUrl": f"{NAME}/commit/{oid}", "commitOid": oid})

    def do_GET(self):
        place = unquote(self.path.partition("?")[0])
        if self.commits and place.startswith(f"/api/models/{NAME}"):
            revision = re.split("/revision/|/tree/", place)[1:] or ["main"]
            number = -1 if revision == ["main"] else int(revision[0][-1])
            files, oid = self.commits[number], f"{number % len(self.commits):040d}"
            if "/tree/" in place:  # huggingface_hub 2
                own = dict(type="file", oid=oid, size=0)
                return self.answer(200, [{**own, "path": path} for path in files])
            siblings = [{"rfilename": path} for path in files]
            return self.answer(200, {"id": NAME, "sha": oid, "siblings": siblings})
        start = f"/{NAME}/resolve/"
        if not place.startswith(start):
            why = {"X-Error-Code": "RepoNotFound"}
            return self.answer(404, {"error": "Repository not found"}, why)
        oid, _, path = place.removeprefix(start).partition("/")
        headers = {"X-Repo-Commit": oid, "ETag": f'"{int(oid)}-{path}"'}
        self.answer(200, self.commits[int(oid)][path], headers)

    do_HEAD = do_GET

    def answer(self, status, content, headers=None):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The commits of a hub, at which this process's client points."""
    Hub.commits = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    for key, value in (
        ("constants.ENDPOINT", url),
        ("constants.HUGGINGFACE_CO_URL_TEMPLATE", template),
        ("file_download.HUGGINGFACE_CO_URL_TEMPLATE", template),
        ("constants.HF_HUB_CACHE", str(tmp_path / "cache")),
        ("constants.HF_TOKEN_PATH", str(tmp_path / "token")),
        ("constants.HF_HUB_OFFLINE", False),  # of the environment
    ):
        monkeypatch.setattr(f"huggingface_hub.{key}", value, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # A session that an earlier test opened may be an offline one.
    (getattr(_http, "reset_sessions", None) or _http.close_session)()
    yield Hub.commits
    server.shutdown()
    server.server_close()


def test_a_push_and_its_revisions(hub, tmp_path):
    models = []
    for number in range(2):
        torch.manual_seed(number)
        models.append(make_model())
        save_checkpoint(models[-1], make_config(), tmp_path / "out")
        (tmp_path / "out/notes.txt").touch()
        assert push(tmp_path / "out", NAME, SHARED).endswith(f"/commit/{number:040d}")
    assert [set(files) for files in hub] == [{"config.yaml", "model.safetensors"}] * 2
    assert find_local(NAME) is None
    for found, expected in (
        (load(NAME), models[1]),
        (load(NAME, revision="v0"), models[0]),
        (UniWav.from_pretrained(NAME, revision="v0"), models[0]),
        (UniWav.from_pretrained(f"{NAME}@v1"), models[1]),
        (load(f"{NAME}@refs/pr/0"), models[0]),
    ):
        for name, value in expected.state_dict().items():
            assert torch.equal(found.state_dict()[name], value)
    assert find_local(NAME).name == f"{1:040d}"
    with pytest.raises(FileNotFoundError, match="owner/other is no local folder.*404"):
        find_folder("owner/other")


def test_a_push_without_rights_or_network(hub, tmp_path, monkeypatch):
    save_checkpoint(make_model(), make_config(), tmp_path / "out")
    check_push(NAME)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(OSError, match="out cannot be pushed to owner/model .*401"):
        push(tmp_path / "out", NAME, SHARED)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="cannot be pushed to owner/model .*network"):
        push(tmp_path / "out", NAME, SHARED)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PermissionError, match="HF_TOKEN"):
        check_push(NAME)
    for name in ("model", "owner/model@v1", "https://hub/owner/model"):
        with pytest.raises(ValueError, match=f"--push {name}"):
            check_push(name)


def test_a_revision_is_of_the_hub(tmp_path):
    assert at_revision("small", None) == "small"
    for name in ("small", tmp_path):
        with pytest.raises(ValueError, match="expected OWNER/NAME on the hub"):
            at_revision(name, "v1")
    with pytest.raises(ValueError, match="owner/model@v1: expected OWNER/NAME"):
        at_revision(f"{NAME}@v1", "v2")
    with pytest.raises(ValueError, match="owner/model@: .*revision"):
        find_folder(f"{NAME}@")
