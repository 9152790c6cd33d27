//! A lean WebSocket client (RFC 6455): what a load generator needs and no more.
//!
//! It shares its cores with the server under test, so a received frame is parsed in place in one buffer shared by all
//! sockets of the thread; a socket owns memory only for the piece of a frame that has not arrived yet.
//! No extensions are offered, so no server compresses for us.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{Error, ErrorKind, Result},
    pin::Pin,
    rc::Rc,
    task::ready,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use crate::net::{Sources, Target};

/// One read takes at most this; larger than the 32 KiB that Rialto writes at a time.
const READ_BYTES: usize = 256 * 1024;
/// A frame above this is a broken server, not a message.
const FRAME_LIMIT: usize = 16 * 1024 * 1024;
/// The key and the answer to it are RFC 6455's own example: fixed, so that no SHA-1 is needed to check the answer.
const HANDSHAKE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const HANDSHAKE_ANSWER: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A client must mask; the value does not matter to a load test.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x3c, 0xa5];

/// The buffer that all sockets of one thread read into, one at a time, never across an await.
#[derive(Clone)]
pub struct Scratch(Rc<RefCell<Vec<u8>>>);

impl Scratch {
    pub fn new() -> Self {
        Self(Rc::new(RefCell::new(vec![0; READ_BYTES])))
    }
}

pub enum Frame<'a> {
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Close(u16, String),
}

/// The sending side.
pub struct Socket(OwnedWriteHalf);

/// The receiving side, and what of its stream has arrived but is not a whole message yet.
pub struct Reader {
    stream: OwnedReadHalf,
    held: Vec<u8>,
    /// Fragments of a message whose last frame is still to come, and whether it is text.
    fragments: Option<(bool, Vec<u8>)>,
}

impl Socket {
    pub async fn open(
        sources: &Sources,
        target: &Target,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(Self, Reader)> {
        let mut stream = sources.dial(target).await?;
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {HANDSHAKE_KEY}\r\n",
            target.host
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(512);
        let head = loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(Error::new(ErrorKind::ConnectionAborted, "closed during the handshake"));
            }
            if let Some(end) = memchr::memmem::find(&answer, b"\r\n\r\n") {
                break end + 4;
            }
            if answer.len() > 64 * 1024 {
                return Err(Error::new(ErrorKind::InvalidData, "endless handshake answer"));
            }
        };
        let text = String::from_utf8_lossy(answer.get(..head).unwrap_or_default()).into_owned();
        if !text.starts_with("HTTP/1.1 101") || !text.contains(HANDSHAKE_ANSWER) {
            let first = text.lines().next().unwrap_or_default().to_owned();
            return Err(Error::new(ErrorKind::ConnectionRefused, format!("no upgrade: {first}")));
        }
        let (read, write) = stream.into_split();
        Ok((Self(write), Reader { stream: read, held: answer.split_off(head), fragments: None }))
    }

    pub async fn send_text(&self, payload: &[u8]) -> Result<()> {
        self.send(0x1, payload).await
    }

    pub async fn send_binary(&self, payload: &[u8]) -> Result<()> {
        self.send(0x2, payload).await
    }

    pub async fn send_pong(&self, payload: &[u8]) -> Result<()> {
        self.send(0xa, payload).await
    }

    async fn send(&self, opcode: u8, payload: &[u8]) -> Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        frame.push(0x80 | opcode);
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | short as u8),
            medium @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            match self.0.try_write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                // Frames of two senders could mix here; the generator's frames are far smaller than a socket's buffer.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.0.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cuts the connection as a vanished network would: a reset, no close frame, no TIME_WAIT left here. It takes effect when
    /// both halves are gone.
    pub fn cut(&self) {
        self.0.as_ref().set_zero_linger().ok();
    }
}

impl Reader {
    /// Waits until something arrives and hands every whole frame of it to `each`. `Ok(0)`: the peer has closed.
    pub async fn receive(&mut self, scratch: &Scratch, mut each: impl FnMut(Frame<'_>)) -> Result<usize> {
        let early = std::mem::take(&mut self.held);
        if !early.is_empty() {
            let used = self.parse(&early, &mut each)?;
            self.held = early.get(used..).unwrap_or_default().to_vec();
            if used > 0 {
                return Ok(used);
            }
        }
        // Not `readable` and `try_read`: those need a second read to learn that there is no more, this one does not.
        poll_fn(|context| {
            let mut scratch = scratch.0.borrow_mut();
            let mut buffer = ReadBuf::new(scratch.as_mut_slice());
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let fresh = buffer.filled();
            if self.held.is_empty() {
                let used = self.parse(fresh, &mut each)?;
                self.held.extend_from_slice(fresh.get(used..).unwrap_or_default());
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(fresh);
                let used = self.parse(&held, &mut each)?;
                held.drain(..used);
                self.held = held;
            }
            Ok(fresh.len()).into()
        })
        .await
    }

    /// Returns how many bytes belonged to whole frames.
    fn parse(&mut self, bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) -> Result<usize> {
        let mut used = 0;
        while let Some((finished, opcode, payload, length)) = split_frame(bytes.get(used..).unwrap_or_default())? {
            used += length;
            match (opcode, finished) {
                (0x1, true) => each(Frame::Text(payload)),
                (0x2, true) => each(Frame::Binary(payload)),
                (0x1 | 0x2, false) => self.fragments = Some((opcode == 0x1, payload.to_vec())),
                (0x0, _) => self.continued(payload, finished, each),
                (0x8, _) => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    each(Frame::Close(
                        code,
                        String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned(),
                    ));
                }
                (0x9, _) => each(Frame::Ping(payload)),
                _ => {}
            }
        }
        Ok(used)
    }

    fn continued(&mut self, payload: &[u8], finished: bool, each: &mut impl FnMut(Frame<'_>)) {
        if let Some((_, gathered)) = &mut self.fragments {
            gathered.extend_from_slice(payload);
        }
        if finished && let Some((text, gathered)) = self.fragments.take() {
            each(if text { Frame::Text(&gathered) } else { Frame::Binary(&gathered) });
        }
    }
}

/// (final, opcode, payload, length with header)
type RawFrame<'a> = (bool, u8, &'a [u8], usize);

/// The frame at the front of `bytes`, or `None` if it is not whole.
fn split_frame(bytes: &[u8]) -> Result<Option<RawFrame<'_>>> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    let (header, length) = match second & 0x7f {
        126 => match bytes.get(2..4).and_then(|raw| raw.first_chunk()) {
            Some(raw) => (4, usize::from(u16::from_be_bytes(*raw))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|raw| raw.first_chunk()) {
            Some(raw) => (10, usize::try_from(u64::from_be_bytes(*raw)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        short => (2, usize::from(short)),
    };
    if length > FRAME_LIMIT || second & 0x80 != 0 {
        return Err(Error::new(ErrorKind::InvalidData, "a frame that no server may send"));
    }
    Ok(bytes.get(header..header + length).map(|payload| (first & 0x80 != 0, first & 0x0f, payload, header + length)))
}
