//! Starts what is to be measured, waits until it answers, and ends it: Rialto with a fresh data directory, the rivals with
//! the settings in `peers/`. Everything runs on loopback ports of its own.

use std::{
    fs::File,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    clock,
    http::Http,
    net::{Sources, Target},
    procs::{Probe, postmaster_socket, postmasters},
    runs::say,
    scenario::Server,
};

const START_TIMEOUT: Duration = Duration::from_secs(120);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Where the programs are.
pub struct Programs {
    pub rialto: PathBuf,
    pub centrifugo: PathBuf,
    pub peers: PathBuf,
}

pub struct Running {
    child: Child,
    pub target: Target,
    pub probe: Probe,
    /// The data directory, removed with this.
    pub data: TempDir,
    pub database_url: Option<String>,
}

impl Programs {
    /// Makes the rivals that `servers` name and that are not there yet, or says what is missing for that.
    pub fn prepare(&self, servers: &[Server]) -> Result<()> {
        if servers.contains(&Server::Rialto) && !self.rialto.exists() {
            bail!("{} is missing: cargo build --release, or name a build with --rialto", self.rialto.display());
        }
        if servers.contains(&Server::Centrifugo) && is_older(&self.centrifugo, &self.peers.join("go.sum")) {
            say("building Centrifugo (some minutes, once)");
            let output = std::path::absolute(&self.centrifugo)?;
            let mut build = Command::new("go");
            build
                .arg("build")
                .arg("-o")
                .arg(output)
                .arg("github.com/centrifugal/centrifugo/v6")
                .current_dir(&self.peers);
            finish(build, "Go builds Centrifugo; Debian: apt-get install golang")?;
        }
        let installed = self.peers.join("node_modules/.package-lock.json");
        let has_node = servers.iter().any(|server| matches!(server, Server::Ws | Server::SocketIo));
        if has_node && is_older(&installed, &self.peers.join("package-lock.json")) {
            say("installing ws and Socket.IO");
            let mut install = Command::new("npm");
            install.args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&self.peers);
            finish(install, "npm installs ws and Socket.IO; Debian: apt-get install nodejs npm")?;
        }
        Ok(())
    }

    pub async fn start(&self, server: Server, logs: &Path) -> Result<Running> {
        let target = Target::loopback(free_port()?);
        let port = target.address.port().to_string();
        let data = tempfile::Builder::new().prefix("rialto-bench-").tempdir()?;
        // Rialto drops root's rights; what it drops to must be able to pass.
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755))?;
        let clusters_before = postmasters();
        let mut command = match server {
            Server::Rialto => {
                let mut command = Command::new(&self.rialto);
                command.args(["serve", "--demo", "--listen", &target.host, "--data-dir"]).arg(data.path().join("data"));
                command.arg("--config").arg(self.peers.join("rialto.yaml"));
                command
            }
            Server::Centrifugo => {
                let mut command = Command::new(&self.centrifugo);
                command.arg("-c").arg(self.peers.join("centrifugo.json"));
                command.envs([("CENTRIFUGO_HTTP_SERVER_ADDRESS", "127.0.0.1"), ("CENTRIFUGO_HTTP_SERVER_PORT", &port)]);
                command
            }
            Server::Ws => node(&self.peers.join("ws.js"), &port),
            Server::SocketIo => node(&self.peers.join("socketio.js"), &port),
        };
        let log = File::create(logs.join(format!("{}.log", server.name())))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {}", server.name()))?;
        let probe = Probe { server: Some(child.id()), postmaster: None };
        let mut running = Running { child, target, probe, data, database_url: None };
        running.until_ready(server).await.with_context(|| format!("{}: see {}", server.name(), logs.display()))?;
        if server == Server::Rialto {
            running.probe.postmaster = postmasters().into_iter().find(|pid| !clusters_before.contains(pid));
            running.database_url = Some(running.find_database()?);
        }
        Ok(running)
    }
}

/// A product that is missing, or made before what it is made from.
fn is_older(product: &Path, source: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    changed(product).is_none_or(|product| changed(source).is_some_and(|source| source > product))
}

fn finish(mut command: Command, hint: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{name} did not start ({hint})"))?;
    if !status.success() {
        bail!("{name} ended with {status} ({hint})");
    }
    Ok(())
}

fn node(script: &Path, port: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script).arg(port);
    command
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Running {
    async fn until_ready(&mut self, server: Server) -> Result<()> {
        let sources = Sources::default();
        let deadline = clock::now() + START_TIMEOUT;
        while clock::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            let mut http = Http::new(&sources, &self.target, None);
            let asked = timeout(ANSWER_TIMEOUT, http.send("GET", "/health/ready", None, None)).await;
            // The peers have no such page: any answer means that they listen.
            if let Ok(Ok(answer)) = asked
                && (answer.status == 200 || server != Server::Rialto)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("not ready within {START_TIMEOUT:?}")
    }

    /// A URL of the embedded cluster: its socket from `postmaster.pid`, the owner's password from the file beside it.
    fn find_database(&self) -> Result<String> {
        #[derive(serde::Deserialize)]
        struct Secrets {
            owner: String,
        }
        let postmaster = self.probe.postmaster.context("the server has started no PostgreSQL")?;
        let (data, directory, port) = postmaster_socket(postmaster)?;
        let file = data.parent().context("a cluster at the root")?.join("secrets.json");
        let secrets = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let Secrets { owner } = serde_json::from_slice(&secrets)?;
        Ok(format!("postgresql://rialto_owner:{owner}@/rialto?host={directory}&port={port}"))
    }

    /// Ends the server the polite way, and its PostgreSQL if that has outlived it.
    pub async fn stop(mut self) -> Result<()> {
        signal(self.child.id(), Signal::TERM);
        let deadline = clock::now() + STOP_TIMEOUT;
        while self.child.try_wait()?.is_none() {
            if clock::now() > deadline {
                self.child.kill()?;
                bail!("the server did not stop within {STOP_TIMEOUT:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Running {
    /// Whatever went wrong, nothing may stay behind: it would be measured with the next server.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if let Some(postmaster) = self.probe.postmaster.filter(|pid| postmasters().contains(pid)) {
            signal(postmaster, Signal::INT);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}
