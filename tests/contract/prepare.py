"""Signs in as the demo's admin, makes something of each kind, and prints the token and the ids for the shell."""

import json
import shlex
import sys
import urllib.request
import uuid

BASE = sys.argv[1]
TOKEN = None


def call(method, path, body=None):
    headers = {"content-type": "application/json"}
    if TOKEN:
        headers["authorization"] = f"Bearer {TOKEN}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(BASE + path, data, headers, method=method), timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


session = call("POST", "/v1/auth/login", {"email": "tam@demo.example", "password": "rialto-demo"})
TOKEN = session["access_token"]
community = call("POST", "/v1/communities", {"name": f"contract {uuid.uuid4()}", "join_policy": "open"})["id"]
room = call("GET", f"/v1/communities/{community}/rooms")["items"][0]["id"]
posted = call("POST", f"/v1/rooms/{room}/messages", {"client_id": str(uuid.uuid4()), "text": "to be asked about"})
invite = call("POST", f"/v1/communities/{community}/invites", {})
ids = {
    "community": community,
    "room": room,
    "message": posted["id"],
    "user": session["user"]["id"],
    "invite": invite["id"],
    "code": invite["code"],
    "emoji": "\U0001f44d",
}
print(f"RIALTO_TOKEN={shlex.quote(TOKEN)}")
print(f"RIALTO_IDS={shlex.quote(json.dumps(ids))}")
