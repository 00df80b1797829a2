"""400 long polls at once on four connections of HTTP/2. Prints {status: how many}."""
import asyncio
import collections
import json
import sys

import httpx


async def main():
    limits = httpx.Limits(max_connections=4)
    async with httpx.AsyncClient(http2=True, limits=limits, timeout=120) as client:

        async def poll(number):
            try:
                return (await client.get(f"https://{json.loads(sys.argv[1])}/poll?after=20&{number}")).status_code
            except httpx.HTTPError as error:
                return f"{type(error).__name__}: {error}"

        return collections.Counter(await asyncio.gather(*map(poll, range(400))))


print(json.dumps(asyncio.run(main())))
