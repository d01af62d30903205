"""Web servers in front of the page, as people have them: nginx, Caddy, and Home Assistant's ingress."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .support import wait_until

NGINX, CADDY = (shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin:/bin") for name in ("nginx", "caddy"))
needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")
needs_caddy = pytest.mark.skipif(CADDY is None, reason="needs Caddy: apt-get install caddy")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@contextmanager
def nginx(folder: Path, locations: str) -> Iterator[int]:
    """``locations`` inside a server; its port."""
    port, config = free_port(), folder / "nginx.conf"
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    same_user = "user root;" if os.geteuid() == 0 else ""  # whose folder it is
    config.write_text(
        f"{same_user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};\n{locations}\n}} }}\n"
    )
    with _running([NGINX, "-c", str(config), "-e", str(folder / "error.log"), "-p", str(folder)], port):
        yield port


@contextmanager
def caddy(folder: Path, routes: str) -> Iterator[int]:
    port, config = free_port(), folder / "Caddyfile"
    site = textwrap.indent(textwrap.dedent(routes), "\t")
    config.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\nhttp://:{port} {{\n{site}\n}}\n")
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with _running([CADDY, "run", "--config", str(config), "--adapter", "caddyfile"], port, environment):
        yield port


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: process.poll() is not None or _answers(port), f"{command[0]} answers")
        assert process.poll() is None, process.stderr.read().decode()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def ingress(upstream: int) -> Iterator[tuple[str, str]]:
    """Home Assistant's ingress, after homeassistant/components/hassio/ingress.py: a path with a token in front, which
    the add-on does not see, another Host, the first one in X-Forwarded-Host, and the page in a frame. Gives the
    addresses of the frame's page and of the page itself."""
    path = "/api/hassio_ingress/a1B2c3_-token"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            if self.path == "/panel":
                self._frame()
                return
            inside = HTTPConnection("127.0.0.1", upstream, timeout=20)
            kept = {name: text for name, text in self.headers.items() if name.lower() not in ("host", "connection")}
            headers = {**kept, "Host": f"127.0.0.1:{upstream}", "X-Forwarded-Host": self.headers["Host"],
                       "X-Ingress-Path": path, "X-Forwarded-Proto": "http"}  # fmt: skip
            length = int(self.headers.get("content-length") or 0)
            inside.request(self.command, self.path.removeprefix(path), self.rfile.read(length) or None, headers)
            answer = inside.getresponse()
            self.send_response(answer.status)
            for name, text in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, text)
            self.end_headers()
            try:
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
            except OSError:
                pass  # the browser has gone
            finally:
                inside.close()

        do_POST = do_GET  # noqa: N815

        def _frame(self) -> None:
            body = f'<!doctype html><iframe src="{path}/" style="width:390px;height:800px"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        host = f"http://127.0.0.1:{server.server_port}"
        yield f"{host}/panel", f"{host}{path}"
    finally:
        server.shutdown()
        server.server_close()
