"""What Python's clients see, with nothing set. Prints {name: what it got, or why it failed}."""
import asyncio
import http.client
import json
import ssl
import sys
import urllib.request

import aiohttp
import httplib2
import httpx
import requests
import urllib3
import websockets

job = json.loads(sys.argv[1])
echo, live, edge = (f"https://{job[name]}" for name in ("echo", "live", "edge"))
BODY = b"\0" * (1 << 20)
results = {}


def seen(answer):
    return [answer["bodyBytes"], answer["bodySha256"]]


def client(name):
    def note(function):
        try:
            value = function()
            results[name] = asyncio.run(value) if asyncio.iscoroutine(value) else value
        except Exception as error:
            results[name] = f"failed: {type(error).__name__}: {error}"

    return note


@client("urllib")
def _():
    return seen(json.load(urllib.request.urlopen(f"{echo}/up", BODY)))


@client("requests")
def _():
    return seen(requests.post(f"{echo}/up", BODY).json())


@client("requests chunked")
def _():
    return seen(requests.post(f"{echo}/up", iter([BODY[:1000], BODY[1000:]])).json())


@client("requests session")
def _():
    with requests.Session() as session:
        return [session.get(f"{echo}/page/{number}").status_code for number in range(20)]


@client("requests stream")
def _():
    with requests.get(f"{echo}/bytes/33554432", stream=True) as answer:
        return sum(len(piece) for piece in answer.iter_content(65536))


@client("requests head")
def _():
    answer = requests.head(f"{edge}/length")
    return [answer.status_code, answer.headers["content-length"]]


@client("http.client 304")
def _():
    connection = http.client.HTTPSConnection(job["edge"])
    statuses = []
    for path in ("/not-modified", "/no-content"):
        connection.request("GET", path, headers={"If-None-Match": '"a"'})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    return statuses


@client("urllib3")
def _():
    # urllib3 itself reads no variable; ssl's default context reads SSL_CERT_FILE.
    with urllib3.PoolManager(ssl_context=ssl.create_default_context()) as pool:
        return seen(json.loads(pool.request("POST", f"{echo}/up", body=BODY).data))


@client("httplib2")
def _():
    _, body = httplib2.Http().request(f"{echo}/up", "POST", body=BODY)
    return seen(json.loads(body))


for name, http2 in (("httpx h1", False), ("httpx h2", True)):

    @client(name)
    def _():
        with httpx.Client(http2=http2) as session:
            answer = session.post(f"{echo}/up", content=BODY)
            return [answer.http_version, seen(answer.json())]


@client("httpx events")
def _():
    with httpx.stream("GET", f"{live}/events?count=3&pause=0.2") as answer:
        return [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]


@client("aiohttp")
async def _():
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{echo}/up", data=BODY) as answer:
            return seen(await answer.json())


@client("aiohttp events")
async def _():
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{live}/events?count=3&pause=0.2") as answer:
            return [line.decode()[6:].strip() async for line in answer.content if line.startswith(b"data: ")]


@client("websockets")
async def _():
    async with websockets.connect(f"wss://{job['live']}/ws") as socket:
        await socket.send("text é")
        text = await socket.recv()
        await socket.send(b"x" * 300_000)
        length = len(await socket.recv())
        await asyncio.wait_for(await socket.ping(), 5)
        # The server pings every second, and ends a connection that does not answer.
        await asyncio.sleep(3)
        await socket.send("still")
        return [text, length, await socket.recv() == "still"]


@client("aiohttp websocket")
async def _():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"wss://{job['live']}/ws", protocols=["chat"], max_msg_size=0) as socket:
            await socket.send_bytes(b"x" * 3_000_000)
            return [socket.protocol, len(await socket.receive_bytes())]


print(json.dumps(results))
