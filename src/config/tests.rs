//! The configuration's promises: the example is the default, mistakes are named, secrets stay hidden.

use std::path::PathBuf;

use figment::Jail;

use super::{Config, Overrides, Plan, Quota, Server};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/rialto.yaml");

fn from_file(path: &str) -> Overrides {
    Overrides { file: Some(PathBuf::from(path)), ..Overrides::default() }
}

/// What loading `yaml` says, in an environment of its own.
fn refusal(yaml: &str, environment: &[(&str, &str)]) -> String {
    let mut message = String::new();
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file("rialto.yaml", yaml)?;
        for (name, value) in environment {
            jail.set_env(name, value);
        }
        message = Config::load(&from_file("rialto.yaml")).expect_err("must be refused").to_string();
        Ok(())
    });
    message
}

#[test]
fn the_committed_example_equals_the_defaults() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        let example = Config::load(&from_file(EXAMPLE)).expect("the example is valid");
        assert_eq!(format!("{example:#?}"), format!("{:#?}", Config::default()));
        Ok(())
    });
}

#[test]
fn the_committed_example_spells_out_every_key() {
    let text = std::fs::read_to_string(EXAMPLE).expect("the example exists");
    for line in format!("{:#?}", Config::default()).lines() {
        let Some((key, _)) = line.trim().split_once(": ") else { continue };
        if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            assert!(text.contains(&format!("{key}:")), "`{key}` is not in config/rialto.yaml");
        }
    }
}

#[test]
fn a_misspelt_key_is_named_with_its_line() {
    let message = refusal("server:\n  lissten: 127.0.0.1:1\n", &[]);
    assert!(message.contains("lissten") && message.contains("rialto.yaml"), "{message}");
    assert!(message.contains("line 2") || message.contains(":2:"), "{message}");
}

#[test]
fn a_misspelt_variable_is_named() {
    let message = refusal("", &[("RIALTO_SERVER__LISSTEN", "x")]);
    assert!(message.contains("lissten") && message.contains("environment"), "{message}");
    let message = refusal("", &[("RIALTO_LISTEM", "127.0.0.1:1")]);
    assert!(message.contains("RIALTO_LISTEM") && message.contains("RIALTO_LISTEN"), "{message}");
}

#[test]
fn what_a_cluster_puts_into_the_environment_is_no_setting() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        for name in ["RIALTO_PORT", "RIALTO_SERVICE_HOST", "RIALTO_PORT_8080_TCP_ADDR", "RIALTO_URL"] {
            jail.set_env(name, "tcp://10.0.0.1:8080");
        }
        assert_eq!(format!("{:?}", Config::load(&Overrides::default()).ok()), format!("{:?}", Some(Config::default())));
        Ok(())
    });
}

#[test]
fn an_unknown_feature_of_a_plan_is_named() {
    let text = std::fs::read_to_string(EXAMPLE).expect("the example exists");
    let message = refusal(&text.replace("sla_guarantee", "flying_carpet"), &[]);
    assert!(message.contains("flying_carpet"), "{message}");
}

#[test]
fn no_more_workers_start_than_a_channel_can_tell_apart() {
    let message = refusal("server: {workers: 65}\n", &[]);
    assert!(message.contains("server.workers") && message.contains("64"), "{message}");
    let server = Server { workers: 1_000, ..Server::default() };
    assert_eq!(server.worker_count(), 64);
}

#[test]
fn contradictions_are_listed_together() {
    let yaml = "tenancy:\n  default_plan: gold\nlimits:\n  socket:\n    frame: 1 KiB\n";
    let message = refusal(yaml, &[("REDIS_URL", "redis://localhost"), ("KAFKA_BROKERS", "localhost:9092")]);
    for name in ["gold", "limits.socket.command", "REDIS_URL", "KAFKA_BROKERS"] {
        assert!(message.contains(name), "{name} is missing: {message}");
    }
}

#[test]
fn one_database_url_without_the_others_is_refused_without_showing_it() {
    let message = refusal("", &[("DATABASE_URL", "postgres://app:s3cret@db/rialto")]);
    assert!(message.contains("DATABASE_PLATFORM_URL") && message.contains("DATABASE_OWNER_URL"), "{message}");
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn later_sources_win() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file(
            "rialto.yaml",
            "server: {listen: '127.0.0.1:1', workers: 3}\nlimits: {posting: {text_chars: 10}}\n",
        )?;
        jail.set_env("RIALTO_SERVER__LISTEN", "127.0.0.1:2");
        jail.set_env("RIALTO_LIMITS__POSTING__TEXT_CHARS", "20");
        let overrides = Overrides { listen: Some(([127, 0, 0, 1], 3).into()), ..from_file("rialto.yaml") };
        let config = Config::load(&overrides).expect("valid");
        assert_eq!((config.server.listen.port(), config.server.workers, config.limits.posting.text_chars), (3, 3, 20));
        Ok(())
    });
}

#[test]
fn secrets_are_not_in_debug_output() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        for name in ["DATABASE_URL", "DATABASE_PLATFORM_URL", "DATABASE_OWNER_URL"] {
            jail.set_env(name, "postgres://someone:hunter2@db/rialto");
        }
        jail.set_env("RIALTO_MAIL__TRANSPORT", "smtp");
        jail.set_env("RIALTO_MAIL__SMTP__HOST", "mail.example.org");
        jail.set_env("RIALTO_MAIL__SMTP__USERNAME", "someone");
        jail.set_env("RIALTO_MAIL__SMTP__PASSWORD", "00123");
        let config = Config::load(&Overrides::default()).expect("valid");
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("00123"), "{shown}");
        assert!(config.store.external_urls().is_some());
        Ok(())
    });
}

#[test]
fn the_defaults_contradict_nothing() {
    let config = Config::default();
    assert_eq!(config.check(), Vec::<String>::new());
    let enterprise: &Plan = config.plans.find("enterprise").expect("seeded");
    assert_eq!(enterprise.users, Quota::Unlimited);
}
