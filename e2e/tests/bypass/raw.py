"""Sends bytes as they are over TLS, and prints all that came back of each attempt.

The argument: [{"host": "...", "port": 443, "parts": ["bytes", ...]}, ...]; parts go out one by
one. The answer: [text, ...], an attempt without an answer as "!! why"."""
import concurrent.futures
import json
import os
import socket
import ssl
import sys
import time


def ask(attempt):
    try:
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        plain = socket.create_connection((attempt["host"], attempt["port"]), timeout=5)
        stream = context.wrap_socket(plain, server_hostname=attempt["host"])
        for part in attempt["parts"]:
            stream.sendall(part.encode("latin-1"))
            time.sleep(0.02)
        return read(stream).decode("latin-1")
    except OSError as error:
        return f"!! {type(error).__name__}: {error}"


def read(stream):
    """Until the end, or until nothing more comes for a while."""
    received = b""
    while True:
        stream.settimeout(1 if received else 8)
        try:
            more = stream.recv(65536)
        except TimeoutError:
            return received or b"!! no answer"
        if not more:
            return received
        received += more


with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(json.dumps(list(pool.map(ask, json.loads(sys.argv[1])))))
