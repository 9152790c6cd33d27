"""centrifuge-python, unmodified, over a WebSocket in JSON and in Protobuf (it has no maps and no other transport)."""

import asyncio
import json
import os
import unittest
import uuid

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ClientState,
    ReplyError,
    StreamPosition,
    SubscriptionEventHandler,
    SubscriptionState,
    UnauthorizedError,
)

from rialto import BASE, Cable, Person, call, make_room, server

WS = BASE.replace("http", "ws", 1)


class Ear(SubscriptionEventHandler):
    """Writes down what a subscription hears."""

    def __init__(self, plain):
        self.plain = plain
        self.publications, self.subscribed, self.joins, self.leaves, self.ends, self.errors = [], [], [], [], [], []

    async def on_publication(self, ctx):
        self.publications.append((ctx.pub.offset, self.plain(ctx.pub.data)))

    async def on_subscribed(self, ctx):
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx):
        self.ends.append(ctx)

    async def on_join(self, ctx):
        self.joins.append(ctx.info)

    async def on_leave(self, ctx):
        self.leaves.append(ctx.info)

    async def on_error(self, ctx):
        self.errors.append(ctx)

    @property
    def offsets(self):
        return [offset for offset, _ in self.publications]


class ClientEar(ClientEventHandler):
    def __init__(self, plain):
        self.plain = plain
        self.connecting, self.ends, self.publications, self.subscribed, self.errors = [], [], [], [], []

    async def on_connecting(self, ctx):
        self.connecting.append(ctx)

    async def on_disconnected(self, ctx):
        self.ends.append(ctx)

    async def on_subscribed(self, ctx):
        self.subscribed.append(ctx)

    async def on_publication(self, ctx):
        self.publications.append((ctx.channel, self.plain(ctx.pub.data)))

    async def on_error(self, ctx):
        self.errors.append(ctx)


async def until(what, check, seconds=10):
    end = asyncio.get_running_loop().time() + seconds
    while not check():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"did not happen in {seconds} s: {what}")
        await asyncio.sleep(0.02)


