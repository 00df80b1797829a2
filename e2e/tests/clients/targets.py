"""Asks for each path as it is, byte by byte, over HTTP/1.1 by hand and over HTTP/2 by curl, and prints what
the server says that it got: [[over HTTP/1.1, over HTTP/2], ...]. Paths and answers are text in Latin-1, a
character a byte."""
import json
import socket
import ssl
import subprocess
import sys

job = json.loads(sys.argv[1])
host = job["host"]
context = ssl.create_default_context()


def ask(how, path):
    try:
        return how(path.encode("latin-1"))
    except OSError as error:
        return f"!! {type(error).__name__}: {error}"


def by_hand(path):
    with context.wrap_socket(socket.create_connection((host, 443), timeout=10), server_hostname=host) as stream:
        name = host.encode()
        stream.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, name))
        answer = b""
        while piece := stream.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n")[0].decode("latin-1")
    body = body.decode("latin-1")
    return body if " 200 " in status else f"{status}: {body}"


def by_curl(path):
    curl = [b"curl", b"-sS", b"--http2", b"--path-as-is", b"-g", b"-w", b" %{http_version}"]
    done = subprocess.run([*curl, b"https://" + host.encode() + path], capture_output=True, timeout=30)
    answer = done.stdout.decode("latin-1")
    if done.returncode or not answer.endswith(" 2"):
        return f"!! {done.returncode}: {answer} {done.stderr.decode('latin-1')}"
    return answer.removesuffix(" 2")


print(json.dumps([[ask(by_hand, path), ask(by_curl, path)] for path in job["paths"]]))
