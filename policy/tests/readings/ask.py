#!/usr/bin/env python3
"""Asks real servers what they make of request paths, and writes servers.jsonl beside this file.

Needs nginx, Node.js, Go, Java and PHP on the PATH. Each line of the result is one path and, by
server, the path as that server sees it once it has decoded what it decodes (Latin-1 text: a
character is a byte). A server that refuses the request is left out.

Usage: [COUNT=N] policy/tests/readings/ask.py    five paths are drawn for each of N
"""

import base64
import http.server
import json
import os
import posixpath
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIECES = [
    "a", "b", "/", "//", "..", ".", "/../", "/./", "%2e", "%2e%2e", "%2F", "%2f..%2f", "%5C", "\\",
    ";", ";v=1", "%3B", "%252F", "%252e%252e", "%25", "%c0%ae", "%c0%af", "%EF%BC%8F", "%EF%BC%8E",
    "%3F", "%23", "%20", "%E9", "é", "|", '"', "{", "[", "^", "%u002f", "%41", "+", "%2B", "~", "@",
    ":", "!", "%21", "=",
]
COUNT = int(os.environ.get("COUNT", "140"))
FIXED = [
    "/", "//", "///", "/@types%2fnode", "/a/..;/b", "/a;x=/../b", "//h/b", "/..", "/../a", "/a/..",
    "/a/.", "/./a", "/a//../b", "/a/..//b", "/%2e%2e/a", "/a/%2e%2e%2fb", "/a%2f%2e%2e%2fb",
    "/a%5c..%5cb", "/a\\..\\b", "/\\h/b", "/a/%252e%252e/b", "/a%25252Fb", "/a/%c0%ae%c0%ae/b",
    "/a/%u002e%u002e/b", "/a%3Fb/../c", "/a%23b/../c", "/a;b;c/d", "/a;/b", "/;a/b", "/a/;/b",
]

NODE = """
const http = require('http'), path = require('path');
const seen = f => { try { return Buffer.from(f()).toString('base64'); } catch { return null; } };
http.createServer((q, s) => s.end(JSON.stringify({
  'node url': seen(() => q.url.split('?')[0]),
  'node decoded': seen(() => decodeURIComponent(q.url.split('?')[0])),
  'node URL': seen(() => new URL(q.url, 'http://h').pathname),
  'node URL decoded': seen(() => decodeURIComponent(new URL(q.url, 'http://h').pathname)),
  'node url.parse': seen(() => require('url').parse(q.url).pathname),
  'node static': seen(() => path.posix.normalize(decodeURIComponent(new URL(q.url, 'http://h').pathname))),
}))).listen(+process.argv[2], '127.0.0.1');
"""

GO = """
package main
import ("encoding/json"; "net/http"; "os"; "path")
func main() {
  http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
    json.NewEncoder(w).Encode(map[string][]byte{
      "go Path": []byte(r.URL.Path), "go EscapedPath": []byte(r.URL.EscapedPath()),
      "go Clean": []byte(path.Clean(r.URL.Path)),
    })
  }))
}
"""

JAVA = """
import com.sun.net.httpserver.*; import java.net.*; import java.util.*;
public class Seen { public static void main(String[] a) throws Exception {
  HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[0])), 0);
  s.createContext("/", x -> { URI u = x.getRequestURI(); Base64.Encoder b = Base64.getEncoder();
    String t = "{\\"java getPath\\":\\"" + b.encodeToString(u.getPath().getBytes("UTF-8"))
      + "\\",\\"java normalize\\":\\"" + b.encodeToString(u.normalize().getPath().getBytes("UTF-8")) + "\\"}";
    x.sendResponseHeaders(200, 0); x.getResponseBody().write(t.getBytes()); x.close(); });
  s.start(); } }
"""

PHP = """<?php
$p = strtok($_SERVER['REQUEST_URI'], '?');
echo json_encode(['php REQUEST_URI' => base64_encode($p), 'php urldecode' => base64_encode(rawurldecode($p)),
  'php PATH_INFO' => isset($_SERVER['PATH_INFO']) ? base64_encode($_SERVER['PATH_INFO']) : null]);
"""

