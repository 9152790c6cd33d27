//! The protocol against golden frames, against itself, and against nonsense.

mod golden;
mod nonsense;
mod round_trip;

use bytes::Bytes;

use super::subscription::{MapPhase, SubscriptionType};
use super::*;

fn one_command(format: Format, frame: &[u8]) -> Command {
    let mut commands = decode_frame(format, frame, Limits::default());
    let command = commands.next().unwrap().unwrap();
    assert!(commands.next().is_none());
    command
}

fn all(format: Format, frame: &[u8]) -> Vec<Result<Command, FrameError>> {
    decode_frame(format, frame, Limits::default()).collect()
}

#[test]
fn commands_are_read_and_written_as_the_official_sdk_does() {
    for (json, hex) in golden::COMMANDS {
        let protobuf = golden::unhex(hex);
        let from_json = one_command(Format::Json, json.as_bytes());
        assert_eq!(from_json, one_command(Format::Protobuf, &protobuf), "{json}");
        assert_eq!(encode_command(Format::Json, &from_json), json);
        assert_eq!(encode_command(Format::Protobuf, &from_json), protobuf, "{json}");
    }
}

#[test]
fn replies_are_read_and_written_as_the_official_sdk_does() {
    for (json, hex) in golden::REPLIES {
        let protobuf = golden::unhex(hex);
        let from_json = decode_replies(Format::Json, json.as_bytes()).unwrap();
        assert_eq!(from_json, decode_replies(Format::Protobuf, &protobuf).unwrap(), "{json}");
        assert_eq!(encode_reply(Format::Json, &from_json[0]), json);
        assert_eq!(encode_reply(Format::Protobuf, &from_json[0]), protobuf, "{json}");
    }
}

#[test]
fn the_ping_is_the_empty_reply() {
    for format in Format::ALL {
        assert_eq!(ping(format), encode_reply(format, &Reply::default()));
    }
}

#[test]
fn an_emulation_body_carries_a_frame() {
    let bodies = [
        (Format::Json, golden::EMULATION.0.as_bytes().to_vec()),
        (Format::Protobuf, golden::unhex(golden::EMULATION.1)),
    ];
    for (format, body) in bodies {
        let request = EmulationRequest::parse(format, &body).unwrap();
        assert_eq!((request.node.as_str(), request.session.as_str()), ("n1", "s1"));
        let ids: Vec<u32> = all(format, &request.data).into_iter().map(|command| command.unwrap().id).collect();
        assert_eq!(ids, [6, 11]);
        assert_eq!(EmulationRequest::parse(format, &request.to_body(format)), Ok(request));
    }
}

