"""gRPC without generated code: messages are bytes as they are.

/echo.Echo/Unary answers what it got; /echo.Echo/Count N (4 bytes, big-endian) answers N messages,
one each time after the seconds that the metadata `pause` tells; /echo.Echo/Collect answers how
many messages and bytes came; /echo.Echo/Talk answers each message with itself. /echo.Echo/Fail
ends with NOT_FOUND and a trailer."""
import sys
import time
from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata([("seen-by", "rpc")])
    return request


def count(request, context):
    pause = float(dict(context.invocation_metadata()).get("pause", 0))
    for number in range(int.from_bytes(request, "big")):
        time.sleep(pause)
        yield number.to_bytes(4, "big")


def collect(requests, context):
    sizes = [len(message) for message in requests]
    return f"{len(sizes)} {sum(sizes)}".encode()


def talk(requests, context):
    yield from requests


def fail(request, context):
    context.set_trailing_metadata([("why", "asked-for")])
    context.abort(grpc.StatusCode.NOT_FOUND, "there is no such thing")


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
}
server = grpc.server(futures.ThreadPoolExecutor(32))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("echo.Echo", handlers)])
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
