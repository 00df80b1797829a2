"""Servers of two binary protocols, as much of them as a client's first exchange needs.

MySQL (3306) speaks first: its handshake packet, then whatever the client sends is answered with
"access denied". LDAP (3389) answers a bind with success and a search with no entries
(RFC 4511)."""
import asyncio
import struct


def mysql_packet(sequence, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload


GREETING = mysql_packet(
    0,
    b"\x0a8.0.99-exeat\0" + struct.pack("<I", 7) + b"saltsalt\0" + struct.pack("<HBHH", 0xF7FF, 255, 2, 0x81FF)
    + bytes([21]) + b"\0" * 10 + b"saltsaltsalt\0" + b"mysql_native_password\0",
)
DENIED = mysql_packet(2, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied by the test server")


async def mysql(reader, writer):
    writer.write(GREETING)
    await writer.drain()
    head = await reader.readexactly(4)
    await reader.readexactly(int.from_bytes(head[:3], "little"))
    writer.write(DENIED)
    await writer.drain()
    writer.close()


async def ber(reader):
    """One element: its tag and its content."""
    tag, length = await reader.readexactly(2)
    if length & 0x80:
        length = int.from_bytes(await reader.readexactly(length & 0x7F), "big")
    return tag, await reader.readexactly(length)


RESULTS = {0x60: 0x61, 0x63: 0x65}  # bind, search -> their last answer
SUCCESS = b"\x0a\x01\x00\x04\x00\x04\x00"


async def ldap(reader, writer):
    while True:
        _, message = await ber(reader)
        identity = message[: 2 + message[1]]
        operation = message[len(identity)]
        if operation not in RESULTS:
            break
        answer = identity + bytes([RESULTS[operation], len(SUCCESS)]) + SUCCESS
        writer.write(bytes([0x30, len(answer)]) + answer)
        await writer.drain()
    writer.close()


def quietly(talk):
    async def one(reader, writer):
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    return one


async def main():
    await asyncio.start_server(quietly(mysql), "127.0.0.1", 3306)
    await asyncio.start_server(quietly(ldap), "127.0.0.1", 3389)
    await asyncio.Event().wait()


asyncio.run(main())
