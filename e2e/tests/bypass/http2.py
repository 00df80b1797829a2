"""Sends HTTP/2 requests with headers as they are given, right or wrong.

The argument: {"host": "...", "requests": [{"headers": [[name, value], ...], "body": text}, ...]},
each on a connection of its own. The answer: [[status, body], ...]; the status is "reset" or
"goaway" where the proxy ended the stream or the connection."""
import concurrent.futures
import json
import os
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events

SETTINGS = h2.config.H2Configuration(
    client_side=True,
    header_encoding="utf-8",
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


def ask(host, request):
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    context.set_alpn_protocols(["h2"])
    stream = context.wrap_socket(socket.create_connection((host, 443), timeout=5), server_hostname=host)
    talk = h2.connection.H2Connection(SETTINGS)
    talk.initiate_connection()
    body = request.get("body")
    talk.send_headers(1, [tuple(header) for header in request["headers"]], end_stream=body is None)
    if body is not None:
        talk.send_data(1, body.encode(), end_stream=True)
    stream.sendall(talk.data_to_send())
    return read(stream, talk)


def read(stream, talk):
    status, body = "silence", b""
    while True:
        try:
            received = stream.recv(65536)
        except OSError:
            return [status, body.decode()]
        if not received:
            return [status, body.decode()]
        for event in talk.receive_data(received):
            if isinstance(event, h2.events.ResponseReceived):
                status = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
            elif isinstance(event, h2.events.StreamEnded):
                return [status, body.decode()]
            elif isinstance(event, h2.events.StreamReset):
                return ["reset", ""]
            elif isinstance(event, h2.events.ConnectionTerminated):
                return ["goaway", ""]
        stream.sendall(talk.data_to_send())


job = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(lambda request: ask(job["host"], request), job["requests"]))))
