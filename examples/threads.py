"""One room on two media threads: its members alternate between them from the first on."""

import asyncio

from headwater import Worker


async def main() -> None:
    async with Worker(threads=2, spread=0) as worker:
        router = await worker.create_router()
        publishing = await router.create_publish_transport()
        watching = await router.create_subscribe_transport()
        print("media threads of the room:", (await router.get_stats())["threads"])
        print(publishing.connection_state, watching.connection_state)


if __name__ == "__main__":
    asyncio.run(main())
