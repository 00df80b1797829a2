"""Asks for each path as it is, byte by byte, and prints what the server says that it got: [text, ...]."""
import json
import socket
import ssl
import sys

job = json.loads(sys.argv[1])
context = ssl.create_default_context()


def ask(path):
    try:
        return answer_to(path)
    except OSError as error:
        return f"!! {type(error).__name__}: {error}"


def answer_to(path):
    host = job["host"]
    with context.wrap_socket(socket.create_connection((host, 443), timeout=10), server_hostname=host) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := stream.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n")[0].decode("latin-1")
    return body.decode() if " 200 " in status else f"{status}: {body.decode()}"


print(json.dumps([ask(path) for path in job["paths"]]))
