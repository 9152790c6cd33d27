//! A mail server on loopback, as much of RFC 5321 as a sender meets. It can refuse, and be away.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Who may send.
pub const USER: &str = "rialto";
pub const PASSWORD: &str = "open sesame";

/// One mail as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub from: String,
    pub to: String,
    /// Headers and text.
    pub data: String,
}

impl Arrived {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.data
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_else(|| panic!("no {name} in {}", self.data))
    }
}

#[derive(Default)]
struct Post {
    arrived: Vec<Arrived>,
    /// Answers to `RCPT` that are still to be given, by recipient; then it is 250.
    refusals: HashMap<String, Vec<&'static str>>,
    /// `RCPT` commands, by recipient.
    asked: HashMap<String, usize>,
}

/// A mail server that listens for as long as the test runs.
#[derive(Clone, Default)]
pub struct MailServer {
    post: Arc<Mutex<Post>>,
}

impl MailServer {
    pub fn listen(&self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let post = Arc::clone(&self.post);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let post = Arc::clone(&post);
                std::thread::spawn(move || drop(talk(stream.unwrap(), &post)));
            }
        });
    }

    /// Refuses a recipient with these lines, one after the other.
    pub fn refuse(&self, recipient: &str, answers: &[&'static str]) {
        self.post.lock().unwrap().refusals.insert(recipient.to_owned(), answers.iter().rev().copied().collect());
    }

    pub fn to(&self, recipient: &str) -> Vec<Arrived> {
        self.post.lock().unwrap().arrived.iter().filter(|mail| mail.to == recipient).cloned().collect()
    }

    /// How often somebody tried to send to a recipient.
    pub fn asked_for(&self, recipient: &str) -> usize {
        self.post.lock().unwrap().asked.get(recipient).copied().unwrap_or_default()
    }

    /// Waits until a mail has arrived.
    pub async fn wait_for(&self, recipient: &str) -> Arrived {
        for _ in 0..600 {
            if let Some(mail) = self.to(recipient).pop() {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no mail for {recipient} in a minute");
    }
}

fn talk(stream: TcpStream, post: &Mutex<Post>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    let mut say = |line: &str| out.write_all(format!("{line}\r\n").as_bytes());
    let (mut admitted, mut from, mut to) = (false, String::new(), String::new());
    let expected = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    say("220 mail.test ESMTP")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => say("250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN")?,
            "AUTH" if rest == format!("PLAIN {expected}") => {
                admitted = true;
                say("235 2.7.0 come in")?;
            }
            "AUTH" => say("535 5.7.8 who are you")?,
            "MAIL" if !admitted => say("530 5.7.0 sign in first")?,
            "MAIL" => {
                from = address(rest);
                say("250 2.1.0 ok")?;
            }
            "RCPT" => {
                to = address(rest);
                let refusal = {
                    let mut post = post.lock().unwrap();
                    *post.asked.entry(to.clone()).or_default() += 1;
                    post.refusals.get_mut(&to).and_then(Vec::pop)
                };
                say(refusal.unwrap_or("250 2.1.5 ok"))?;
            }
            "DATA" => {
                say("354 go on")?;
                let mut data = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    data.push('\n');
                }
                post.lock().unwrap().arrived.push(Arrived { from: from.clone(), to: to.clone(), data });
                say("250 2.0.0 queued")?;
            }
            "NOOP" | "RSET" => say("250 2.0.0 ok")?,
            "QUIT" => return say("221 2.0.0 bye"),
            _ => say("500 5.5.2 what?")?,
        }
    }
    Ok(())
}

/// `FROM:<a@b> BODY=8BITMIME` → `a@b`
fn address(text: &str) -> String {
    text.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