class Protocol:
    """The tests; each format runs them all."""

    use_protobuf: bool

    @classmethod
    def setUpClass(cls):
        cls.ada, cls.bo, cls.stranger = Person("Ada"), Person("Bo"), Person("Sid")

    async def asyncSetUp(self):
        self.clients = []
        self.room = await self.aside(make_room, self.ada, self.bo)
        self.channel = f"room:{self.room['id']}"

    async def asyncTearDown(self):
        for client in self.clients:
            await client.disconnect()

    @staticmethod
    def aside(act, *args):
        """HTTP calls block; the clients go on meanwhile."""
        return asyncio.to_thread(act, *args)

    def wire(self, value):
        """A payload as this format takes it: Protobuf carries bytes."""
        return json.dumps(value).encode() if self.use_protobuf else value

    def plain(self, value):
        return json.loads(value) if self.use_protobuf and value else value

    def client(self, who, base=WS, **options):
        ear = ClientEar(self.plain)
        options = {"token": who.token, "min_reconnect_delay": 0.05, "max_reconnect_delay": 0.3, **options}
        client = Client(f"{base}/connection/websocket", events=ear, use_protobuf=self.use_protobuf, **options)
        client.ear = ear
        self.clients.append(client)
        return client

    async def connect(self, who, **options):
        client = self.client(who, **options)
        await client.connect()
        await client.ready(10)
        return client

    async def subscribe(self, client, channel, **options):
        ear = Ear(self.plain)
        subscription = client.new_subscription(channel, events=ear, min_resubscribe_delay=0.05, **options)
        await subscription.subscribe()
        await subscription.ready(10)
        return subscription, ear

    async def create(self, client, text, room=None, client_id=None):
        message = {"room_id": (room or self.room)["id"], "client_id": client_id or str(uuid.uuid4()), "text": text}
        return self.plain((await client.rpc("message.create", self.wire(message))).data)

    async def assert_error(self, code, work):
        with self.assertRaises(ReplyError) as caught:
            await work
        self.assertEqual(caught.exception.code, code)
        self.assertTrue(caught.exception.message)

    async def test_connects_and_has_its_own_stream(self):
        client = await self.connect(self.ada)
        self.assertEqual(client.state, ClientState.CONNECTED)
        await until("the own stream", lambda: client.ear.subscribed)
        own = client.ear.subscribed[0]
        self.assertEqual(own.channel, f"user:{self.ada.id}")
        self.assertTrue(own.recoverable and own.positioned)

    async def test_a_message_reaches_author_and_reader_once(self):
        hers, his = await self.connect(self.ada), await self.connect(self.bo)
        author, author_ear = await self.subscribe(hers, self.channel)
        _, reader_ear = await self.subscribe(his, self.channel)
        client_id, text = str(uuid.uuid4()), 'Grüße, "Zitat"\nzweite Zeile 👋'
        await author.publish(self.wire({"client_id": client_id, "text": text}))
        for ear in (author_ear, reader_ear):
            await until("the message", lambda ear=ear: ear.publications)
            offset, data = ear.publications[0]
            self.assertGreater(offset, 0)
            self.assertEqual((data["v"], data["type"], data["room_id"]), (1, "message.created", self.room["id"]))
            self.assertEqual(data["actor"]["id"], self.ada.id)
            self.assertEqual((data["message"]["client_id"], data["message"]["text"]), (client_id, text))
        await asyncio.sleep(0.2)
        self.assertEqual(len(reader_ear.publications), 1)

    async def test_rpc_answers_the_same_for_the_same_client_id(self):
        client = await self.connect(self.ada)
        client_id = str(uuid.uuid4())
        first = await self.create(client, "once", client_id=client_id)
        again = await self.create(client, "once", client_id=client_id)
        self.assertFalse(first["duplicate"])
        self.assertEqual(again, {**first, "duplicate": True})
        both = await asyncio.gather(*(self.create(client, "at once", client_id=c) for c in [str(uuid.uuid4())] * 2))
        self.assertEqual(len({one["id"] for one in both}), 1)

    async def test_history(self):
        sent = await self.aside(self.ada.post, self.room, *"abcde")
        client = await self.connect(self.bo)
        subscription, _ = await self.subscribe(client, self.channel)
        top = await subscription.history(limit=0)
        self.assertEqual((top.publications, top.offset, top.epoch), ([], sent[-1], self.room["epoch"]))

        async def read(limit, since=None, reverse=False):
            position = None if since is None else StreamPosition(offset=since, epoch=top.epoch)
            page = await subscription.history(limit=limit, since=position, reverse=reverse)
            return [publication.offset for publication in page.publications]

        self.assertEqual(await read(-1, sent[0] - 1), sent)
        self.assertEqual(await read(2, sent[1]), sent[2:4])
        self.assertEqual(await read(3, reverse=True), sent[:1:-1])
        self.assertEqual(await read(2, sent[3], reverse=True), [sent[2], sent[1]])
        page = await subscription.history(limit=1, since=StreamPosition(offset=sent[0] - 1, epoch=top.epoch))
        self.assertEqual(self.plain(page.publications[0].data)["message"]["text"], "a")

    async def test_presence_and_its_statistics(self):
        hers, his = await self.connect(self.ada), await self.connect(self.bo)
        subscription, _ = await self.subscribe(hers, self.channel)
        await self.subscribe(his, self.channel)
        presence = await subscription.presence()
        self.assertEqual({info.user for info in presence.clients.values()}, {self.ada.id, self.bo.id})
        self.assertTrue(all(info.client == key for key, info in presence.clients.items()))
        stats = await subscription.presence_stats()
        self.assertEqual((stats.num_clients, stats.num_users), (2, 2))

    async def test_join_and_leave(self):
        hers, his = await self.connect(self.ada), await self.connect(self.bo)
        _, ear = await self.subscribe(hers, self.channel, join_leave=True)
        theirs, _ = await self.subscribe(his, self.channel)
        await until("Bo joins", lambda: any(info.user == self.bo.id for info in ear.joins))
        await theirs.unsubscribe()
        await until("Bo leaves", lambda: any(info.user == self.bo.id for info in ear.leaves))

    async def test_typing_mentions_and_direct_messages(self):
        hers, his = await self.connect(self.ada), await self.connect(self.bo)
        _, typing = await self.subscribe(his, f"typing:{self.room['id']}")
        await hers.rpc("room.typing", self.wire({"room_id": self.room["id"]}))
        await until("typing", lambda: typing.publications)
        self.assertEqual(typing.publications[0][1]["user"]["id"], self.ada.id)
        await self.create(hers, f"look, @{self.bo.handle}")
        direct = await self.aside(self.ada.call, "POST", "/v1/rooms/direct", {"user_ids": [self.bo.id]})
        await self.create(hers, "between us", room=direct)
        for kind, room in (("mention", self.room), ("direct.message", direct)):
            heard = lambda kind=kind, room=room: any(  # noqa: E731
                channel == f"user:{self.bo.id}" and data["type"] == kind and data["room_id"] == room["id"]
                for channel, data in his.ear.publications
            )
            await until(kind, heard)

    async def test_recovers_after_a_cut_everything_in_order_and_once(self):
        async with Cable() as cable:
            client = await self.connect(self.bo, base=cable.base)
            _, ear = await self.subscribe(client, self.channel)
            sent = await self.aside(self.ada.post, self.room, "before")
            await until("the first", lambda: ear.publications)
            for round_ in range(3):
                cable.cut(stay_away=True)
                await until("the client notices", lambda: client.state == ClientState.CONNECTING)
                sent += await self.aside(self.ada.post, self.room, *(f"{round_} {i}" for i in range(4)))
                cable.mend()
                await until("all are there", lambda: len(ear.publications) >= len(sent), 15)
                sent += await self.aside(self.ada.post, self.room, "on")
            await until("all are there", lambda: len(ear.publications) >= len(sent))
            await asyncio.sleep(0.2)
            self.assertEqual(ear.offsets, sent)
            self.assertTrue(all(ctx.was_recovering and ctx.recovered for ctx in ear.subscribed[1:]))

    async def from_positions(self, *positions):
        """Subscribes as an application that keeps its own position; answers what it heard and how often it was asked."""
        asked = []

        async def get_state(_channel):
            asked.append(1)
            return positions[min(len(asked), len(positions)) - 1]

        client = await self.connect(self.bo)
        _, ear = await self.subscribe(client, self.channel, get_state=get_state)
        return ear, asked

    async def test_what_was_missed_long_ago(self):
        sent = await self.aside(self.ada.post, self.room, *"abcd")
        ear, _ = await self.from_positions(StreamPosition(offset=sent[0], epoch=self.room["epoch"]))
        await until("three", lambda: len(ear.publications) == 3)
        self.assertEqual(ear.offsets, sent[1:])
        self.assertTrue(ear.subscribed[0].recovered)

    async def test_a_lost_position_makes_it_read_the_state_again(self):
        sent = await self.aside(self.ada.post, self.room, "one", "two")
        lost = StreamPosition(offset=1, epoch="another")
        ear, asked = await self.from_positions(lost, StreamPosition(offset=sent[0], epoch=self.room["epoch"]))
        await until("the second", lambda: ear.publications)
        self.assertEqual((ear.offsets, len(asked)), (sent[1:], 2))

    async def test_errors_have_their_numbers(self):
        client = await self.connect(self.stranger)
        good = self.wire({"client_id": str(uuid.uuid4()), "text": "text"})
        await self.assert_error(102, client.publish("nonsense", good))
        await self.assert_error(103, client.publish(self.channel, good))
        await self.assert_error(103, client.history(self.channel, limit=1))
        await self.assert_error(103, client.presence(self.channel))
        await self.assert_error(104, client.rpc("message.shout", self.wire({})))
        await self.assert_error(107, client.rpc("message.create", self.wire({})))
        large = self.wire({"client_id": str(uuid.uuid4()), "text": "x" * 150_000})
        await self.assert_error(107, client.publish(self.channel, large))
        await self.assert_error(108, client.presence(f"user:{self.stranger.id}"))
        mine, _ = await self.subscribe(await self.connect(self.ada), self.channel)
        await self.assert_error(112, mine.history(limit=1, since=StreamPosition(offset=0, epoch="another")))
        for channel, code in (("nonsense", 102), (self.channel, 103), (f"user:{self.stranger.id}", 105)):
            ear = Ear(self.plain)
            subscription = client.new_subscription(channel, events=ear)
            await subscription.subscribe()
            await until(f"{channel} is refused", lambda ear=ear: ear.ends)
            self.assertEqual(ear.ends[0].code, code)
            self.assertEqual(subscription.state, SubscriptionState.UNSUBSCRIBED)
        self.assertEqual(client.state, ClientState.CONNECTED)
        self.assertEqual(client.ear.ends, [])

    async def test_slow_mode_is_111(self):
        await self.aside(self.ada.call, "PATCH", f"/v1/rooms/{self.room['id']}", {"slow_mode_s": 30})
        client = await self.connect(self.bo)
        await self.create(client, "first")
        with self.assertRaises(ReplyError) as caught:
            await self.create(client, "second")
        self.assertEqual(caught.exception.code, 111)
        self.assertTrue(caught.exception.temporary)

    async def test_bounds_and_expired_tokens_are_106_and_109(self):
        # scripts/server needs the program to start.
        if "RIALTO_BIN" not in os.environ:
            self.skipTest("RIALTO_BIN names no program to start")
        tight = server(LIMITS__SOCKET__SUBSCRIPTIONS="2", AUTH__ACCESS_TOKEN="3s")
        base = await self.aside(tight.__enter__)
        try:
            who = await self.aside(Person, "Ada", base)
            first, second = await self.aside(make_room, who), await self.aside(make_room, who)
            expired = who.token

            async def get_token():
                answer = await self.aside(call, "POST", "/v1/auth/refresh", None, {"refresh_token": who.refresh_token}, base)
                who.token, who.refresh_token = answer["access_token"], answer["refresh_token"]
                return who.token

            await asyncio.sleep(4)
            client = self.client(who, base=base.replace("http", "ws", 1), token=expired, get_token=get_token)
            await client.connect()
            await client.ready(10)
            self.assertEqual([ctx.error.code for ctx in client.ear.errors], [109])
            self.assertEqual(client.ear.ends, [])

            # One's own stream is the first of two.
            await self.subscribe(client, f"room:{first['id']}")
            ear = Ear(self.plain)
            beyond = client.new_subscription(f"room:{second['id']}", events=ear)
            await beyond.subscribe()
            await until("it is refused", lambda: ear.ends)
            self.assertEqual((ear.ends[0].code, client.state), (106, ClientState.CONNECTED))
        finally:
            for client in self.clients:
                await client.disconnect()
            await self.aside(tight.__exit__, None, None, None)

    async def test_a_forged_token_ends_it(self):
        client = self.client(self.ada, token="nonsense")
        await client.connect()
        await until("the end", lambda: client.ear.ends)
        self.assertEqual(client.ear.ends[0].code, 3500)
        self.assertTrue(client.ear.ends[0].reason)

    async def test_a_suspended_person_is_out_and_stays_out(self):
        who = await self.aside(Person, "Zoe")
        body = {"email": "tam@demo.example", "password": "rialto-demo"}
        admin = (await self.aside(call, "POST", "/v1/auth/login", None, body))["access_token"]
        client = await self.connect(who)
        await self.aside(call, "POST", f"/v1/users/{who.id}/suspend", admin, {"reason": "a test"})
        await until("the end", lambda: client.ear.ends, 1.5)
        self.assertEqual(client.ear.ends[0].code, 4501)

    async def test_who_leaves_hears_no_more(self):
        who = await self.aside(Person, "Guest")
        room = await self.aside(make_room, self.ada, who)
        client = await self.connect(who)
        _, ear = await self.subscribe(client, f"room:{room['id']}")
        await self.aside(who.call, "POST", f"/v1/communities/{room['community']['id']}/leave")
        await until("the end", lambda: ear.ends, 1.5)
        self.assertEqual(ear.ends[0].code, 2000)

    async def test_a_token_is_fetched_where_there_is_none(self):
        asked = []

        async def get_token():
            asked.append(1)
            if len(asked) > 1:
                raise UnauthorizedError
            return self.ada.token

        client = await self.connect(self.ada, token="", get_token=get_token)
        self.assertEqual((client.state, len(asked)), (ClientState.CONNECTED, 1))
        with self.assertRaises(CentrifugeError):
            await client.rpc("nothing", self.wire({}))


class Json(Protocol, unittest.IsolatedAsyncioTestCase):
    use_protobuf = False


class Protobuf(Protocol, unittest.IsolatedAsyncioTestCase):
    use_protobuf = True


if __name__ == "__main__":
    unittest.main()