NGINX = """
daemon off; error_log /dev/null; pid %(dir)s/pid; worker_processes 1;
events { worker_connections 64; }
http { access_log off;
  client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f;
  uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
  server { listen 127.0.0.1:%(merge)d; location / { return 200 "$uri"; } }
  server { listen 127.0.0.1:%(keep)d; merge_slashes off; location / { return 200 "$uri"; } }
  server { listen 127.0.0.1:%(proxy)d; location / { proxy_pass http://127.0.0.1:%(node)d/; } }
}
"""


class Python(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        raw = self.path.split("?")[0].split("#")[0]
        decoded = urllib.parse.unquote_to_bytes(raw.encode("latin-1"))
        served = os.path.relpath(self.translate_path(self.path), os.getcwd())
        served = "/" if served == "." else "/" + served
        if raw.endswith("/") and not served.endswith("/"):
            served += "/"
        seen = {
            "python unquote": decoded,
            "python normpath": posixpath.normpath(decoded.decode("latin-1")).encode("latin-1"),
            "python http.server": served.encode("utf-8", "surrogateescape"),
        }
        body = json.dumps({name: base64.b64encode(one).decode() for name, one in seen.items()}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def paths():
    """The fixed ones and some that are drawn; the same in every run."""
    chosen = dict.fromkeys(FIXED + ["/" + piece for piece in PIECES])
    draw = random.Random(8)
    for length in [2, 3, 4, 5, 6] * COUNT:
        chosen["/" + "".join(draw.choice(PIECES) for _ in range(length))] = None
    return list(chosen)


def ask(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        stream.sendall(b"GET " + path.encode() + b" HTTP/1.0\r\nHost: h\r\n\r\n")
        answer = b""
        while more := stream.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.split(b" ")[1:2] == [b"200"] else None


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(folder, ports):
    def write(name, text):
        path = folder / name
        path.write_text(text)
        return str(path)

    go = folder / "go"
    go.mkdir()
    (go / "go.mod").write_text("module seen\n")
    (go / "main.go").write_text(GO)
    subprocess.run(["go", "build", "-o", str(folder / "seen-go"), "."], cwd=go, check=True)
    subprocess.run(["javac", "-d", str(folder), write("Seen.java", JAVA)], check=True)
    names = {"dir": folder, **ports}
    commands = [
        ["node", write("seen.js", NODE), str(ports["node"])],
        [str(folder / "seen-go"), str(ports["go"])],
        ["java", "-cp", str(folder), "Seen", str(ports["java"])],
        ["php", "-S", f"127.0.0.1:{ports['php']}", write("seen.php", PHP)],
        [shutil.which("nginx") or "/usr/sbin/nginx", "-c", write("nginx.conf", NGINX % names)],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return [subprocess.Popen(command, cwd=folder, **quiet) for command in commands]


def main():
    ports = {name: free_port() for name in ["node", "go", "java", "php", "python", "merge", "keep", "proxy"]}
    with tempfile.TemporaryDirectory() as folder:
        running = start(Path(folder), ports)
        os.chdir(folder)
        python = http.server.ThreadingHTTPServer(("127.0.0.1", ports["python"]), Python)
        threading.Thread(target=python.serve_forever, daemon=True).start()
        try:
            time.sleep(3)
            write_all(ports)
        finally:
            for one in running:
                one.terminate()


def write_all(ports):
    all_paths = paths()
    with open(HERE / "servers.jsonl", "w", encoding="ascii") as out:
        for done, path in enumerate(all_paths):
            seen = {}
            for server, port in ports.items():
                body = ask(port, path)
                if body is None:
                    continue
                if server in ("merge", "keep"):
                    seen[f"nginx {server}"] = body.decode("latin-1")
                    continue
                for name, text in json.loads(body).items():
                    name = f"nginx proxy, {name}" if server == "proxy" else name
                    if text is not None:
                        seen[name] = base64.b64decode(text).decode("latin-1")
            by_text = {}
            for name, text in sorted(seen.items()):
                by_text.setdefault(text, []).append(name)
            line = {"path": path, "seen": {text: ", ".join(names) for text, names in by_text.items()}}
            out.write(json.dumps(line) + "\n")
            if done % 500 == 0:
                print(f"{done} of {len(all_paths)} paths", file=sys.stderr)


if __name__ == "__main__":
    main()
