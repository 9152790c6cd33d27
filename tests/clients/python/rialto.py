"""A server's people and rooms over HTTP, and a network that can be cut; for the tests beside it."""

import asyncio
import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid

BASE = os.environ.get("RIALTO_URL", "http://127.0.0.1:8080").rstrip("/")
PASSWORD = "a short sentence works well"


def call(method, path, token=None, body=None, base=BASE):
    """Calls the API. Who is told to wait waits, as any good program would."""
    headers = {"content-type": "application/json"} if body is not None else {}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    while True:
        request = urllib.request.Request(base + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            if error.code != 429 or "retry-after" not in error.headers:
                raise AssertionError(f"{method} {path}: {error.code} {said}") from error
            time.sleep(int(error.headers["retry-after"]))


@contextlib.contextmanager
def server(**settings):
    """A server of one's own with these settings, such as `LIMITS__SOCKET__SUBSCRIPTIONS="3"`; answers its address."""
    program = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "server"
    with tempfile.TemporaryDirectory(prefix="rialto-python-") as folder:
        # Started as root it becomes a service user, who has to pass through.
        os.chmod(folder, 0o711)
        environment = {**os.environ, **{f"RIALTO_{name}": value for name, value in settings.items()}}
        try:
            started = subprocess.run([program, "start", folder], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
            yield started.stdout.strip()
        finally:
            subprocess.run([program, "stop", folder], check=True, timeout=60)


class Person:
    def __init__(self, name, base=BASE):
        self.base = base
        tag = secrets.token_hex(4)
        body = {"email": f"{name.lower()}-{tag}@test.example", "password": PASSWORD, "display_name": f"{name} {tag}"}
        answer = call("POST", "/v1/auth/register", body=body, base=base)
        self.id = answer["user"]["id"]
        self.handle = answer["user"]["handle"]
        self.email = answer["user"]["email"]
        self.token = answer["access_token"]
        self.refresh_token = answer["refresh_token"]

    def call(self, method, path, body=None):
        return call(method, path, self.token, body, self.base)

    def post(self, room, *texts):
        """Posts one after the other; answers the offsets."""
        path = f"/v1/rooms/{room['id']}/messages"
        return [self.call("POST", path, {"client_id": str(uuid.uuid4()), "text": text})["offset"] for text in texts]


def make_room(owner, *others):
    community = owner.call("POST", "/v1/communities", {"name": f"Square {secrets.token_hex(4)}", "join_policy": "open"})
    for who in others:
        who.call("POST", f"/v1/communities/{community['id']}/join", {})
    room = owner.call("POST", f"/v1/communities/{community['id']}/rooms", {"name": f"room {secrets.token_hex(4)}", "kind": "public"})
    return {**room, "community": community}


class Cable:
    """A relay between a client and the server, to be cut."""

    def __init__(self):
        self._away = False
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()

    def cut(self, stay_away=False):
        self._away = stay_away
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self):
        self._away = False

    async def _relay(self, reader, writer):
        if self._away:
            writer.transport.abort()
            return
        host, port = BASE.removeprefix("http://").split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        self._writers |= {writer, far_writer}

        async def pump(source, sink):
            try:
                while piece := await source.read(65536):
                    sink.write(piece)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()

        # Cut at the end of a test, which is not worth a word.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        self._writers -= {writer, far_writer}
