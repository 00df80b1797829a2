"""Servers of what goes on for a while: model APIs with streaming (the wire format of Anthropic's
Messages and of OpenAI's Chat Completions and Responses), WebSocket, server-sent events.

/ws echoes messages, and pings every second; /events?count=N&pause=S sends N events with a pause
before each; /poll?after=S answers after that many seconds; /count-upload reads slowly what is sent."""
import asyncio
import json
import sys

from aiohttp import WSMsgType, web

WORDS = ["Nothing", " leaves", " without", " an", " exeat", ".", " Ünïcode", " 🙂"]


async def stream_of(request, events):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    async for event in events:
        await response.write(event.encode())
    await response.write_eof()
    return response


def named(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def anthropic_message(content):
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "test-model", "content": content,
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1},
    }


async def messages(request):
    keys = (request.headers.get("x-api-key"), request.headers.get("authorization"))
    if keys not in ((None, "Bearer test-key"), ("test-key", None)) or "anthropic-version" not in request.headers:
        error = {"type": "authentication_error", "message": "invalid x-api-key"}
        return web.json_response({"type": "error", "error": error}, status=401)
    asked = await request.json()
    if not asked.get("stream"):
        whole = anthropic_message([{"type": "text", "text": "".join(WORDS)}]) | {"stop_reason": "end_turn"}
        return web.json_response(whole, headers={"request-id": "req_1"})

    async def events():
        yield named("message_start", message=anthropic_message([]))
        yield named("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield named("ping")
        for word in WORDS:
            await asyncio.sleep(0.05)
            yield named("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        yield named("content_block_stop", index=0)
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        yield named("message_delta", delta=delta, usage={"output_tokens": len(WORDS)})
        yield named("message_stop")

    return await stream_of(request, events())


def chat_part(kind, choice):
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "test-model", "choices": [{"index": 0, **choice}]}


async def chat_completions(request):
    if request.headers.get("authorization") != "Bearer test-key":
        return web.json_response({"error": {"message": "bad key", "type": "invalid_request_error"}}, status=401)
    asked = await request.json()
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "".join(WORDS)}
        return web.json_response(chat_part("chat.completion", {"message": message, "finish_reason": "stop"}))

    async def events():
        for word in WORDS:
            await asyncio.sleep(0.05)
            part = chat_part("chat.completion.chunk", {"delta": {"content": word}, "finish_reason": None})
            yield f"data: {json.dumps(part)}\n\n"
        part = chat_part("chat.completion.chunk", {"delta": {}, "finish_reason": "stop"})
        yield f"data: {json.dumps(part)}\n\n"
        yield "data: [DONE]\n\n"

    return await stream_of(request, events())


async def websocket(request):
    socket = web.WebSocketResponse(heartbeat=1, max_msg_size=0, protocols=("chat",))
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def events(request):
    count, pause = int(request.query.get("count", 3)), float(request.query.get("pause", 0))

    async def each():
        for number in range(count):
            await asyncio.sleep(pause)
            yield f"id: {number}\nevent: tick\ndata: {number}\n\n"

    return await stream_of(request, each())


async def poll(request):
    await asyncio.sleep(float(request.query.get("after", 0)))
    return web.json_response({"polled": True})


async def count_upload(request):
    length = 0
    async for piece in request.content.iter_any():
        length += len(piece)
    return web.json_response({"bytes": length})


application = web.Application(client_max_size=1 << 30)
application.add_routes([
    web.post("/v1/messages", messages),
    web.post("/v1/chat/completions", chat_completions),
    web.get("/ws", websocket),
    web.get("/events", events),
    web.get("/poll", poll),
    web.post("/count-upload", count_upload),
])
web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None)
