"""Calls of grpcio with nothing set. Prints {name: what it got, or why it failed}. With "silence" it
only opens a stream that says nothing for so many seconds before each of two messages."""
import json
import sys
import time

import grpc

job = json.loads(sys.argv[1])
results = {}


def channel(*options):
    target = f"{job['host']}:443"
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options)


def note(name, ask):
    try:
        results[name] = ask()
    except grpc.RpcError as error:
        results[name] = f"failed: {error.code().name}: {error.details()}"


def unary(calls, message, timeout=20):
    answer, call = calls.unary_unary("/echo.Echo/Unary").with_call(message, timeout=timeout)
    return answer, dict(call.trailing_metadata())


def count(calls, number, pause=0, timeout=20):
    stream = calls.unary_stream("/echo.Echo/Count")
    messages = stream(number.to_bytes(4, "big"), timeout=timeout, metadata=[("pause", str(pause))])
    return [int.from_bytes(message, "big") for message in messages]


def collect(calls):
    return calls.stream_unary("/echo.Echo/Collect")((b"x" * 1000 for _ in range(50)), timeout=20).decode()


def talk(calls):
    """Each message is sent only once the one before has come back."""
    answers = []

    def messages():
        for number in range(5):
            yield str(number).encode()
            while len(answers) <= number:
                time.sleep(0.01)

    for answer in calls.stream_stream("/echo.Echo/Talk")(messages(), timeout=20):
        answers.append(answer.decode())
    return answers


def fail(calls):
    try:
        calls.unary_unary("/echo.Echo/Fail")(b"", timeout=20)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return [error.code().name, error.details(), dict(error.trailing_metadata()).get("why")]


def deadline(calls):
    try:
        return count(calls, 1, pause=5, timeout=1)
    except grpc.RpcError as error:
        return error.code().name


def keepalive():
    """A client that pings often, and makes calls in between."""
    options = [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_permit_without_calls", 1)]
    with channel(*options) as calls:
        unary(calls, b"first")
        time.sleep(6)
        return unary(calls, b"hello")[0].decode()


with channel() as calls:
    if job["silence"]:
        note("silent", lambda: count(calls, 2, pause=job["silence"], timeout=3 * job["silence"]))
    else:
        note("unary", lambda: [(got := unary(calls, b"hello"))[0].decode(), got[1].get("seen-by")])
        note("large", lambda: len(unary(calls, b"x" * 3_000_000)[0]))
        note("many", lambda: sum(unary(calls, b"x")[0] == b"x" for _ in range(100)))
        note("server stream", lambda: count(calls, 3))
        note("client stream", lambda: collect(calls))
        note("both", lambda: talk(calls))
        note("error", lambda: fail(calls))
        note("deadline", lambda: deadline(calls))
        note("keepalive", keepalive)
print(json.dumps(results))
