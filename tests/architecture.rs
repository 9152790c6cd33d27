//! The house's own rules, read from its source: imports run downward, SQL has one home, files say what they are.
//!
//! Text is searched rather than syntax parsed: the rules are about lines that people write, and a way around them would be
//! seen in review.

#![expect(clippy::unwrap_used, reason = "a test that fails by panicking is a test that fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up. A module imports from lower rows only; neighbours in a row do not know each other.
const LAYERS: [&[&str]; 7] = [
    &["kernel"],
    &["config", "geo", "protocol"],
    &["infra"],
    &["domain"],
    &["actors"],
    &["http"],
    &["app", "cli", "main"],
];

/// Modules of `domain`, from the bottom up: each may use those before it.
const DOMAIN: [&str; 13] = [
    "events",
    "tenancy",
    "identity",
    "billing",
    "communities",
    "messaging",
    "moderation",
    "catalog",
    "discovery",
    "commerce",
    "notify",
    "privacy",
    "support",
];

/// Past this a file has more than one reason to change.
const LINES_MAX: usize = 400;

/// Its maintainers have moved on; whoever replaces it should have little to look at.
const WS_ACTORS_FILES_MAX: usize = 2;

struct Source {
    /// Relative to `src/`, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// `http/v1/rooms.rs` → `http`; `app.rs` → `app`.
    fn top(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The module of `domain` that a file belongs to.
    fn domain_module(&self) -> Option<&str> {
        let module = self.path.strip_prefix("domain/")?.split('/').next()?;
        Some(module.strip_suffix(".rs").unwrap_or(module)).filter(|module| *module != "mod")
    }

    /// Lines of code with their numbers; comments tell, they do not import.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_start()));
        numbered.filter(|(_, line)| !line.starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    assert!(found.len() > 10, "the source was not found");
    found
}

/// Names that follow `prefix` in a line: `crate::{a, b::c}` and `crate::a::b` alike.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first_name = |text: &'a str| {
        let text = text.trim_start();
        text.find(|c: char| !is_name(c)).map_or(text, |end| &text[..end])
    };
    let mut names = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(prefix) {
        rest = &rest[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group.split(',').map(first_name)),
            None => names.push(first_name(rest)),
        }
    }
    names
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

#[test]
fn imports_run_downward_only() {
    let mut climbing = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let own = source.top();
        let own_layer = layer(own).unwrap_or_else(|| panic!("{} is in no layer of tests/architecture.rs", source.path));
        for (number, line) in source.code() {
            for module in names_after(line, "crate::") {
                let climbs = module != own && layer(module).is_some_and(|layer| layer >= own_layer) && own_layer < 6;
                if climbs {
                    climbing.push(format!("src/{}:{number}: {own} uses {module}", source.path));
                }
            }
        }
    }
    assert!(climbing.is_empty(), "imports that climb:\n{}", climbing.join("\n"));
}

#[test]
fn a_domain_module_uses_only_those_before_it() {
    let place = |module: &str| DOMAIN.iter().position(|known| *known == module);
    let mut climbing = Vec::new();
    for source in &sources() {
        let Some(own) = source.domain_module() else { continue };
        let own_place = place(own).unwrap_or_else(|| panic!("domain::{own} has no place in tests/architecture.rs"));
        for (number, line) in source.code() {
            for module in names_after(line, "domain::") {
                if place(module).is_some_and(|place| place > own_place) {
                    climbing.push(format!("src/{}:{number}: {own} uses {module}", source.path));
                }
            }
        }
    }
    assert!(climbing.is_empty(), "imports that climb:\n{}", climbing.join("\n"));
}

#[test]
fn sql_is_written_in_stores_and_infra_only() {
    let is_home = |path: &str| path.starts_with("infra/") || path.ends_with("/store.rs") || path.contains("/store/");
    let mut strays = Vec::new();
    for source in sources().iter().filter(|source| !is_home(&source.path)) {
        for (number, line) in source.code() {
            if ["sqlx::query", "query!(", "query_as!(", "query_scalar!(", "raw_sql("]
                .iter()
                .any(|call| line.contains(call))
            {
                strays.push(format!("src/{}:{number}", source.path));
            }
        }
    }
    assert!(strays.is_empty(), "SQL outside a store:\n{}", strays.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_and_stays_readable() {
    let mut faults = Vec::new();
    for source in &sources() {
        if !source.text.starts_with("//!") {
            faults.push(format!("src/{} does not open with `//!`", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("src/{} has {lines} lines, more than {LINES_MAX}", source.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn streams_are_fed_by_the_bus_and_by_gaps_alone() {
    let is_road = |path: &str| path == "actors/live/news.rs" || path == "actors/gaps.rs";
    let mut strays = Vec::new();
    for source in sources().iter().filter(|source| !is_road(&source.path) && !source.path.ends_with("tests.rs")) {
        for (number, line) in source.code() {
            if ["feed.accept(", ".shout("].iter().any(|call| line.contains(call)) {
                strays.push(format!("src/{}:{number}", source.path));
            }
        }
    }
    assert!(strays.is_empty(), "a channel is fed around the bus:\n{}", strays.join("\n"));
}

#[test]
fn the_house_has_its_papers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for name in
        ["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "clippy.toml", "deny.toml", "rustfmt.toml", "docs/operations.md"]
    {
        assert!(!read(name).trim().is_empty(), "{name} is empty");
    }
    let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
    assert!(manifest.contains("members = [\".\", \"loadtests\"]") && manifest.contains("edition = \"2024\""));
    assert!(manifest.contains("[workspace.lints.clippy]") && manifest.contains("[lints]\nworkspace = true"));
    let pictures: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pictures: Vec<&str> = pictures.into_iter().filter(|path| path.ends_with(".png")).collect();
    assert!(!pictures.is_empty(), "the README shows nothing");
    for picture in pictures {
        assert!(fs::metadata(root.join(picture)).is_ok_and(|file| file.len() > 10_000), "{picture}");
    }
    assert!(read(".ci/run").contains("./dev test"));
    for folder in ["src/actors", "src/http", "migrations", "static", "loadtests", "tests", "docs", "config"] {
        assert!(root.join(folder).is_dir(), "{folder}");
    }
}

#[test]
fn the_deprecated_websocket_crate_is_named_in_few_files() {
    let all = sources();
    let named: Vec<_> =
        all.iter().filter(|source| source.code().any(|(_, line)| line.contains("actix_web_actors"))).collect();
    let paths: Vec<_> = named.iter().map(|source| source.path.as_str()).collect();
    assert!(paths.len() <= WS_ACTORS_FILES_MAX, "{paths:?}");
}

#[test]
fn names_are_found_in_groups_and_paths() {
    assert_eq!(names_after("use crate::{config::Config, infra};", "crate::"), ["config", "infra"]);
    assert_eq!(names_after("let x = crate::kernel::rng() + crate::app::y;", "crate::"), ["kernel", "app"]);
    assert_eq!(names_after("use std::fs;", "crate::"), [""; 0]);
}
