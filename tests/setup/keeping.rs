//! Data survives: a second start, `kill -9` of either process, a second `serve`, an unfinished first start.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::program::{
    PATIENCE, Stage, is_ready, mode, pause, postmaster, processes_below, run, socket_dir, sql, text, wait,
};

const KEEP: &str = "CREATE SCHEMA kept CREATE TABLE words (word text); INSERT INTO kept.words VALUES ('still here')";
const KEPT: &str = "SELECT word FROM kept.words";

#[test]
fn a_second_start_takes_seconds_and_keeps_the_data() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let first = stage.serve(stage.unprivileged_command(), &data_dir);
    sql(&stage, &data_dir, KEEP);

    let stopping = first.stop();
    assert!(stopping < Duration::from_secs(10), "stopping took {stopping:?}");
    assert_eq!(processes_below(stage.path()), [], "the store outlived an orderly stop");

    let second = stage.serve(stage.unprivileged_command(), &data_dir);
    assert_eq!(sql(&stage, &data_dir, KEPT), "still here");
    second.stop();
}

#[test]
fn the_store_is_durable_private_and_not_on_the_network() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let server = stage.serve(stage.unprivileged_command(), &data_dir);

    let setting = |name: &str| sql(&stage, &data_dir, &format!("SHOW {name}"));
    for name in ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"] {
        assert_eq!(setting(name), "on", "{name}");
    }
    assert_eq!(setting("listen_addresses"), "");
    assert_eq!(mode(&data_dir), 0o700);
    assert_eq!(mode(&socket_dir(&data_dir)), 0o700);
    assert_eq!(mode(&data_dir.join("postgres/secrets.json")), 0o600);
    let roles = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles
                 WHERE rolname LIKE 'rialto%' AND NOT rolsuper AND rolbypassrls = (rolname = 'rialto_backup')";
    assert_eq!(sql(&stage, &data_dir, roles), "rialto_app rialto_backup rialto_owner rialto_platform");
    server.stop();
}

#[test]
fn a_killed_server_leaves_its_store_to_the_next() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let mut first = stage.serve(stage.unprivileged_command(), &data_dir);
    sql(&stage, &data_dir, KEEP);
    let survivor = postmaster(&data_dir).unwrap();

    first.kill();
    assert!(kill(survivor, None).is_ok(), "the store died with its server, which shows nothing");

    let second = stage.serve(stage.unprivileged_command(), &data_dir);
    assert_eq!(postmaster(&data_dir), Some(survivor), "the store was not adopted");
    assert_eq!(sql(&stage, &data_dir, KEPT), "still here");
    second.stop();
    assert_eq!(processes_below(stage.path()), [], "an adopted store outlived an orderly stop");
}

/// Also one that it has adopted, which is known by its working directory alone.
#[test]
fn a_server_whose_data_directory_is_deleted_under_it_ends_in_time_with_its_store() {
    for adopted in [false, true] {
        let stage = Stage::new();
        let data_dir = stage.private_folder("home").join("data");
        let mut server = stage.serve(stage.unprivileged_command(), &data_dir);
        if adopted {
            server.kill();
            server = stage.serve(stage.unprivileged_command(), &data_dir);
        }
        let store = postmaster(&data_dir).unwrap();

        std::fs::remove_dir_all(&data_dir).unwrap();
        assert!(kill(store, None).is_ok(), "the store ended by itself, which shows nothing");
        let stopping = server.stop();

        assert!(stopping < Duration::from_secs(10), "stopping took {stopping:?}");
        assert_eq!(processes_below(stage.path()), [], "the store outlived its server; adopted: {adopted}");
    }
}

/// Something that holds the process, here a PostgreSQL that stands still, holds it no longer than `server.stop_within`.
#[test]
fn a_stop_that_is_held_up_is_cut_and_loses_nothing() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let mut command = stage.unprivileged_command();
    command.env("RIALTO_SERVER__STOP_WITHIN", "2s");
    let mut held = stage.serve(command, &data_dir);
    sql(&stage, &data_dir, KEEP);
    let store = postmaster(&data_dir).unwrap();
    kill(store, Signal::SIGSTOP).unwrap();

    held.signal(Signal::SIGTERM);
    let status = wait(&mut held.child);

    assert_eq!(status.code(), Some(1), "{}", held.screen());
    assert!(held.screen().contains("what is left is cut"), "{}", held.screen());
    kill(store, Signal::SIGCONT).unwrap();
    let next = stage.serve(stage.unprivileged_command(), &data_dir);
    assert_eq!(sql(&stage, &data_dir, KEPT), "still here");
    next.stop();
}

#[test]
fn a_store_that_does_not_answer_is_stopped_and_started_anew() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let mut first = stage.serve(stage.unprivileged_command(), &data_dir);
    sql(&stage, &data_dir, KEEP);
    let survivor = postmaster(&data_dir).unwrap();
    first.kill();
    // Its socket is gone: it lives, and nobody can reach it.
    std::fs::remove_file(socket_dir(&data_dir).join(".s.PGSQL.5432")).unwrap();

    let second = stage.serve(stage.unprivileged_command(), &data_dir);

    assert_ne!(postmaster(&data_dir), Some(survivor));
    assert_eq!(sql(&stage, &data_dir, KEPT), "still here");
    second.stop();
}

