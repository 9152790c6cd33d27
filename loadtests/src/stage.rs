//! The people and rooms that a run needs, made through the public API of whatever is under test.
//!
//! People are few and have many sockets each: argon2 would otherwise be what a run of thousands measures.

use std::{rc::Rc, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    client::{Client, Dialer, Event},
    clock,
    http::Http,
    scenario::Server,
};

/// Rooms made at once through the API.
const ROOMS_AT_ONCE: usize = 8;
/// Rooms of one community; Rialto's bound is 500, and a new community has one already.
const ROOMS_OF_A_COMMUNITY: usize = 400;
/// Connections opened at once while a run is being set up.
const OPENING_AT_ONCE: usize = 64;
/// As good as no limit for `gather`.
pub const MANY: usize = 1 << 20;

pub struct Stage {
    pub dialer: Dialer,
    pub server: Server,
    people: Vec<Person>,
    pub rooms: Vec<Room>,
}

struct Person {
    id: String,
    token: String,
}

#[derive(Clone)]
pub struct Room {
    pub id: String,
    pub channel: String,
}

/// `email:password` of existing accounts, or none: then accounts are registered.
pub type Accounts = Vec<(String, String)>;

impl Stage {
    pub async fn prepare(
        dialer: Dialer,
        server: Server,
        people: usize,
        rooms: usize,
        accounts: &Accounts,
    ) -> Result<Self> {
        if server == Server::Rialto {
            return Self::prepare_rialto(dialer, people, rooms, accounts).await.context("preparing people and rooms");
        }
        let room = |number: usize| Room { id: number.to_string(), channel: format!("room:{number}") };
        let person = |number: usize| Person { id: number.to_string(), token: String::new() };
        Ok(Self { dialer, server, people: (0..people).map(person).collect(), rooms: (0..rooms).map(room).collect() })
    }

    async fn prepare_rialto(dialer: Dialer, count: usize, rooms: usize, accounts: &Accounts) -> Result<Self> {
        // Tells one run's accounts from another's on a server that stays.
        let run = uuid::Uuid::new_v4().simple().to_string();
        let run = run.get(..8).unwrap_or_default();
        let mut http = Http::new(&dialer.sources, &dialer.target, dialer.tenant.as_deref());
        let mut people = Vec::new();
        let wanted = if accounts.is_empty() { count } else { accounts.len().min(count) };
        for number in 0..wanted {
            let answer = match accounts.get(number) {
                Some((email, password)) => {
                    let body = json!({"email": email, "password": password});
                    http.call("POST", "/v1/auth/login", None, Some(&body)).await?
                }
                None => {
                    let body = json!({
                        "email": format!("load-{run}-{number}@load.example"),
                        "password": "a long enough passphrase for a load test",
                        "display_name": format!("Load {number}"),
                    });
                    http.call("POST", "/v1/auth/register", None, Some(&body)).await?
                }
            };
            people.push(Person { id: text(&answer, "/user/id")?, token: text(&answer, "/access_token")? });
        }
        let Some(owner) = people.first() else { bail!("a run needs at least one person") };
        let mut communities = Vec::new();
        for number in 0..rooms.div_ceil(ROOMS_OF_A_COMMUNITY).max(1) {
            let body = json!({"name": format!("Load test {run} {number}"), "join_policy": "open"});
            let community = text(&http.call("POST", "/v1/communities", Some(&owner.token), Some(&body)).await?, "/id")?;
            for person in people.iter().skip(1) {
                let body = json!({"accept_guidelines": true});
                http.call("POST", &format!("/v1/communities/{community}/join"), Some(&person.token), Some(&body))
                    .await?;
            }
            communities.push(community);
        }
        let make = |number: usize| {
            let community = communities[number / ROOMS_OF_A_COMMUNITY].clone();
            let (dialer, token) = (dialer.clone(), owner.token.clone());
            async move {
                let mut http = Http::new(&dialer.sources, &dialer.target, dialer.tenant.as_deref());
                let body = json!({"name": format!("load-{number}"), "kind": "public"});
                let path = format!("/v1/communities/{community}/rooms");
                let room = http.call("POST", &path, Some(&token), Some(&body)).await?;
                Ok(Room { id: text(&room, "/id")?, channel: text(&room, "/channel")? })
            }
        };
        let rooms = gather(ROOMS_AT_ONCE, (0..rooms).map(make)).await?;
        Ok(Self { dialer, server: Server::Rialto, people, rooms })
    }

    /// Opens connection `number` for one of the people and subscribes it to `room`.
    pub async fn join(&self, number: usize, room: &Room, listener: impl FnMut(Event<'_>) + 'static) -> Result<Client> {
        let client = self.open(number, room, listener).await?;
        client.subscribe(&room.channel, None).await?;
        Ok(client)
    }

    /// Opens and joins `count` connections; `place` answers each one's room and listener.
    pub async fn join_many<L>(
        self: &Rc<Self>,
        count: usize,
        place: impl Fn(usize) -> (Room, L),
    ) -> Result<Vec<Rc<Client>>>
    where
        L: FnMut(Event<'_>) + 'static,
    {
        let join = |number| {
            let (stage, (room, listener)) = (Rc::clone(self), place(number));
            async move { Ok(Rc::new(stage.join(number, &room, listener).await?)) }
        };
        gather(OPENING_AT_ONCE, (0..count).map(join)).await
    }

    pub async fn open(&self, number: usize, room: &Room, listener: impl FnMut(Event<'_>) + 'static) -> Result<Client> {
        let token = self.person(number).map_or("", |person| &person.token);
        self.dialer.open(token, &room.channel, listener).await
    }

    /// The personal channel: Rialto subscribes it by itself on connect, Centrifugo is asked to.
    pub async fn join_own_channel(&self, client: &Client, number: usize) -> Result<()> {
        if self.server == Server::Centrifugo
            && let Some(person) = self.person(number)
        {
            client.subscribe(&format!("user:{}", person.id), None).await?;
        }
        Ok(())
    }

    fn person(&self, number: usize) -> Option<&Person> {
        self.people.get(number.checked_rem(self.people.len())?)
    }

    pub fn room(&self, number: usize) -> &Room {
        &self.rooms[number % self.rooms.len()]
    }

    /// The server's own counters (`GET /health/stats`), where it has them.
    pub async fn stats(&self) -> Option<Value> {
        if self.server != Server::Rialto {
            return None;
        }
        let mut http = Http::new(&self.dialer.sources, &self.dialer.target, None);
        let answer = http.send("GET", "/health/stats", None, None).await.ok()?;
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok())?
    }
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {pointer} in {value}"))?.to_owned())
}

/// Runs all jobs, at most `limit` at once, and answers in their order; the first error ends all.
pub async fn gather<T, Job>(limit: usize, jobs: impl IntoIterator<Item = Job>) -> Result<Vec<T>>
where
    T: 'static,
    Job: Future<Output = Result<T>> + 'static,
{
    let turns = Rc::new(Semaphore::new(limit));
    let mut running = JoinSet::new();
    for (index, job) in jobs.into_iter().enumerate() {
        let turns = Rc::clone(&turns);
        running.spawn_local(async move {
            let _turn = turns.acquire().await?;
            Ok::<_, anyhow::Error>((index, job.await?))
        });
    }
    let mut done = Vec::with_capacity(running.len());
    while let Some(finished) = running.join_next().await {
        done.push(finished??);
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

/// Waits until `reached` or the time is over; answers which.
pub async fn wait_until(limit: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let deadline = clock::now() + limit;
    while !reached() {
        if clock::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    true
}
