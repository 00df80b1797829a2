"""Sends a chunked body with a trailer, and reads one. Prints {"request": trailers that the server
saw, "response": the trailer line of an answer}."""
import json
import socket
import ssl
import sys

host = json.loads(sys.argv[1])


def ask(text):
    context = ssl.create_default_context()
    with context.wrap_socket(socket.create_connection((host, 443), timeout=10), server_hostname=host) as stream:
        stream.sendall(text.replace("\n", "\r\n").encode())
        answer = b""
        while piece := stream.recv(65536):
            answer += piece
    return answer.decode()


sent = ask(
    f"POST /echo HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\nTrailer: X-Sum\n\n"
    "4\nbody\n0\nX-Sum: 7\n\n"
)
got = ask(f"GET /trailers HTTP/1.1\nHost: {host}\nConnection: close\nTE: trailers\n\n")
body = sent.split("\r\n\r\n", 1)[1]
start, end = body.find("{"), body.rfind("}")
seen = json.loads(body[start : end + 1])
trailers = [[name.title(), value] for name, value in seen["trailers"]]
line = [line for line in got.split("\r\n") if line.lower().startswith("x-checksum:")]
print(json.dumps({"request": trailers, "response": line[0].lower() if line else got}))
