"""A reverse proxy that ends TLS on both sides and breaks what it is told to break, request by request."""
import asyncio
import dataclasses
import random
import socket
import ssl
import struct
import threading
import urllib.parse

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclasses.dataclass
class Asked:
    method: str
    path: str
    query: dict
    size: int

    @property
    def is_list(self):
        return self.method == "GET" and "list-type" in self.query


@dataclasses.dataclass
class Refuse:
    """Answers by itself; the server never hears of the request."""
    status: int = 503
    body: bytes = SLOW_DOWN


@dataclasses.dataclass
class Reset:
    """The connection is reset after so many bytes of the request's body (`up`) or of the answer's (`down`)."""
    up: int = -1
    down: int = -1


@dataclasses.dataclass
class Silence:
    """Nothing comes any more on this connection, and nobody says so."""


@dataclasses.dataclass
class Rewrite:
    """Another answer's body, of the same status."""
    body: object  # bytes → bytes


class Proxy:
    """`rule(Asked)` gives one of the above, or None. Everything runs in a loop of the proxy's own thread."""

    def __init__(self, upstream, certificate, key, ca, seed=1):
        url = urllib.parse.urlsplit(upstream)
        self._to = (url.hostname, url.port)
        self._inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inward.load_cert_chain(certificate, key)
        self._outward = ssl.create_default_context(cafile=ca)
        self.rule, self.random, self.requests, self.broken = None, random.Random(seed), 0, 0
        self._open = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self._server = None
        self.come_back()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def come_back(self):
        async def listen():
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._inward)
        if not self._server:
            self._run(listen())

    def go_away(self):
        """Nobody listens, and what was connected is reset."""
        async def leave():
            self._server.close()
            self._server = None
            for writer in list(self._open):
                _reset(writer)
        if self._server:
            self._run(leave())

    def close(self):
        self.rule = None
        self.go_away()

        async def end():
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=5)
        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader, writer):
        if not self._server:  # it was accepted before we went away, and its handshake ended after
            return _reset(writer)
        self._open.add(writer)
        upstream = None
        try:
            upstream = await asyncio.open_connection(*self._to, ssl=self._outward, server_hostname="127.0.0.1")
            while await self._exchange(reader, writer, *upstream):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            pass
        finally:
            self._open.discard(writer)
            for one in (writer, upstream and upstream[1]):
                if one:
                    one.close()

    async def _exchange(self, reader, writer, from_server, to_server):
        head = await reader.readuntil(b"\r\n\r\n")
        asked, _ = _request(head)
        self.requests += 1
        fault = self.rule(asked) if self.rule else None
        self.broken += fault is not None
        if isinstance(fault, Refuse):
            await reader.readexactly(asked.size)
            writer.write(b"HTTP/1.1 %d Refused\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % (fault.status, len(fault.body)))
            if asked.method != "HEAD":
                writer.write(fault.body)
            await writer.drain()
            return True
        if isinstance(fault, Silence):
            await asyncio.sleep(3600)
        to_server.write(head)
        if isinstance(fault, Reset) and 0 <= fault.up < asked.size:
            await _pump(reader, to_server, fault.up)
            _reset(writer)
            return False
        await _pump(reader, to_server, asked.size)
        return await self._answer(asked, fault, from_server, writer)

    async def _answer(self, asked, fault, from_server, writer):
        head = await from_server.readuntil(b"\r\n\r\n")
        status, headers = _response(head)
        if asked.method == "HEAD" or status in (204, 304):
            writer.write(head)
            await writer.drain()
            return True
        cut = fault.down if isinstance(fault, Reset) else -1
        if "content-length" in headers:
            size = int(headers["content-length"])
            if isinstance(fault, Rewrite) and status == 200:
                body = fault.body(await from_server.readexactly(size))
                lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"content-length")]
                writer.write(b"\r\n".join(lines) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
                return True
            writer.write(head)
            if 0 <= cut < size:
                await _pump(from_server, writer, cut)
                _reset(writer)
                return False
            await _pump(from_server, writer, size)
            return True
        if headers.get("transfer-encoding", "").lower() != "chunked":
            raise OSError("an answer of unknown length")
        if isinstance(fault, Rewrite) and status == 200:
            body = b""
            while chunk := await _chunk(from_server):
                body += chunk
            body = fault.body(body)
            lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"transfer-encoding")]
            writer.write(b"\r\n".join(lines) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            return True
        writer.write(head)
        sent = 0
        while chunk := await _chunk(from_server):
            if 0 <= cut < sent + len(chunk):
                writer.write(b"%x\r\n" % len(chunk) + chunk[:cut - sent])
                await writer.drain()
                _reset(writer)
                return False
            writer.write(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
            await writer.drain()
            sent += len(chunk)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _reset(writer):
    """RST instead of FIN: what the peer has not read yet is lost as well."""
    held = writer.get_extra_info("socket")
    if held:
        try:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()


async def _pump(reader, writer, size):
    while size > 0:
        piece = await reader.read(min(size, 1 << 18))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        writer.write(piece)
        await writer.drain()
        size -= len(piece)


async def _chunk(reader):
    size = int((await reader.readline()).split(b";")[0], 16)
    data = await reader.readexactly(size + 2)
    return data[:-2]


def _headers(lines):
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _request(head):
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = _headers(lines)
    return Asked(method, urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                 int(headers.get("content-length", 0))), headers


def _response(head):
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    return int(first.split(" ")[1]), _headers(lines)
