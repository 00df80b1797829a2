"""What servers may do within HTTP/1.1, byte by byte. The path says what:

/target           the request target as it came, as text
/echo             method, target, headers, trailers, body's length and SHA-256, as JSON
/continue         says 100 at once, then as /echo
/never-continue   says nothing until the body is there, then as /echo
/no-expectations  417 where `Expect` is there, else as /echo
/early            413 before the body, and closes
/early-hints      103 twice, then 200
/trailers         a chunked body and the trailer `x-checksum`
/close            a body that ends with the connection
/http10           the same from an HTTP/1.0 server
/no-content, /not-modified, /reset-content   no body
/length           HEAD: the length of a body that is not there; else that body (12345 bytes)
/lines/N          N header lines
/head/N           one header line of N bytes
/large-head       256 KiB of header lines of 4 KiB
"""
import asyncio
import hashlib
import json
import sys

LIMIT = 1 << 20


class Request:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.path = self.target.split("?")[0]
        self.headers = [line.split(":", 1) for line in lines[1:] if line]
        self.trailers = []
        self.bytes = 0
        self.digest = hashlib.sha256()

    def header(self, name):
        found = [value.strip() for own, value in self.headers if own.lower() == name]
        return found[0] if found else None

    async def read_body(self, reader):
        if "chunked" in (self.header("transfer-encoding") or ""):
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                self.take(await reader.readexactly(size))
                await reader.readexactly(2)
            while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
                self.trailers.append(line.decode("latin-1").strip().split(": ", 1))
            return
        left = int(self.header("content-length") or 0)
        while left:
            piece = await reader.read(min(left, 1 << 16))
            if not piece:
                raise EOFError
            left -= len(piece)
            self.take(piece)

    def take(self, piece):
        self.bytes += len(piece)
        self.digest.update(piece)

    def seen(self):
        return json.dumps({
            "method": self.method, "target": self.target, "version": self.version, "headers": self.headers,
            "trailers": self.trailers, "bodyBytes": self.bytes, "bodySha256": self.digest.hexdigest(),
        }).encode()


def answer(body=b"", status="200 OK", headers=(), length=None):
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def large_head():
    return [f"X-Line-{number}: {'v' * 4080}" for number in range(64)]


# What needs nothing of the request; the connection goes on after it.
PLAIN = {
    "/early-hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" * 2 + answer(b"after hints"),
    "/trailers": answer(
        b"6\r\nhello \r\n5\r\nworld\r\n0\r\nx-checksum: 42\r\n\r\n", length=False,
        headers=["Transfer-Encoding: chunked", "Trailer: x-checksum"],
    ),
    "/no-content": answer(status="204 No Content", length=False, headers=["X-Here: yes"]),
    "/reset-content": answer(status="205 Reset Content"),
    "/not-modified": answer(status="304 Not Modified", length=False, headers=['ETag: "a"']),
    "/large-head": answer(b"a large head", headers=large_head()),
}
# What ends with the connection.
CLOSING = {
    "/close": answer(b"until the end", length=False, headers=["Connection: close"]),
    "/http10": b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nfrom an old server",
}


async def serve(request, reader, writer):
    """Answers; false where the connection ends."""
    path = request.path
    if path == "/early":
        writer.write(answer(b"too large", status="413 Payload Too Large", headers=["Connection: close"]))
        await writer.drain()
        await drain_body(request, reader)
        return False
    if path == "/no-expectations" and request.header("expect"):
        writer.write(answer(b"no expectations", status="417 Expectation Failed", headers=["Connection: close"]))
        return False
    if request.header("expect") and path not in ("/never-continue", "/no-expectations"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    await request.read_body(reader)
    if path in CLOSING:
        writer.write(CLOSING[path])
        return False
    writer.write(PLAIN.get(path) or made(request, path))
    return request.version == "HTTP/1.1" and (request.header("connection") or "").lower() != "close"


def made(request, path):
    if path.startswith("/target"):
        return answer(request.target.encode("latin-1"))
    if path == "/length":
        body = b"" if request.method == "HEAD" else b"x" * 12345
        return answer(body, length=12345)
    if path.startswith("/lines/"):
        lines = int(path.removeprefix("/lines/"))
        return answer(b"many lines", headers=[f"X-Line-{number}: {number}" for number in range(lines)])
    if path.startswith("/head/"):
        return answer(b"a long line", headers=["X-Long: " + "v" * int(path.removeprefix("/head/"))])
    return answer(request.seen(), headers=["Content-Type: application/json"])


async def drain_body(request, reader):
    """So that the answer is not lost to a reset: reads for a moment what still comes."""
    try:
        await asyncio.wait_for(request.read_body(reader), 2)
    except (TimeoutError, asyncio.TimeoutError, EOFError, asyncio.IncompleteReadError):
        pass


async def connection(reader, writer):
    try:
        going_on = True
        while going_on:
            request = Request(await reader.readuntil(b"\r\n\r\n"))
            going_on = await serve(request, reader, writer)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, EOFError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    await asyncio.start_server(connection, "127.0.0.1", int(sys.argv[1]), limit=LIMIT)
    await asyncio.Event().wait()


asyncio.run(main())
