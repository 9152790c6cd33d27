//! One server with its own store and the people in it.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::program::{PATIENCE, Stage, is_live, pause, postmaster, sql};

const PASSWORD: &str = "correct horse";
/// The demo's tenant admin, and the password that it has on a loopback address.
const ADMIN: (&str, &str) = ("tam@demo.example", "rialto-demo");

/// A server that can be killed and started again on the same port and data.
pub struct Node {
    stage: Stage,
    data_dir: PathBuf,
    pub port: u16,
    child: Mutex<Option<Child>>,
    settings: Vec<(&'static str, &'static str)>,
    people: AtomicU64,
}

/// Somebody who has signed in.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
    pub email: String,
    base: String,
    http: reqwest::Client,
}

/// A public room in a community of its own.
#[derive(Clone)]
pub struct Place {
    pub room: String,
    pub community: String,
}

impl Place {
    pub fn channel(&self) -> String {
        format!("room:{}", self.room)
    }
}

impl Node {
    /// Starts a server with the demo's tenant, in which nobody is slowed down for writing or signing up much.
    pub async fn start(settings: &[(&'static str, &'static str)]) -> Self {
        // reqwest is built without a choice of its own.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let settings = settings.to_vec();
        tokio::task::spawn_blocking(move || {
            let stage = Stage::new();
            let data_dir = stage.private_folder("data");
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let node = Self { stage, data_dir, port, child: Mutex::default(), settings, people: AtomicU64::new(0) };
            node.launch();
            node
        })
        .await
        .unwrap()
    }

