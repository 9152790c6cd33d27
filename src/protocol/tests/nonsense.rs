//! Bytes that nobody meant, and the fuzzer's corpus, which is replayed here so that it counts in every build.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::golden;

/// Everything that reads bytes from outside; the fuzz target does the same.
fn read_everything(bytes: &[u8]) {
    for format in Format::ALL {
        let limits = Limits { command_bytes: 256, commands: 64 };
        let items: Vec<_> = decode_frame(format, bytes, limits).collect();
        assert!(items.len() <= limits.commands + 1);
        let fatal = items.iter().position(|item| item.as_ref().is_err_and(|error| error.is_fatal()));
        assert!(fatal.is_none_or(|at| at + 1 == items.len()));
        for command in items.into_iter().flatten() {
            // A JSON reader gets what a JSON writer wrote; anything else was bytes in Protobuf, which both formats must carry.
            let line = encode_command(Format::Json, &command);
            assert!(!line.contains(&b'\n'));
            let again = encode_command(format, &command);
            let reread: Vec<_> = decode_frame(format, &again, Limits::default()).collect();
            assert_eq!(reread, [Ok(command.clone())]);
            let _ = command.into_request();
        }
        let _ = decode_replies(format, bytes);
        let _ = EmulationRequest::parse(format, bytes);
    }
    if let Ok(name) = str::from_utf8(bytes)
        && let Ok(channel) = Channel::parse(name)
    {
        assert_eq!(channel.to_string(), name);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..512)) {
        read_everything(&bytes);
    }

    #[test]
    fn damaged_frames_are_survived(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let (json, hex) = which.get(golden::COMMANDS);
        for mut frame in [json.as_bytes().to_vec(), golden::unhex(hex)] {
            let at = at.index(frame.len());
            frame[at] = byte;
            if cut {
                frame.truncate(at);
            }
            read_everything(&frame);
        }
    }
}

#[test]
fn the_fuzzers_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/frame");
    let mut replayed = 0;
    for entry in corpus.read_dir().unwrap() {
        read_everything(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 16, "the corpus has gone missing");
}
