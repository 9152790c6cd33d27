//! Posters that retry and listeners that recover, and the count at the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::node::{Node, Person, Place, text};
use crate::socket::{Gone, Socket};

const RETRY_AFTER: Duration = Duration::from_millis(40);

/// What happened to a crowd.
#[derive(Default)]
pub struct Tally {
    /// What the server has said is stored: client id → (id, offset).
    acknowledged: Mutex<HashMap<Uuid, (String, u64)>>,
    /// Posts that had to be sent again.
    pub retries: AtomicU64,
    /// Connections that ended.
    pub reconnects: AtomicU64,
    /// Recoveries that the server served, and those that it left to history.
    pub recovered: AtomicU64,
    pub paged: AtomicU64,
}

/// Posters and listeners of one room.
pub struct Crowd {
    pub place: Place,
    pub tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    end: watch::Sender<Option<u64>>,
    posters: JoinSet<()>,
    listeners: JoinSet<(u64, Vec<u64>)>,
}

impl Crowd {
    /// Lets them begin: returns when every listener hears.
    pub async fn gather(node: &Node, posters: usize, listeners: usize, pause: Duration) -> Self {
        let owner = node.person().await;
        let place = owner.found().await;
        let mut people = vec![owner];
        for _ in 0..3 {
            let person = node.person().await;
            person.join(&place).await;
            people.push(person);
        }
        let (end, _) = watch::channel(None);
        let mut crowd = Self {
            place,
            tally: Arc::default(),
            stop: Arc::default(),
            end,
            posters: JoinSet::new(),
            listeners: JoinSet::new(),
        };
        let ready = Arc::new(AtomicU64::new(0));
        for number in 0..listeners {
            let listener = Listener {
                port: node.port,
                person: people[number % people.len()].clone(),
                place: crowd.place.clone(),
                tally: Arc::clone(&crowd.tally),
                end: crowd.end.subscribe(),
                ready: Arc::clone(&ready),
                position: None,
                start: 0,
                seen: Vec::new(),
            };
            crowd.listeners.spawn(listener.run());
        }
        while ready.load(Ordering::Relaxed) < listeners as u64 {
            sleep(RETRY_AFTER).await;
        }
        for number in 0..posters {
            let poster = Poster {
                port: node.port,
                person: people[number % people.len()].clone(),
                room: crowd.place.room.clone(),
                tally: Arc::clone(&crowd.tally),
                stop: Arc::clone(&crowd.stop),
                pause,
            };
            crowd.posters.spawn(poster.run());
        }
        crowd
    }

    pub fn acknowledged(&self) -> usize {
        self.tally.acknowledged.lock().unwrap().len()
    }

    /// Waits until this many more are acknowledged: the room works.
    pub async fn expect_progress(&self, more: usize, patience: Duration) {
        let goal = self.acknowledged() + more;
        let waiting = async {
            while self.acknowledged() < goal {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(patience, waiting).await.unwrap_or_else(|_| panic!("no {more} further posts within {patience:?}"));
    }

    /// Ends the posting, waits for everybody within `patience` and counts. Returns the room's last offset.
    pub async fn check(mut self, node: &Node, patience: Duration) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        timeout(Duration::from_secs(60), async {
            while self.posters.join_next().await.transpose().unwrap().is_some() {}
        })
        .await
        .expect("every poster gets its last answer");
        let room = &self.place.room;
        let last = node.number(&format!("SELECT last_offset FROM streams WHERE id = '{room}'"));
        self.end.send_replace(Some(last));
        let mut heard = 0;
        let listening = async {
            while let Some(listener) = self.listeners.join_next().await {
                let (start, seen) = listener.expect("a listener hears everything in order");
                assert_eq!(seen, (start + 1..=last).collect::<Vec<_>>(), "a listener that began at {start}");
                heard += 1;
            }
        };
        timeout(patience, listening).await.unwrap_or_else(|_| panic!("not every listener has all {last} events"));

        let offsets = node.sql(&format!(
            "SELECT count(*), count(DISTINCT event_offset), min(event_offset), max(event_offset) FROM events WHERE stream_id = '{room}'"
        ));
        assert_eq!(
            offsets[0],
            [last.to_string(), last.to_string(), "1".into(), last.to_string()],
            "offsets are 1 to {last}"
        );
        let stored = node.sql(&format!("SELECT client_id, id, event_offset FROM messages WHERE room_id = '{room}'"));
        let by_client: HashMap<Uuid, (String, u64)> =
            stored.iter().map(|row| (row[0].parse().unwrap(), (row[1].clone(), row[2].parse().unwrap()))).collect();
        assert_eq!(by_client.len(), stored.len(), "a client id is stored once");
        let acknowledged = self.tally.acknowledged.lock().unwrap();
        for (client_id, place) in acknowledged.iter() {
            assert_eq!(by_client.get(client_id), Some(place), "what was acknowledged is stored as it was said");
        }
        // Posters stop only when their last post is acknowledged, so nothing else is there.
        assert_eq!(stored.len(), acknowledged.len());
        let tally = &self.tally;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!(
            "{last} events, {} acknowledged, {} posts sent again, {} connections lost, {heard} listeners, {} recoveries, {} by history",
            acknowledged.len(),
            count(&tally.retries),
            count(&tally.reconnects),
            count(&tally.recovered),
            count(&tally.paged)
        );
        last
    }
}

struct Poster {
    port: u16,
    person: Person,
    room: String,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    pause: Duration,
}

impl Poster {
    async fn run(self) {
        let mut socket = None;
        while !self.stop.load(Ordering::Relaxed) {
            let client_id = Uuid::new_v4();
            let place = self.post(&mut socket, client_id).await;
            self.tally.acknowledged.lock().unwrap().insert(client_id, place);
            sleep(self.pause).await;
        }
    }

