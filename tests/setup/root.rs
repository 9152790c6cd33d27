//! Root's rights: given up before anything runs, and no folder opened for it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::program::{Stage, copy, mode, run, sql, text};

/// These show something only when the tests are root; elsewhere nobody could give rights up.
fn is_root() -> bool {
    if !geteuid().is_root() {
        println!("skipped: the tests are not root");
    }
    geteuid().is_root()
}

/// Uids of a process: real, effective, saved, file system.
fn uids(pid: u32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().map(|uid| uid.parse().unwrap()).collect()
}

#[test]
fn root_becomes_a_service_user_for_good() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    let data_dir = stage.path().join("data");

    let server = stage.serve(stage.command(), &data_dir);

    let uids = uids(server.child.id());
    assert!(uids.iter().all(|uid| *uid != 0), "{uids:?}");
    assert_eq!(fs::metadata(&data_dir).unwrap().uid(), uids[0]);
    assert_eq!(mode(&data_dir), 0o700);
    assert!(server.screen().contains("continuing as the user"), "{}", server.screen());
    server.stop();
}

#[test]
fn clone_and_data_inside_a_closed_folder_stay_closed() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    let closed = stage.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let program = closed.join("rialto");
    copy(&stage.path().join("rialto"), &program);
    let data_dir = closed.join("clone/data");
    fs::create_dir(closed.join("clone")).unwrap();
    let command = || {
        let mut command = std::process::Command::new(&program);
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin").current_dir(closed.join("clone"));
        command
    };

    let server = stage.serve(command(), Path::new("./data"));

    assert_eq!(mode(&closed), 0o700, "a folder was opened up");
    assert!(!data_dir.exists());
    let elsewhere = elsewhere(&server.screen());
    let _removed = Removed(elsewhere.clone());
    sql(
        &stage,
        &elsewhere,
        "CREATE SCHEMA kept CREATE TABLE words (word text); INSERT INTO kept.words VALUES ('still here')",
    );
    server.stop();

    let second = stage.serve(command(), Path::new("./data"));
    assert_eq!(sql(&stage, &elsewhere, "SELECT word FROM kept.words"), "still here");
    second.stop();
}

#[test]
fn a_folder_with_other_peoples_files_is_not_taken_over() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    let folder = stage.path().join("etc");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("passwd"), "precious").unwrap();

    let output = run(stage.command().args(["migrate", "--data-dir"]).arg(&folder));

    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("not empty"), "{}", text(&output.stderr));
    assert_eq!(fs::metadata(&folder).unwrap().uid(), 0);
}

/// The folder that the screen names.
fn elsewhere(screen: &str) -> PathBuf {
    let at = screen.find("/var/lib/rialto/").unwrap_or_else(|| panic!("no other folder is named:\n{screen}"));
    let path: String = screen[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "/._-".contains(*c)).collect();
    PathBuf::from(path.trim_end_matches('.'))
}

/// Removes a folder outside the stage.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
