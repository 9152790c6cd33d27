//! A small HTTP/1.1 client for the JSON API: keep-alive, one request at a time, waits where the server says "later".

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::net::{Sources, Target};

/// A server under load may say 429 or 503 during set-up; more often than this means that set-up cannot work.
const ATTEMPTS: u32 = 60;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Http<'a> {
    sources: &'a Sources,
    target: &'a Target,
    tenant: Option<&'a str>,
    stream: Option<TcpStream>,
}

pub struct Answer {
    pub status: u16,
    pub retry_after_s: Option<u64>,
    pub body: Vec<u8>,
}

impl<'a> Http<'a> {
    pub fn new(sources: &'a Sources, target: &'a Target, tenant: Option<&'a str>) -> Self {
        Self { sources, target, tenant, stream: None }
    }

    /// A JSON call that must succeed; 429 and 503 are waited for, everything else names itself.
    pub async fn call(&mut self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Value> {
        for attempt in 0..ATTEMPTS {
            let answer = match self.send(method, path, token, body).await {
                Ok(answer) => answer,
                // A kept connection may have been closed under us; the next attempt opens a new one.
                Err(_) if attempt == 0 => {
                    self.stream = None;
                    continue;
                }
                Err(error) => return Err(error.context(format!("{method} {path}"))),
            };
            match answer.status {
                200..=299 if answer.body.is_empty() => return Ok(Value::Null),
                200..=299 => {
                    return serde_json::from_slice(&answer.body).with_context(|| format!("{method} {path}: not JSON"));
                }
                429 | 503 => {
                    tokio::time::sleep(Duration::from_secs(answer.retry_after_s.unwrap_or(1).clamp(1, 30))).await
                }
                status => bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer.body)),
            }
        }
        bail!("{method} {path}: the server kept saying \"later\"; raise its limits for the test")
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nContent-Length: {}\r\n",
            self.target.host,
            body.len()
        );
        if !body.is_empty() {
            request.push_str("Content-Type: application/json\r\n");
        }
        if let Some(token) = token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if let Some(tenant) = self.tenant {
            request.push_str(&format!("Rialto-Tenant: {tenant}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.sources.dial(self.target).await?,
        };
        stream.write_all(request.as_bytes()).await?;
        let (answer, keep) = timeout(ANSWER_TIMEOUT, read_answer(&mut stream)).await.context("no answer")??;
        self.stream = keep.then_some(stream);
        Ok(answer)
    }
}

async fn read_answer(stream: &mut TcpStream) -> Result<(Answer, bool)> {
    let mut bytes = Vec::with_capacity(4096);
    let head_end = loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("closed before an answer");
        }
    };
    let head = String::from_utf8_lossy(bytes.get(..head_end).unwrap_or_default()).to_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("not an HTTP answer")?;
    let retry_after_s = header("retry-after").and_then(|value| value.parse().ok());
    let keep = header("connection") != Some("close");
    let chunked = header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let length = header("content-length").and_then(|value| value.parse::<usize>().ok());
    let mut body = bytes.split_off(head_end);
    if chunked {
        loop {
            if let Some(whole) = join_chunks(&body) {
                return Ok((Answer { status, retry_after_s, body: whole }, keep));
            }
            if stream.read_buf(&mut body).await? == 0 {
                bail!("closed inside a body");
            }
        }
    }
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await? == 0 {
            bail!("closed inside a body");
        }
    }
    Ok((Answer { status, retry_after_s, body }, keep))
}

/// The body of a chunked answer, once its last chunk is there.
fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line_end = memchr::memmem::find(rest, b"\r\n")?;
        let size_text = std::str::from_utf8(rest.get(..line_end)?).ok()?;
        let size = usize::from_str_radix(size_text.split(';').next()?.trim(), 16).ok()?;
        let chunk = rest.get(line_end + 2..)?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(chunk.get(..size)?);
        rest = chunk.get(size + 2..)?;
    }
}