#[test]
fn a_killed_store_and_server_recover_from_the_log() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let mut first = stage.serve(stage.unprivileged_command(), &data_dir);
    sql(&stage, &data_dir, KEEP);
    let store = postmaster(&data_dir).unwrap();

    first.kill();
    kill(store, Signal::SIGKILL).unwrap();
    let second = stage.serve(stage.unprivileged_command(), &data_dir);

    assert_eq!(sql(&stage, &data_dir, KEPT), "still here");
    second.stop();
}

#[test]
fn a_store_that_was_killed_under_a_running_server_comes_back() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let server = stage.serve(stage.unprivileged_command(), &data_dir);
    sql(&stage, &data_dir, KEEP);
    let first = postmaster(&data_dir).unwrap();

    kill(first, Signal::SIGKILL).unwrap();

    let until = Instant::now() + PATIENCE;
    while (postmaster(&data_dir).is_none_or(|pid| pid == first) || !is_ready(&data_dir)) && Instant::now() < until {
        pause();
    }
    assert_eq!(sql(&stage, &data_dir, KEPT), "still here");
    server.stop();
    assert_eq!(processes_below(stage.path()), []);
}

#[test]
fn a_second_serve_exits_and_names_the_pid_of_the_first() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let first = stage.serve(stage.unprivileged_command(), &data_dir);

    let mut second = stage.start(stage.unprivileged_command(), &data_dir);
    let status = wait(&mut second.child);

    assert!(!status.success());
    let pid = format!("pid {}", first.child.id());
    assert!(second.screen().contains(&pid), "{}", second.screen());
    first.stop();
}

#[test]
fn another_verb_uses_the_store_of_a_running_server_and_leaves_it_running() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let mut server = stage.serve(stage.unprivileged_command(), &data_dir);
    let store = postmaster(&data_dir);

    let output = run(stage.unprivileged_command().args(["doctor", "--data-dir"]).arg(&data_dir));

    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(postmaster(&data_dir), store);
    server.wait_until_live();
    server.stop();
}

#[test]
fn a_first_start_that_was_killed_is_made_good_by_the_next() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let mut first = stage.start(stage.unprivileged_command(), &data_dir);
    let is_being_made = || {
        let entries = std::fs::read_dir(data_dir.join("postgres")).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("cluster."))
    };
    let until = Instant::now() + PATIENCE;
    while !is_being_made() && Instant::now() < until {
        pause();
    }
    first.kill();

    let second = stage.serve(stage.unprivileged_command(), &data_dir);

    second.stop();
}

#[test]
fn a_long_path_with_spaces_works_too() {
    let stage = Stage::new();
    let home = stage.private_folder("home");
    let data_dir = home.join("a folder of Ada's, $HOME \"quoted\"").join("x".repeat(100)).join("data");
    let server = stage.serve(stage.unprivileged_command(), &data_dir);

    assert_eq!(mode(&socket_dir(&data_dir)), 0o700);
    let socket_dir = socket_dir(&data_dir);
    assert!(socket_dir.starts_with("/tmp/"), "{}", socket_dir.display());
    server.stop();
    assert!(!socket_dir.exists(), "the socket's folder was left behind");
}

/// Signs in by hand: one request needs no client.
fn sign_in(port: u16, email: &str) -> String {
    let body = format!(r#"{{"email":"{email}","password":"rialto-demo"}}"#);
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(socket, "POST /v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n")
        .unwrap();
    write!(socket, "Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_demo_is_seeded_once_and_its_address_and_accounts_are_printed() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let demo = || {
        let mut command = stage.unprivileged_command();
        command.env("RIALTO_DEMO", "true");
        stage.serve(command, &data_dir)
    };
    let first = demo();
    let screen = first.screen();
    assert!(screen.contains(&format!("http://127.0.0.1:{}", first.port)), "{screen}");
    for name in ["ada", "bo", "cy", "mo", "vera", "tam"] {
        let email = format!("{name}@demo.example");
        assert!(screen.contains(&email) && screen.contains("rialto-demo"), "{screen}");
        assert!(sign_in(first.port, &email).starts_with("HTTP/1.1 200"), "{email}");
    }
    let count = "SELECT (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM rooms)";
    let seeded = sql(&stage, &data_dir, count);
    first.stop();
    let second = demo();
    assert_eq!(sql(&stage, &data_dir, count), seeded);
    second.stop();
}

#[test]
fn a_tenant_is_made_from_a_file_and_listed_as_json() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    let server = stage.serve(stage.unprivileged_command(), &data_dir);
    let file = stage.path().join("tenant.yaml");
    std::fs::write(&file, "name: Harbour Club\nslug: harbour\nplan: pro\nadmin_email: admin@harbour.example\n")
        .unwrap();
    let tenant = |arguments: &[&str]| -> serde_json::Value {
        let output = run(stage.unprivileged_command().arg("tenant").args(arguments).env("RIALTO_DATA_DIR", &data_dir));
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    tenant(&["provision", "--config", file.to_str().unwrap()]);
    let list = tenant(&["list"]);
    let found: Vec<_> = list["items"].as_array().unwrap().iter().filter(|item| item["slug"] == "harbour").collect();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["name"], &found[0]["plan"]), (&"Harbour Club".into(), &"pro".into()));
    for (verb, state) in
        [("status", "active"), ("suspend", "suspended"), ("resume", "active"), ("terminate", "terminated")]
    {
        assert_eq!(tenant(&[verb, "harbour"])["tenant"]["state"], state, "{verb}");
    }
    let refused =
        run(stage.unprivileged_command().args(["tenant", "resume", "harbour"]).env("RIALTO_DATA_DIR", &data_dir));
    assert_eq!(refused.status.code(), Some(1), "who is terminated does not come back");
    server.stop();
}