#[test]
fn the_map_phases_and_types_are_the_numbers_of_the_sdk() {
    let request = one_command(Format::Json, golden::COMMANDS[2].0.as_bytes()).subscribe.unwrap();
    assert_eq!(SubscriptionType::from_wire(request.r#type), Some(SubscriptionType::Map));
    assert_eq!(MapPhase::from_wire(request.phase), Some(MapPhase::State));
    for number in 0..=2 {
        assert_eq!(MapPhase::from_wire(number).unwrap().to_wire(), number);
    }
    for number in 0..=4 {
        assert_eq!(SubscriptionType::from_wire(number).unwrap().to_wire(), number);
    }
    assert_eq!((MapPhase::from_wire(3), SubscriptionType::from_wire(-1)), (None, None));
}

#[test]
fn null_absent_and_unknown_fields_are_no_trouble() {
    let json = br#"{"id":3,"connect":null,"later":[{}],"subscribe":{"channel":"room:1","epoch":null,"offset":null,"data":null,"tf":null,"x":1}}"#;
    let expected = SubscribeRequest { channel: "room:1".into(), ..SubscribeRequest::default() };
    assert_eq!(one_command(Format::Json, json).into_request(), Ok(Request::Subscribe(expected)));
    // Field 99, a string, inside a ping command.
    let ping = one_command(Format::Protobuf, &[9, 8, 11, 90, 0, 0x9a, 6, 2, b'h', b'i']);
    assert_eq!(ping.into_request(), Ok(Request::Ping(PingRequest {})));
}

#[test]
fn a_filter_is_noticed_although_it_is_not_read() {
    let json =
        br#"{"id":3,"subscribe":{"channel":"room:1","tf":{"op":"and","nodes":[{"key":"a","cmp":"eq","val":"b"}]}}}"#;
    assert_eq!(one_command(Format::Json, json).subscribe.unwrap().tf, Some(TagsFilter {}));
    let protobuf = [11, 8, 3, 42, 7, 0x6a, 5, 10, 3, b'a', b'n', b'd'];
    assert_eq!(one_command(Format::Protobuf, &protobuf).subscribe.unwrap().tf, Some(TagsFilter {}));
}

#[test]
fn a_command_needs_one_method_and_an_id() {
    let request = |json: &str| one_command(Format::Json, json.as_bytes()).into_request();
    assert_eq!(request("{}"), Ok(Request::Pong));
    assert_eq!(request(r#"{"send":{}}"#), Ok(Request::Send(SendRequest::default())));
    assert_eq!(request(r#"{"id":4}"#), Err(UnclearCommand { id: 4 }));
    assert_eq!(request(r#"{"id":4,"ping":{},"rpc":{}}"#), Err(UnclearCommand { id: 4 }));
    assert_eq!(request(r#"{"rpc":{}}"#), Err(UnclearCommand { id: 0 }));
}

#[test]
fn a_frame_holds_several_commands() {
    let json = b"{\"id\":1,\"ping\":{}}\n\r\n {} \n{\"id\":2,\"ping\":{}}\n";
    let ids: Vec<u32> = all(Format::Json, json).into_iter().map(|command| command.unwrap().id).collect();
    assert_eq!(ids, [1, 0, 2]);
    let protobuf = [4, 8, 1, 90, 0, 0, 4, 8, 2, 90, 0];
    let ids: Vec<u32> = all(Format::Protobuf, &protobuf).into_iter().map(|command| command.unwrap().id).collect();
    assert_eq!(ids, [1, 0, 2]);
}

#[test]
fn an_oversized_command_is_refused_by_its_id_and_the_next_one_is_read() {
    for format in Format::ALL {
        let data = Bytes::from(format!("\"{}\"", "x".repeat(COMMAND_LIMIT_BYTES)));
        let large = encode_command(format, &(7, Request::Rpc(RpcRequest { method: "m".into(), data })).into());
        let small = encode_command(format, &(8, Request::Ping(PingRequest {})).into());
        let items = all(format, &join(format, &[large, small]));
        assert!(matches!(items[0], Err(error @ FrameError::TooLarge { id: 7, .. }) if !error.is_fatal()), "{format:?}");
        assert_eq!(items[1].as_ref().unwrap().id, 8);
        assert_eq!(items.len(), 2);
    }
}

#[test]
fn nothing_is_read_after_what_cannot_be_read() {
    let json: [&[u8]; 8] = [
        b"{\n{}",
        b"[]\n{}",
        b"null\n{}",
        b"{\"id\":1,\"ping\":[]}\n{}",
        b"{}{}\n{}",
        b"{\"id\":-1}\n{}",
        b"{\"id\":1,\"rpc\":5}\n{}",
        b"{\"id\":1,\"rpc\":{\"data\":\"\xff\"}}\n{}",
    ];
    for frame in json {
        assert_eq!(all(Format::Json, frame), [Err(FrameError::Malformed)]);
    }
    let endless_varint = [0xff; 16];
    let huge_length = [0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0];
    for frame in [&endless_varint[..], &huge_length, &[5, 8, 1], &[1, 8, 0], &[2, 42, 9, 0]] {
        assert_eq!(all(Format::Protobuf, frame), [Err(FrameError::Malformed)]);
    }
}

#[test]
fn a_frame_of_too_many_commands_is_cut_off() {
    let limits = Limits { commands: 3, ..Limits::default() };
    let items: Vec<_> = decode_frame(Format::Protobuf, &[0; 9], limits).collect();
    assert_eq!(items.len(), 4);
    assert_eq!(items[3], Err(FrameError::TooMany));
}

#[test]
fn what_a_client_sent_never_breaks_the_line() {
    let json = b"{\"id\":1,\"publish\":{\"channel\":\"c\",\"data\":{ \"a\" :\r \"x\\n y\" }}}";
    let data = one_command(Format::Json, json).publish.unwrap().data;
    assert_eq!(data, r#"{"a":"x\n y"}"#);
    let payloads: [&'static [u8]; 4] = [b"{\n\"a\":\r\n1 }", b"\n", b"two\nlines", b"\xff\n"];
    for payload in payloads {
        let publication = Publication { data: Bytes::from_static(payload), ..Publication::default() };
        let line = encode_publication_push(Format::Json, "c\n", publication);
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{line:?}");
        assert_eq!(decode_replies(Format::Json, &line).unwrap().len(), 1);
    }
}

#[test]
fn frames_are_joined_for_each_transport() {
    let (a, b) = (Bytes::from_static(b"{\"id\":1}"), Bytes::from_static(b"{}"));
    assert_eq!(join(Format::Json, &[a.clone(), b.clone()]), "{\"id\":1}\n{}");
    assert_eq!(join(Format::Json, std::slice::from_ref(&a)).as_ptr(), a.as_ptr());
    assert_eq!(join(Format::Json, &[]), "");
    assert_eq!(join(Format::Protobuf, &[Bytes::from_static(b"\x01a"), Bytes::from_static(b"\0")]), "\x01a\0");
    let frame = join(Format::Json, &[a, b]);
    assert_eq!(http_stream_chunk(Format::Json, &frame), "{\"id\":1}\n{}\n");
    assert_eq!(http_stream_chunk(Format::Protobuf, &frame), frame);
    assert_eq!(sse_event(&frame), "data: {\"id\":1}\ndata: {}\n\n");
}

#[test]
fn pushes_about_the_end_carry_the_code_and_its_words() {
    let json = |reply: &Reply| String::from_utf8(encode_reply(Format::Json, reply).to_vec()).unwrap();
    assert_eq!(
        json(&Reply::disconnected(Disconnect::Shutdown)),
        r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#
    );
    assert_eq!(
        json(&Reply::unsubscribed("room:1", Unsubscribe::Server)),
        r#"{"push":{"channel":"room:1","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#
    );
    let busy = ErrorBody::saying(ErrorCode::TooManyRequests, "slow mode: 12 s");
    assert_eq!(
        json(&Reply::refusal(9, busy)),
        r#"{"id":9,"error":{"code":111,"message":"slow mode: 12 s","temporary":true}}"#
    );
    assert_eq!(
        json(&Reply::refusal(9, ErrorCode::BadRequest)),
        r#"{"id":9,"error":{"code":107,"message":"bad request"}}"#
    );
    assert_eq!(json(&Reply::answer(9, Answer::Publish)), r#"{"id":9,"publish":{}}"#);
    let nobody = Answer::PresenceStats(PresenceStatsResult::default());
    assert_eq!(json(&Reply::answer(9, nobody)), r#"{"id":9,"presence_stats":{"num_clients":0,"num_users":0}}"#);
}

#[test]
fn debug_output_holds_no_token_and_no_payload() {
    for (json, _) in golden::COMMANDS {
        let shown = format!("{:?}", one_command(Format::Json, json.as_bytes()));
        for secret in ["t.o.k", "t2", "t3", "llo", "room_id"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
