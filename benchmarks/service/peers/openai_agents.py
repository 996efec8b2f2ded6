"""The sessions of openai-agents, driven like peers/serve.mjs: a line of JSON in, a line of JSON out."""

import asyncio
import json
import os
import sys
import time

from agents.extensions.memory import RedisSession, SQLAlchemySession


def text_of(index: int) -> str:
    line = "What was said in between stays what it was. "
    start = f"{index} "
    return (start + line * 5)[:200]


def message(index: int) -> dict:
    return {"role": "assistant" if index % 2 == 0 else "user", "content": text_of(index)}


async def open_sessions(kind: str):
    if kind == "redis":
        from redis.asyncio import Redis

        client = Redis.from_url(os.environ["REDIS_URL"])
        return lambda thread: RedisSession(thread, redis_client=client)
    from sqlalchemy.ext.asyncio import create_async_engine

    url = os.environ["DATABASE_URL"].replace("postgres://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, pool_size=64)
    await SQLAlchemySession("first", engine=engine, create_tables=True).get_items()
    return lambda thread: SQLAlchemySession(thread, engine=engine)


class Candidate:
    def __init__(self, session_of):
        self.session_of = session_of
        self.sessions: dict = {}
        self.lengths: dict = {}

    async def prepare(self, thread: str, count: int) -> None:
        session = self.session_of(thread)
        for start in range(0, count, 1000):
            await session.add_items([message(i + 1) for i in range(start, min(start + 1000, count))])
        self.sessions[thread] = session
        self.lengths[thread] = count

    async def _append(self, thread: str) -> None:
        self.lengths[thread] += 1
        await self.sessions[thread].add_items([message(self.lengths[thread])])

    async def append(self, thread: str, times: int) -> list:
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            await self._append(thread)
            taken.append((time.perf_counter() - started) * 1000)
        return taken

    async def read(self, threads: list, count: int) -> list:
        taken = []
        for thread in threads:
            started = time.perf_counter()
            found = await self.sessions[thread].get_items(limit=count)
            taken.append((time.perf_counter() - started) * 1000)
            if len(found) != count:
                raise RuntimeError(f"read {len(found)} messages instead of {count}")
        return taken

    async def write(self, threads: list, each: int) -> float:
        async def writer(thread: str) -> None:
            for _ in range(each):
                await self._append(thread)

        started = time.perf_counter()
        await asyncio.gather(*(writer(thread) for thread in threads))
        return len(threads) * each / (time.perf_counter() - started)


async def main() -> None:
    candidate = Candidate(await open_sessions(sys.argv[1]))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            answer = {"result": await getattr(candidate, request["call"])(*request["args"])}
        except Exception as error:  # the benchmark names the peer and ends
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