    /// Starts the program and waits until it answers.
    pub fn launch(&self) {
        let screen = self.stage.path().join("screen.log");
        let output = fs::OpenOptions::new().create(true).append(true).open(&screen).unwrap();
        let mut command = self.stage.unprivileged_command();
        let plenty = "1000000";
        for (name, value) in [
            ("LIMITS__POSTING__PER_PERSON__PER_SECOND", plenty),
            ("LIMITS__POSTING__PER_PERSON__BURST", plenty),
            ("LIMITS__ADMISSION__REQUESTS_PER_ADDRESS__PER_SECOND", plenty),
            ("LIMITS__ADMISSION__REQUESTS_PER_ADDRESS__BURST", plenty),
            ("LIMITS__SIGNING_IN__REGISTER_PER_ADDRESS", "{attempts=1000000, within=\"1h\"}"),
        ]
        .iter()
        .chain(&self.settings)
        {
            command.env(format!("RIALTO_{name}"), value);
        }
        command.args(["serve", "--demo", "--listen", &format!("127.0.0.1:{}", self.port), "--data-dir"]);
        let mut child = command.arg(&self.data_dir).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while !is_live(self.port) {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "serve {ended:?}:\n{}", self.screen());
            pause();
        }
        *self.child.lock().unwrap() = Some(child);
    }

    pub fn screen(&self) -> String {
        fs::read_to_string(self.stage.path().join("screen.log")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().unwrap().id()
    }

    /// `kill -9` of the server; its PostgreSQL lives on.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap().take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ctrl-C, to the end.
    pub fn stop(&self) {
        let mut child = self.child.lock().unwrap().take().unwrap();
        kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
        assert!(crate::program::wait(&mut child).success(), "{}", self.screen());
    }

    pub fn data_dir(&self) -> &std::path::Path {
        &self.data_dir
    }

    /// Whether the process that was started last still runs.
    pub fn is_running(&self) -> bool {
        self.child.lock().unwrap().as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Sends a signal to the main process of PostgreSQL: SIGQUIT is `pg_ctl stop -m immediate`, SIGINT `-m fast`.
    pub fn signal_store(&self, signal: Signal) {
        kill(postmaster(&self.data_dir).expect("PostgreSQL runs"), signal).unwrap();
    }

    /// Signals PostgreSQL and waits for its successor, which starts only when all of the old one is gone.
    pub async fn restart_store(&self, signal: Signal) {
        let before = postmaster(&self.data_dir).expect("PostgreSQL runs");
        self.signal_store(signal);
        let deadline = Instant::now() + Duration::from_secs(60);
        while postmaster(&self.data_dir).is_none_or(|now| now == before) {
            assert!(Instant::now() < deadline, "PostgreSQL was not started again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A program of this server's, such as `tenant suspend demo`, to its end.
    pub fn run(&self, arguments: &[&str]) {
        let mut command = self.stage.unprivileged_command();
        command.args(arguments).env("RIALTO_DATA_DIR", &self.data_dir);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Rows of a statement, fields separated by `|`, as the store's superuser.
    pub fn sql(&self, statement: &str) -> Vec<Vec<String>> {
        let text = sql(&self.stage, &self.data_dir, statement);
        text.lines().map(|line| line.split('|').map(ToOwned::to_owned).collect()).collect()
    }

    pub fn number(&self, statement: &str) -> u64 {
        self.sql(statement)[0][0].parse().unwrap()
    }

    /// Resident memory of the server, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A counter of `/health/stats`.
    pub async fn counter(&self, name: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/health/stats", self.port);
        let stats: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        stats["counters"][name].as_u64().unwrap_or_else(|| panic!("no {name} in {stats}"))
    }

    /// A new account, signed in.
    pub async fn person(&self) -> Person {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let body = json!({"email": format!("p{number}@test.example"), "password": PASSWORD,
                          "display_name": format!("Person {number}"), "handle": format!("person{number}")});
        self.sign("register", body).await
    }

    /// Another session of somebody who has an account.
    pub async fn another_device(&self, person: &Person) -> Person {
        self.sign("login", json!({"email": person.email, "password": PASSWORD})).await
    }

    /// The tenant's admin.
    pub async fn admin(&self) -> Person {
        self.sign("login", json!({"email": ADMIN.0, "password": ADMIN.1})).await
    }

    async fn sign(&self, verb: &str, body: Value) -> Person {
        let (http, base) = (reqwest::Client::new(), format!("http://127.0.0.1:{}", self.port));
        let answer = http.post(format!("{base}/v1/auth/{verb}")).json(&body).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(status.is_success(), "{status} {body}");
        let (user, token) = (&body["user"], text(&body["access_token"]));
        Person { id: text(&user["id"]), email: text(&user["email"]), token, base, http }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let screen = self.screen();
            let tail: Vec<_> = screen.lines().rev().take(60).collect();
            eprintln!("the end of the server's log:");
            tail.into_iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

impl Person {
    /// A public room in a new open community.
    pub async fn found(&self) -> Place {
        let name = Uuid::new_v4().simple().to_string();
        let community = self.post("/v1/communities", json!({"name": name, "join_policy": "open"})).await;
        let community = text(&community["id"]);
        let rooms = format!("/v1/communities/{community}/rooms");
        let room = self.post(&rooms, json!({"name": "crossing", "kind": "public"})).await;
        Place { room: text(&room["id"]), community }
    }

    pub async fn join(&self, place: &Place) {
        self.post(&format!("/v1/communities/{}/join", place.community), json!({})).await;
    }

    /// Sends a message; answers its offset.
    pub async fn say(&self, place: &Place, text: &str) -> u64 {
        let body = json!({"client_id": Uuid::new_v4(), "text": text});
        self.post(&format!("/v1/rooms/{}/messages", place.room), body).await["offset"].as_u64().unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.expect(reqwest::Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Value {
        self.expect(reqwest::Method::PATCH, path, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.expect(reqwest::Method::GET, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Value {
        self.expect(reqwest::Method::DELETE, path, None).await
    }

    async fn expect(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.try_call(method.clone(), path, body).await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Status and body; an error when nobody answered.
    pub async fn try_call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.timeout(Duration::from_secs(20)).send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_str(&answer.text().await?).unwrap_or(Value::Null)))
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}
