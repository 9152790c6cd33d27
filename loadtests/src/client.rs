//! One connection of the load: opens, subscribes, posts, answers pings, and hands all it hears to its listener.
//!
//! A listener is called on the generator's only thread, synchronously and in the order of the wire, so that "subscribed at
//! offset 7" is known before the publication with offset 8 of the same frame.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    net::{Sources, Target},
    wire::{Answer, HELLO_ID, Heard, Subscribed, Wire, marker_of},
    ws::{Frame, Reader, Scratch, Socket},
};

/// A reply that takes longer is a failure of the run, not a latency.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the listener hears besides replies to its own commands.
pub enum Event<'a> {
    Subscribed(&'a Subscribed),
    Publication { channel: &'a [u8], offset: u64, body: &'a [u8] },
}

type Listener = Box<dyn FnMut(Event<'_>)>;

/// What all connections of a run share.
#[derive(Clone)]
pub struct Dialer {
    pub target: Rc<Target>,
    pub wire: Wire,
    pub sources: Rc<Sources>,
    pub scratch: Scratch,
    pub tenant: Option<Rc<str>>,
    /// Connections that ended although nobody asked them to, with the first reasons.
    pub lost: Rc<Lost>,
}

#[derive(Default)]
pub struct Lost {
    pub count: Cell<u64>,
    pub reasons: RefCell<Vec<String>>,
}

impl Lost {
    pub fn note(&self, reason: String) {
        self.count.set(self.count.get() + 1);
        let mut reasons = self.reasons.borrow_mut();
        if reasons.len() < 5 {
            reasons.push(reason);
        }
    }
}

pub struct Client {
    socket: Rc<Socket>,
    wire: Wire,
    next_id: Cell<u32>,
    waiting: Rc<RefCell<HashMap<u32, oneshot::Sender<Answer>>>>,
    task: JoinHandle<()>,
    leaving: Rc<Cell<bool>>,
}

impl Dialer {
    /// Opens and authenticates. `room` is where the peers without a subscribe command put the connection.
    pub async fn open(&self, token: &str, room: &str, listener: impl FnMut(Event<'_>) + 'static) -> Result<Client> {
        let mut headers = Vec::new();
        if let Some(subprotocol) = self.wire.subprotocol() {
            headers.push(("Sec-WebSocket-Protocol", subprotocol));
        }
        if let Some(tenant) = &self.tenant {
            headers.push(("Rialto-Tenant", tenant));
        }
        let opened = Socket::open(&self.sources, &self.target, &self.wire.path(room), &headers).await;
        let (socket, reader) = opened.context("opening a socket")?;
        let socket = Rc::new(socket);
        let waiting = Rc::default();
        let leaving = Rc::new(Cell::new(false));
        let task = tokio::task::spawn_local(listen(
            reader,
            Rc::clone(&socket),
            self.clone(),
            Rc::clone(&waiting),
            Rc::clone(&leaving),
            Box::new(listener),
        ));
        let client = Client { socket, wire: self.wire, next_id: Cell::new(HELLO_ID), waiting, task, leaving };
        let id = client.id();
        if let Some(hello) = self.wire.connect(id, token) {
            client.ask(id, hello).await.context("connecting")?;
        }
        Ok(client)
    }
}

impl Client {
    fn id(&self) -> u32 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }

    async fn write(&self, command: &[u8]) -> Result<()> {
        match self.wire {
            Wire::Protobuf => self.socket.send_binary(command).await?,
            _ => self.socket.send_text(command).await?,
        }
        Ok(())
    }

    async fn ask(&self, id: u32, command: Vec<u8>) -> Result<Answer> {
        let (answered, answer) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, answered);
        self.write(&command).await?;
        match timeout(REPLY_TIMEOUT, answer).await {
            Err(_) => bail!("no reply within {REPLY_TIMEOUT:?}"),
            Ok(Err(_)) => bail!("the connection ended before the reply"),
            Ok(Ok(Answer::Refused { code, message })) => {
                Err(anyhow!(Refused { code }).context(format!("refused: {code} {message}")))
            }
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    /// Answers whether the server says that nothing was missed; the listener has heard the rest.
    pub async fn subscribe(&self, channel: &str, position: Option<(&str, u64)>) -> Result<bool> {
        let id = self.id();
        let Some(command) = self.wire.subscribe(id, channel, position) else {
            return Ok(true);
        };
        match self.ask(id, command).await.with_context(|| format!("subscribing to {channel}"))? {
            Answer::Subscribed(subscribed) => Ok(subscribed.recovered),
            _ => bail!("an unexpected reply to subscribe"),
        }
    }

    /// A plain publish; done when the server says so (or, where it says nothing, when it comes back to us).
    pub async fn publish(&self, channel: &str, text: &str) -> Result<()> {
        if self.wire.replies() {
            let id = self.id();
            let data = format!(r#"{{"client_id":"{}","text":"{text}"}}"#, uuid::Uuid::new_v4());
            self.ask(id, self.wire.publish(id, channel, &data)).await?;
        } else {
            let id = marker_of(text.as_bytes()).unwrap_or_default() as u32 | ECHO;
            self.ask(id, self.wire.publish(id, channel, text)).await?;
        }
        Ok(())
    }

    /// Rialto's `message.create`, which answers with the offset. It needs no subscription.
    pub async fn create_message(&self, room_id: &str, text: &str) -> Result<u64> {
        let id = self.id();
        let data = format!(r#"{{"room_id":"{room_id}","client_id":"{}","text":"{text}"}}"#, uuid::Uuid::new_v4());
        match self.ask(id, self.wire.rpc(id, "message.create", &data)).await? {
            Answer::Posted { offset } => Ok(offset),
            _ => bail!("message.create answered without an offset"),
        }
    }

    /// Ends the connection without a word.
    pub fn cut(&self) {
        self.leaving.set(true);
        self.socket.cut();
        self.task.abort();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.cut();
    }
}

/// A server's refusal, to be found in an error's chain.
#[derive(Debug)]
pub struct Refused {
    pub code: u32,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "code {}", self.code)
    }
}

impl std::error::Error for Refused {}

/// Keeps echo ids (markers) apart from the hello's id on the wires without replies.
const ECHO: u32 = 1 << 31;

async fn listen(
    mut reader: Reader,
    socket: Rc<Socket>,
    dialer: Dialer,
    waiting: Rc<RefCell<HashMap<u32, oneshot::Sender<Answer>>>>,
    leaving: Rc<Cell<bool>>,
    mut listener: Listener,
) {
    let mut pings = 0_u32;
    let mut control = Vec::new();
    let mut lost = None;
    loop {
        let received = reader.receive(&dialer.scratch, |frame| {
            if let Frame::Ping(payload) = frame {
                control = payload.to_vec();
                return;
            }
            dialer.wire.hear(&frame, &mut |heard| match heard {
                Heard::Publication { channel, offset, body } => {
                    if !dialer.wire.replies() && !waiting.borrow().is_empty() {
                        let id = marker_of(body).unwrap_or_default() as u32 | ECHO;
                        answer(&waiting, id, Answer::Done);
                    }
                    listener(Event::Publication { channel, offset, body });
                }
                Heard::Replied { id, answer: reply } => {
                    if let Answer::Subscribed(subscribed) = &reply {
                        listener(Event::Subscribed(subscribed));
                    }
                    answer(&waiting, id, reply);
                }
                Heard::Ping => pings += 1,
                Heard::Lost(reason) => lost = Some(reason),
                Heard::Other => {}
            });
        });
        let ended = match received.await {
            Ok(0) => Some(lost.take().unwrap_or_else(|| "closed by the server".to_owned())),
            Ok(_) => None,
            Err(error) => Some(lost.take().unwrap_or_else(|| error.to_string())),
        };
        if let Some(reason) = ended {
            if !leaving.get() {
                dialer.lost.note(reason);
            }
            waiting.borrow_mut().clear();
            return;
        }
        for _ in 0..std::mem::take(&mut pings) {
            let pong = dialer.wire.pong();
            let sent = match dialer.wire {
                Wire::Protobuf => socket.send_binary(pong).await,
                _ => socket.send_text(pong).await,
            };
            sent.ok();
        }
        if !control.is_empty() {
            socket.send_pong(&std::mem::take(&mut control)).await.ok();
        }
    }
}

fn answer(waiting: &RefCell<HashMap<u32, oneshot::Sender<Answer>>>, id: u32, answer: Answer) {
    if let Some(waiter) = waiting.borrow_mut().remove(&id) {
        waiter.send(answer).ok();
    }
}
