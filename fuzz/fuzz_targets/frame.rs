//! Everything of the protocol that reads bytes from outside, given any bytes.
//!
//! The module is compiled straight from its file instead of depending on the server: that builds in seconds and needs no database
//! for compile-time checked queries. `src/protocol/tests/nonsense.rs` replays the corpus with the same checks in every test run.
#![no_main]

#[path = "../../src/protocol/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the server's other half of the module")]
mod protocol;

use libfuzzer_sys::fuzz_target;
use protocol::{Channel, EmulationRequest, Format, Limits, decode_frame, decode_replies, encode_command, encode_reply};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { command_bytes: 256, commands: 64 };
    for format in Format::ALL {
        for command in decode_frame(format, bytes, limits).flatten() {
            assert!(!encode_command(Format::Json, &command).contains(&b'\n'));
            let again = encode_command(format, &command);
            let reread: Vec<_> = decode_frame(format, &again, Limits::default()).collect();
            assert_eq!(reread, [Ok(command.clone())]);
            let _ = command.into_request();
        }
        for reply in decode_replies(format, bytes).unwrap_or_default() {
            assert_eq!(decode_replies(format, &encode_reply(format, &reply)), Ok(vec![reply]));
        }
        let _ = EmulationRequest::parse(format, bytes);
    }
    if let Ok(name) = str::from_utf8(bytes)
        && let Ok(channel) = Channel::parse(name)
    {
        assert_eq!(channel.to_string(), name);
    }
});
