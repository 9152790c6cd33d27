//! Which PostgreSQL runs the cluster: the one that wrote it, else the highest installed, else a downloaded one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use postgresql_embedded::{PostgreSQL, Settings, VersionReq};

use super::cluster::Cluster;
use super::{EmbeddedError, block_on};

/// The oldest major version that has what the schema uses.
const OLDEST_MAJOR: u32 = 15;

/// The major version that is downloaded where none is installed.
const DOWNLOADED_MAJOR: u32 = 17;

/// Where ready-built servers for many platforms are published; the crate names it only inside.
const RELEASES_URL: &str = "https://github.com/theseus-rs/postgresql-binaries";

/// Downloading and unpacking some 20 MB.
const DOWNLOAD_WITHIN: Duration = Duration::from_secs(600);

/// Folders with one subfolder per version, as packages and installers lay them out.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr/local/pgsql", "bin"),
    ("/opt/homebrew/opt", "bin"),
    ("/Library/PostgreSQL", "bin"),
];

/// Programs of one PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    major: u32,
    bin: PathBuf,
}

impl Installation {
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// `None` unless the folder holds a server that runs here and says its version.
    fn probe(bin: PathBuf) -> Option<Self> {
        let postgres = bin.join("postgres");
        if !postgres.is_file() || !bin.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(postgres).arg("--version").current_dir("/").stdin(Stdio::null()).output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { major, bin })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15; also of betas: `18beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..digits)?.parse().ok()
}

/// The installation for `cluster`.
pub fn find_or_download(cluster: &Cluster) -> Result<Installation, EmbeddedError> {
    let wanted = cluster.major();
    let installed = candidates(cluster).into_iter().filter_map(Installation::probe);
    match choose(installed, wanted) {
        Some(installation) => Ok(installation),
        None => download(cluster, wanted.unwrap_or(DOWNLOADED_MAJOR)),
    }
}

/// The major that the cluster needs; without a cluster the highest that is new enough.
fn choose(installed: impl Iterator<Item = Installation>, wanted: Option<u32>) -> Option<Installation> {
    let fits = |found: &Installation| wanted.map_or(found.major >= OLDEST_MAJOR, |major| found.major == major);
    // The first of equals: those of packages come before whatever the path holds.
    installed.filter(fits).reduce(|best, next| if next.major > best.major { next } else { best })
}

fn candidates(cluster: &Cluster) -> Vec<PathBuf> {
    let mut bins = Vec::new();
    let downloads = cluster.downloads();
    let folders = VERSIONED.iter().map(|(folder, bin)| (Path::new(folder), *bin)).chain([(downloads.as_path(), "bin")]);
    for (folder, bin) in folders {
        let versions = std::fs::read_dir(folder).into_iter().flatten().flatten();
        bins.extend(versions.map(|version| version.path().join(bin)));
    }
    bins.push(PathBuf::from("/usr/local/pgsql/bin"));
    // Where pg_config or the server itself is on the path, its folder has the rest.
    if let Ok(output) = Command::new("pg_config").arg("--bindir").current_dir("/").output() {
        bins.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    bins.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    bins
}

/// Downloads PostgreSQL into the data directory. The crate creates a throw-away cluster too, which shows that what came runs
/// on this machine.
fn download(cluster: &Cluster, major: u32) -> Result<Installation, EmbeddedError> {
    let refuse = |reason: String| EmbeddedError::NoInstallation { wanted: format!("{major}"), reason };
    tracing::info!(major, "no PostgreSQL found on this machine, downloading one");
    let installation_dir = cluster.downloads();
    let trial = installation_dir.join("trial");
    let settings = Settings {
        releases_url: RELEASES_URL.to_owned(),
        version: VersionReq::parse(&format!("={major}")).map_err(|error| refuse(error.to_string()))?,
        installation_dir,
        password_file: trial.with_extension("password"),
        data_dir: trial,
        host: "localhost".to_owned(),
        port: 0,
        username: super::roles::SUPERUSER.to_owned(),
        password: "of a cluster that is thrown away".to_owned(),
        temporary: true,
        timeout: Some(DOWNLOAD_WITHIN),
        configuration: std::collections::HashMap::new(),
        trust_installation_dir: false,
        socket_dir: None,
    };
    let set_up = async {
        let mut postgresql = PostgreSQL::new(settings);
        let outcome = tokio::time::timeout(DOWNLOAD_WITHIN, postgresql.setup()).await;
        match outcome {
            Ok(Ok(())) => Ok(postgresql.settings().binary_dir()),
            Ok(Err(error)) => Err(refuse(error.to_string())),
            Err(_) => Err(refuse("it took too long".to_owned())),
        }
    };
    let bin = block_on(set_up)?;
    Installation::probe(bin).ok_or_else(|| refuse("what came does not run on this machine".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(major: u32) -> Installation {
        Installation { major, bin: PathBuf::from(format!("/pg/{major}")) }
    }

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("bash: no such file\n"), None);
    }

    #[test]
    fn a_cluster_keeps_its_version_and_a_new_one_gets_the_highest() {
        let installed = || [14, 17, 15, 16].map(installation).into_iter();
        assert_eq!(choose(installed(), Some(15)), Some(installation(15)));
        assert_eq!(choose(installed(), None), Some(installation(17)));
        assert_eq!(choose(installed(), Some(18)), None);
        assert_eq!(choose([installation(14)].into_iter(), None), None);
    }
}
