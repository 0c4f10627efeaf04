"""A file server on this machine, for tests of downloads."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves ``files`` (path -> bytes).

    Attributes:
        ranges: Range headers of the requests, in order; None where there was none.
        resumes: Whether ranges are respected.
        breaks_after: Bytes after which an answer breaks off, once for each entry.
    """

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.ranges: list[str | None] = []
        self.resumes = True
        self.breaks_after: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers GET, with a part of the file where one is asked for."""

    def do_GET(self):
        content = self.server.files.get(self.path)
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.resumes:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            total = len(content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        breaks = self.server.breaks_after
        stop = start + breaks.pop(0) if breaks else None
        self.wfile.write(content[start:stop])

    def log_message(self, *args):
        pass


@contextmanager
def serve(files: dict[str, bytes]):
    """A running server."""
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
