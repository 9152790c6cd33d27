//! The client's side of the protocol over one WebSocket.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rialto::protocol::{
    Command, ConnectRequest, Format, Publication, Push, Reply, Request, RpcRequest, SubscribeRequest, SubscribeResult,
    decode_replies, encode_command, join,
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{WebSocketStream, client_async};

const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The connection is over: with which close code, if it was closed in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone(pub Option<u16>);

/// What the server answered instead of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: u32,
    pub message: String,
    pub temporary: bool,
}

/// A connected client.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_id: u32,
    replies: VecDeque<Reply>,
    pushes: VecDeque<Push>,
}

impl Socket {
    /// Connects and signs in.
    pub async fn open(port: u16, token: &str) -> Result<Self, Gone> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|_| Gone(None))?;
        Self::open_on(stream, port, token).await
    }

    /// As [`Socket::open`], on a TCP connection that has been prepared.
    pub async fn open_on(stream: TcpStream, port: u16, token: &str) -> Result<Self, Gone> {
        let request = format!("ws://127.0.0.1:{port}/connection/websocket").into_client_request().unwrap();
        let opening = timeout(ANSWER_WITHIN, client_async(request, stream)).await;
        let (stream, _) = opening.map_err(|_| Gone(None))?.map_err(|_| Gone(None))?;
        let mut socket = Self { stream, next_id: 0, replies: VecDeque::new(), pushes: VecDeque::new() };
        let connect = ConnectRequest { token: token.to_owned(), ..ConnectRequest::default() };
        let reply = socket.call(Request::Connect(connect)).await?;
        // A store that is away refuses for now; the client comes again.
        if reply.connect.is_some() { Ok(socket) } else { Err(Gone(None)) }
    }

    /// Sends several requests in one frame; answers their ids.
    pub async fn send(&mut self, requests: Vec<Request>) -> Result<Vec<u32>, Gone> {
        let mut frames = Vec::new();
        let mut ids = Vec::new();
        for request in requests {
            self.next_id += 1;
            ids.push(self.next_id);
            frames.push(encode_command(Format::Json, &Command::from((self.next_id, request))));
        }
        let frame = String::from_utf8(join(Format::Json, &frames).to_vec()).unwrap();
        self.stream.send(Message::text(frame)).await.map_err(|_| Gone(None))?;
        Ok(ids)
    }

    /// Waits for the reply to a command.
    pub async fn reply(&mut self, id: u32) -> Result<Reply, Gone> {
        let waiting = async {
            loop {
                if let Some(index) = self.replies.iter().position(|reply| reply.id == id) {
                    return Ok(self.replies.remove(index).unwrap());
                }
                self.read().await?;
            }
        };
        timeout(ANSWER_WITHIN, waiting).await.unwrap_or(Err(Gone(None)))
    }

    pub async fn call(&mut self, request: Request) -> Result<Reply, Gone> {
        let ids = self.send(vec![request]).await?;
        self.reply(ids[0]).await
    }

    pub async fn rpc(&mut self, method: &str, data: Value) -> Result<Result<Value, Refusal>, Gone> {
        let reply = self.call(rpc(method, data)).await?;
        Ok(outcome(reply))
    }

    pub async fn subscribe(
        &mut self,
        channel: &str,
        from: Option<(&str, u64)>,
    ) -> Result<Result<SubscribeResult, Refusal>, Gone> {
        let (epoch, offset) = from.unwrap_or_default();
        let request = SubscribeRequest {
            channel: channel.to_owned(),
            recover: from.is_some(),
            recoverable: true,
            positioned: true,
            epoch: epoch.to_owned(),
            offset,
            ..SubscribeRequest::default()
        };
        let reply = self.call(Request::Subscribe(request)).await?;
        Ok(match reply.error {
            Some(error) => Err(Refusal { code: error.code, message: error.message, temporary: error.temporary }),
            None => Ok(reply.subscribe.expect("a subscribe is answered by its result")),
        })
    }

    /// The next push.
    pub async fn push(&mut self) -> Result<Push, Gone> {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return Ok(push);
            }
            self.read().await?;
        }
    }

    /// The next publication on a channel, skipping other pushes; `None` after `patience`.
    pub async fn publication(&mut self, channel: &str, patience: Duration) -> Result<Option<Publication>, Gone> {
        let waiting = async {
            loop {
                let push = self.push().await?;
                if push.channel == channel
                    && let Some(publication) = push.r#pub
                {
                    return Ok(publication);
                }
            }
        };
        timeout(patience, waiting).await.map_or(Ok(None), |found| found.map(Some))
    }

    /// Reads to the end: the close code.
    pub async fn closed(&mut self, patience: Duration) -> Option<Gone> {
        let ending = async {
            loop {
                if let Err(gone) = self.read().await {
                    return gone;
                }
            }
        };
        timeout(patience, ending).await.ok()
    }

    async fn read(&mut self) -> Result<(), Gone> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => {
                for reply in decode_replies(Format::Json, text.as_bytes()).expect("the server's frames decode") {
                    if reply == Reply::default() {
                        self.stream.send(Message::text("{}")).await.map_err(|_| Gone(None))?;
                    } else if let Some(push) = reply.push {
                        self.pushes.push_back(push);
                    } else {
                        self.replies.push_back(reply);
                    }
                }
                Ok(())
            }
            Some(Ok(Message::Close(frame))) => Err(Gone(frame.map(|frame| frame.code.into()))),
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(Gone(None)),
        }
    }
}

pub fn rpc(method: &str, data: Value) -> Request {
    Request::Rpc(RpcRequest { method: method.to_owned(), data: data.to_string().into() })
}

pub fn outcome(reply: Reply) -> Result<Value, Refusal> {
    match (reply.rpc, reply.error) {
        (Some(result), _) => Ok(serde_json::from_slice(&result.data).unwrap()),
        (_, Some(error)) => Err(Refusal { code: error.code, message: error.message, temporary: error.temporary }),
        other => panic!("neither result nor error: {other:?}"),
    }
}

pub fn body(publication: &Publication) -> Value {
    serde_json::from_slice(&publication.data).unwrap()
}
