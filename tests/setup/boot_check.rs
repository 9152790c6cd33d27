//! The check before the first request: each fault that would break a promise later keeps the server from starting now.
//!
//! One server's embedded store stands in for an external database; a second program is pointed at it by URLs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Server, Stage, run, socket_dir, sql, text};

/// A running store, and its roles' URLs as an operator would write them.
struct External {
    stage: Stage,
    server: Server,
    data_dir: PathBuf,
}

impl External {
    fn start() -> Self {
        let stage = Stage::new();
        let data_dir = stage.private_folder("home").join("data");
        let server = stage.serve(stage.unprivileged_command(), &data_dir);
        Self { stage, server, data_dir }
    }

    fn sql(&self, statement: &str) {
        sql(&self.stage, &self.data_dir, statement);
    }

    /// What `doctor` says about the database; the app role's name and password may be another's.
    fn diagnosis(&self, app: Option<&str>) -> Result<String, String> {
        let socket_dir = socket_dir(&self.data_dir);
        let url =
            |credentials: &str| format!("postgres://{credentials}@localhost/rialto?host={}", socket_dir.display());
        let own = |role: &str| url(&format!("rialto_{role}:{}", password(&self.data_dir, role)));
        let app = app.map_or_else(|| own("app"), url);
        let mut command = self.stage.unprivileged_command();
        command.args(["doctor", "--data-dir"]).arg(self.data_dir.with_file_name("elsewhere"));
        command
            .env("DATABASE_URL", app)
            .env("DATABASE_PLATFORM_URL", own("platform"))
            .env("DATABASE_OWNER_URL", own("owner"));
        let output = run(&mut command);
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn refusal(&self, app: Option<&str>) -> String {
        self.diagnosis(app).expect_err("the database should have been refused")
    }
}

fn password(data_dir: &Path, role: &str) -> String {
    let secrets = std::fs::read_to_string(data_dir.join("postgres/secrets.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_str(&secrets).unwrap();
    secrets[role].as_str().unwrap().to_owned()
}

#[test]
fn a_database_as_it_should_be_is_accepted_and_each_fault_is_named() {
    let external = External::start();
    assert!(external.diagnosis(None).is_ok_and(|said| said.contains("kept apart")), "{:?}", external.diagnosis(None));

    external.sql("CREATE ROLE almighty LOGIN SUPERUSER PASSWORD 'x'");
    let message = external.refusal(Some("almighty:x"));
    assert!(message.contains("superuser"), "{message}");

    external.sql("CREATE ROLE bypasser LOGIN BYPASSRLS PASSWORD 'x'; GRANT CONNECT ON DATABASE rialto TO bypasser");
    let message = external.refusal(Some("bypasser:x"));
    assert!(message.contains("bypass row-level security"), "{message}");

    external.sql("CREATE ROLE climber LOGIN PASSWORD 'x'; GRANT bypasser TO climber");
    let message = external.refusal(Some("climber:x"));
    assert!(message.contains("bypasser"), "{message}");

    let owner = format!("rialto_owner:{}", password(&external.data_dir, "owner"));
    let message = external.refusal(Some(&owner));
    assert!(message.contains("owns tables"), "{message}");

    external.sql("ALTER TABLE rooms NO FORCE ROW LEVEL SECURITY");
    let message = external.refusal(None);
    assert!(message.contains("public.rooms does not force"), "{message}");
    external.sql("ALTER TABLE rooms FORCE ROW LEVEL SECURITY");

    external.sql("CREATE TABLE forgotten (word text); GRANT SELECT ON forgotten TO rialto_app");
    let message = external.refusal(None);
    assert!(message.contains("public.forgotten has no row-level security"), "{message}");
    external.sql("DROP TABLE forgotten");

    external.sql("ALTER ROLE rialto_app SET synchronous_commit = off");
    let message = external.refusal(None);
    assert!(message.contains("synchronous_commit is `off`"), "{message}");
    external.sql("ALTER ROLE rialto_app RESET synchronous_commit");

    assert!(external.diagnosis(None).is_ok(), "a fault was left behind");
    external.server.stop();
}

#[test]
fn a_store_that_survived_without_fsync_is_not_adopted() {
    let stage = Stage::new();
    let data_dir = stage.private_folder("home").join("data");
    stage.serve(stage.unprivileged_command(), &data_dir).stop();
    let careless = start_without_fsync(&stage, &data_dir);

    let second = stage.serve(stage.unprivileged_command(), &data_dir);

    assert!(second.screen().contains("stopping the PostgreSQL"), "{}", second.screen());
    assert_eq!(sql(&stage, &data_dir, "SHOW fsync"), "on");
    second.stop();
    drop(careless);
}

/// A server of the cluster that somebody has started by hand.
fn start_without_fsync(stage: &Stage, data_dir: &Path) -> std::process::Child {
    use std::os::unix::process::CommandExt;
    let programs = std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
    let newest = programs.map(|version| version.path().join("bin/postgres")).max().unwrap();
    let mut command = Command::new(newest);
    command.arg("-F").arg("-D").arg(data_dir.join("postgres/cluster")).current_dir(stage.path());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    if let Some(user) = super::program::unprivileged() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let child = command.spawn().unwrap();
    let until = std::time::Instant::now() + super::program::PATIENCE;
    while !super::program::is_ready(data_dir) && std::time::Instant::now() < until {
        super::program::pause();
    }
    assert_eq!(sql(stage, data_dir, "SHOW fsync"), "off");
    child
}
