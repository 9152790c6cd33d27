//! The program under test: a copy of it in a folder that every user may enter, and the processes that it leaves behind.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

/// Generous: other tests use the machine too.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A folder with the program in it, removed at the end together with every PostgreSQL below it.
pub struct Stage {
    folder: tempfile::TempDir,
}

/// A running `rialto serve`.
pub struct Server {
    pub child: Child,
    pub port: u16,
    screen: PathBuf,
}

/// Whom the tests run the program as when they are root themselves.
pub fn unprivileged() -> Option<User> {
    geteuid().is_root().then(|| User::from_name("nobody").unwrap().expect("the user nobody exists"))
}

impl Stage {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("rialto-setup-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("rialto");
        copy(Path::new(env!("CARGO_BIN_EXE_rialto")), &program);
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder of the unprivileged user, mode 0700.
    pub fn private_folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        if let Some(user) = unprivileged() {
            chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        path
    }

    /// The program with no settings but those given; as root if the tests are.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.path().join("rialto"));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin").current_dir(self.path());
        command.stdin(Stdio::null());
        command
    }

    /// As [`Stage::command`], as the unprivileged user.
    pub fn unprivileged_command(&self) -> Command {
        let mut command = self.command();
        if let Some(user) = unprivileged() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Starts `serve` and waits until it answers.
    pub fn serve(&self, command: Command, data_dir: &Path) -> Server {
        let mut server = self.start(command, data_dir);
        server.wait_until_live();
        server
    }

    /// Starts `serve` and returns at once.
    pub fn start(&self, mut command: Command, data_dir: &Path) -> Server {
        let port = free_port();
        let screen = self.path().join(format!("screen-{port}.log"));
        let output = fs::File::create(&screen).unwrap();
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(data_dir);
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Server { child, port, screen }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for pid in processes_below(self.path()) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

impl Server {
    pub fn screen(&self) -> String {
        fs::read_to_string(&self.screen).unwrap_or_default()
    }

    pub fn wait_until_live(&mut self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("serve ended ({status}):\n{}", self.screen());
            }
            if is_live(self.port) {
                return;
            }
            pause();
        }
        panic!("serve does not answer:\n{}", self.screen());
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Ctrl-C, and how long it took to end.
    pub fn stop(mut self) -> Duration {
        let asked = Instant::now();
        self.signal(Signal::SIGINT);
        let status = wait(&mut self.child);
        assert!(status.success(), "{status}:\n{}", self.screen());
        asked.elapsed()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a program by another process: if this one held the file open for writing while another test's thread forks, starting it
/// would fail ("text file busy").
pub fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

pub fn wait(child: &mut Child) -> std::process::ExitStatus {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        pause();
    }
    panic!("the program does not end");
}

/// Runs to the end; the answer is on stdout, the complaint on stderr.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `GET /health/live` by hand: one line of HTTP needs no client.
pub fn is_live(port: u16) -> bool {
    use std::io::Write;
    let Ok(mut socket) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let request = "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    socket.write_all(request.as_bytes()).is_ok()
        && socket.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The main process of the cluster below `data_dir`.
pub fn postmaster(data_dir: &Path) -> Option<Pid> {
    let record = fs::read_to_string(data_dir.join("postgres/cluster/postmaster.pid")).ok()?;
    record.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// Whether the cluster below `data_dir` accepts connections, as its record says.
pub fn is_ready(data_dir: &Path) -> bool {
    let record = fs::read_to_string(data_dir.join("postgres/cluster/postmaster.pid")).unwrap_or_default();
    record.lines().nth(7).is_some_and(|status| status.trim() == "ready")
}

/// Processes that stand in a folder below `folder`: every PostgreSQL process stands in its cluster.
pub fn processes_below(folder: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let below = processes.filter(|process| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder) && cwd != folder)
    });
    below.filter_map(|process| process.file_name().to_str()?.parse().ok().map(Pid::from_raw)).collect()
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// One value by SQL, as the cluster's own superuser (who is the unprivileged user).
pub fn sql(stage: &Stage, data_dir: &Path, statement: &str) -> String {
    let socket_dir = socket_dir(data_dir);
    let mut command = Command::new("psql");
    command.args(["-XAtq", "-U", "postgres", "-d", "rialto", "-c", statement, "-h"]).arg(socket_dir);
    command.current_dir(stage.path()).env_remove("PGPORT");
    if let Some(user) = owner(data_dir) {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn owner(data_dir: &Path) -> Option<User> {
    use std::os::unix::fs::MetadataExt;
    let uid = fs::metadata(data_dir).unwrap().uid();
    User::from_uid(uid.into()).unwrap().filter(|_| geteuid().is_root())
}

/// PostgreSQL's own record says where its socket is.
pub fn socket_dir(data_dir: &Path) -> PathBuf {
    let record = fs::read_to_string(data_dir.join("postgres/cluster/postmaster.pid")).unwrap();
    PathBuf::from(record.lines().nth(4).unwrap())
}
