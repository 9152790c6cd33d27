//! A start with a configuration that cannot be meant is refused, and the message names the key.

use std::fs;

use super::program::{Stage, run, text};

#[test]
fn a_misspelt_key_stops_the_start_and_is_named_with_file_and_line() {
    let stage = Stage::new();
    let file = stage.path().join("mine.yaml");
    fs::write(&file, "limits:\n  socket:\n    subscriptoins: 5\n").unwrap();

    let output = run(stage.unprivileged_command().args(["serve", "--config"]).arg(&file));

    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    for part in ["subscriptoins", "mine.yaml", "line 3"] {
        assert!(message.contains(part), "`{part}` is missing: {message}");
    }
}

#[test]
fn parts_that_are_not_there_yet_are_refused_and_not_ignored() {
    let stage = Stage::new();
    for name in ["REDIS_URL", "KAFKA_BROKERS"] {
        let output = run(stage.unprivileged_command().arg("doctor").env(name, "localhost:1"));

        assert_eq!(output.status.code(), Some(1));
        let message = text(&output.stderr);
        assert!(message.contains(name) && message.contains("not supported yet"), "{message}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let stage = Stage::new();

    let output = run(stage.unprivileged_command().args(["doctor", "--config", "nowhere.yaml"]));

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nowhere.yaml"));
}

#[test]
fn every_verb_explains_itself() {
    let stage = Stage::new();
    let verbs: [&[&str]; 12] = [
        &[],
        &["serve"],
        &["migrate"],
        &["demo"],
        &["doctor"],
        &["tenant"],
        &["tenant", "provision"],
        &["tenant", "list"],
        &["tenant", "status"],
        &["tenant", "suspend"],
        &["tenant", "resume"],
        &["tenant", "terminate"],
    ];
    for verb in verbs {
        let output = run(stage.unprivileged_command().args(verb).arg("--help"));
        assert!(output.status.success() && text(&output.stdout).contains("Usage:"), "{verb:?}");
    }
}