    /// Sends one message until it is acknowledged, always with the same client id.
    async fn post(&self, socket: &mut Option<Socket>, client_id: Uuid) -> (String, u64) {
        loop {
            if let Ok(place) = self.try_post(socket, client_id).await {
                return place;
            }
            self.tally.retries.fetch_add(1, Ordering::Relaxed);
            sleep(RETRY_AFTER).await;
        }
    }

    async fn try_post(&self, socket: &mut Option<Socket>, client_id: Uuid) -> Result<(String, u64), Gone> {
        if socket.is_none() {
            *socket = Some(Socket::open(self.port, &self.person.token).await?);
        }
        let message = json!({"room_id": self.room, "client_id": client_id, "text": format!("message {client_id}")});
        let open = socket.as_mut().unwrap();
        match open.rpc("message.create", message).await {
            Ok(Ok(posted)) => Ok((text(&posted["id"]), posted["offset"].as_u64().unwrap())),
            Ok(Err(refusal)) => {
                assert!(refusal.temporary, "a fault is temporary for whoever posts: {refusal:?}");
                Err(Gone(None))
            }
            Err(gone) => {
                self.tally.reconnects.fetch_add(1, Ordering::Relaxed);
                *socket = None;
                Err(gone)
            }
        }
    }
}

struct Listener {
    port: u16,
    person: Person,
    place: Place,
    tally: Arc<Tally>,
    end: watch::Receiver<Option<u64>>,
    ready: Arc<AtomicU64>,
    /// Epoch and last offset heard.
    position: Option<(String, u64)>,
    start: u64,
    seen: Vec<u64>,
}

impl Listener {
    async fn run(mut self) -> (u64, Vec<u64>) {
        while !self.is_done() {
            if self.follow().await.is_err() {
                self.tally.reconnects.fetch_add(1, Ordering::Relaxed);
                sleep(RETRY_AFTER).await;
            }
        }
        (self.start, self.seen)
    }

    fn is_done(&self) -> bool {
        self.end.borrow().is_some_and(|end| self.position.as_ref().is_some_and(|(_, last)| *last >= end))
    }

    fn hear(&mut self, offset: u64) {
        let (_, last) = self.position.as_mut().unwrap();
        assert_eq!(offset, *last + 1, "the next event");
        *last = offset;
        self.seen.push(offset);
    }

    /// Connects, recovers and listens until the end, or the connection's.
    async fn follow(&mut self) -> Result<(), Gone> {
        let mut socket = Socket::open(self.port, &self.person.token).await?;
        let channel = self.place.channel();
        loop {
            let from = self.position.clone();
            let from = from.as_ref().map(|(epoch, offset)| (epoch.as_str(), *offset));
            let result = match socket.subscribe(&channel, from).await? {
                Ok(result) => result,
                Err(refusal) => {
                    assert!(refusal.temporary, "a fault is temporary for whoever listens: {refusal:?}");
                    sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            match &self.position {
                None => {
                    self.position = Some((result.epoch.clone(), result.offset));
                    self.start = result.offset;
                    self.ready.fetch_add(1, Ordering::Relaxed);
                }
                Some((epoch, _)) => {
                    assert_eq!(*epoch, result.epoch, "no history was cut");
                    if result.recovered {
                        self.tally.recovered.fetch_add(1, Ordering::Relaxed);
                    } else {
                        self.tally.paged.fetch_add(1, Ordering::Relaxed);
                        self.page_to(result.offset).await?;
                    }
                }
            }
            for publication in &result.publications {
                self.hear(publication.offset);
            }
            loop {
                if self.is_done() {
                    return Ok(());
                }
                let push = tokio::select! {
                    push = socket.push() => push?,
                    changed = self.end.changed() => { changed.map_err(|_| Gone(None))?; continue }
                };
                if push.channel != channel {
                    continue;
                }
                if let Some(publication) = &push.r#pub {
                    self.hear(publication.offset);
                }
                if let Some(end) = &push.unsubscribe {
                    assert!(end.code >= 2500, "{end:?}");
                    break;
                }
            }
        }
    }

    /// What a refused recovery leaves to the client: pages of history from its own last offset.
    async fn page_to(&mut self, top: u64) -> Result<(), Gone> {
        while let Some((_, last)) = self.position.clone().filter(|(_, last)| *last < top) {
            let path = format!("/v1/rooms/{}/events?after={last}&limit=100", self.place.room);
            let (status, page) =
                self.person.try_call(reqwest::Method::GET, &path, None).await.map_err(|_| Gone(None))?;
            if status != 200 {
                return Err(Gone(None));
            }
            for event in page["items"].as_array().unwrap() {
                let offset = event["offset"].as_u64().unwrap();
                if offset <= top {
                    self.hear(offset);
                }
            }
        }
        Ok(())
    }
}
