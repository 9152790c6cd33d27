//! Whatever we can say, we say so that it reads back the same.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::*;

/// A payload as a JSON client may send it; empty is absent.
fn payload() -> impl Strategy<Value = Bytes> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into)
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            btree_map(".{0,4}", inner, 0..4).prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    // A bare null is the same as nothing.
    value.prop_map(|value| if value.is_null() { Bytes::new() } else { value.to_string().into() })
}

prop_compose! {
    fn subscribe()(
        channel in ".{0,12}", token in ".{0,8}", (recover, asc) in any::<(bool, bool)>(), epoch in ".{0,4}", offset in any::<u64>(),
        data in payload(), (positioned, recoverable, join_leave) in any::<(bool, bool, bool)>(), flag in any::<i64>(),
        (r#type, phase, limit) in any::<(i32, i32, i32)>(), cursor in ".{0,8}", filtered in any::<bool>(),
    ) -> SubscribeRequest {
        let tf = filtered.then_some(TagsFilter {});
        let delta = String::new();
        SubscribeRequest {
            channel, token, recover, epoch, offset, data, positioned, recoverable, join_leave, delta, tf, flag, r#type, phase, cursor,
            limit, asc,
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    let name = ".{0,12}";
    prop_oneof![
        (name, payload(), btree_map(name, subscribe(), 0..3), name, name).prop_map(
            |(token, data, subs, name, version)| Request::Connect(ConnectRequest { token, data, subs, name, version })
        ),
        subscribe().prop_map(Request::Subscribe),
        name.prop_map(|channel| Request::Unsubscribe(UnsubscribeRequest { channel })),
        (name, payload(), any::<i32>(), name, any::<bool>()).prop_map(|(channel, data, r#type, key, removed)| {
            Request::Publish(PublishRequest { channel, data, r#type, key, removed })
        }),
        name.prop_map(|channel| Request::Presence(PresenceRequest { channel })),
        name.prop_map(|channel| Request::PresenceStats(PresenceStatsRequest { channel })),
        (name, any::<i32>(), any::<Option<u64>>(), any::<bool>()).prop_map(|(channel, limit, since, reverse)| {
            let since = since.map(|offset| StreamPosition { offset, epoch: channel.clone() });
            Request::History(HistoryRequest { channel, limit, since, reverse })
        }),
        Just(Request::Ping(PingRequest {})),
        payload().prop_map(|data| Request::Send(SendRequest { data })),
        (payload(), name).prop_map(|(data, method)| Request::Rpc(RpcRequest { data, method })),
        name.prop_map(|token| Request::Refresh(RefreshRequest { token })),
        (name, name, any::<i32>()).prop_map(|(channel, token, r#type)| Request::SubRefresh(SubRefreshRequest {
            channel,
            token,
            r#type
        })),
    ]
}

prop_compose! {
    fn publication()(
        data in payload(), user in any::<Option<String>>(), offset in any::<u64>(), tags in btree_map(".{0,4}", ".{0,4}", 0..3),
        (time, score) in any::<(i64, i64)>(), key in ".{0,6}", removed in any::<bool>(), epoch in ".{0,4}",
    ) -> Publication {
        let info = user.map(|user| ClientInfo { user, conn_info: data.clone(), ..ClientInfo::default() });
        Publication { data, info, offset, tags, time, key, removed, score, epoch }
    }
}

prop_compose! {
    fn subscribed()(
        (expires, recoverable, recovered, positioned, was_recovering) in any::<(bool, bool, bool, bool, bool)>(),
        (ttl, r#type, phase, offset) in any::<(u32, i32, i32, u64)>(), epoch in ".{0,4}", cursor in ".{0,4}", data in payload(),
        publications in vec(publication(), 0..3), state in vec(publication(), 0..3),
    ) -> SubscribeResult {
        SubscribeResult {
            expires, ttl, recoverable, epoch, publications, recovered, offset, positioned, data, was_recovering, delta: false, r#type,
            phase, cursor, state,
        }
    }
}

fn reply() -> impl Strategy<Value = Reply> {
    let answer =
        prop_oneof![
            (btree_map(".{0,6}", subscribed(), 0..2), payload(), any::<(u32, u32, i64)>()).prop_map(
                |(subs, data, (ttl, ping, time))| {
                    Answer::Connect(ConnectResult {
                        subs,
                        data,
                        ttl,
                        ping,
                        time,
                        client: "c".into(),
                        ..ConnectResult::default()
                    })
                }
            ),
            subscribed().prop_map(Answer::Subscribe),
            Just(Answer::Publish),
            payload().prop_map(|data| Answer::Rpc(RpcResult { data })),
            (vec(publication(), 0..3), any::<u64>()).prop_map(|(publications, offset)| Answer::History(
                HistoryResult { publications, offset, epoch: "e".into() }
            )),
            ".{0,6}".prop_map(|user| {
                let presence = BTreeMap::from([(user.clone(), ClientInfo { user, ..ClientInfo::default() })]);
                Answer::Presence(PresenceResult { presence })
            }),
        ];
    prop_oneof![
        (any::<u32>(), answer).prop_map(|(id, answer)| Reply::answer(id, answer)),
        (".{0,12}", publication()).prop_map(|(channel, publication)| Reply::publication(channel, publication)),
        (any::<u32>(), ".{0,12}")
            .prop_map(|(id, words)| Reply::refusal(id, ErrorBody::saying(ErrorCode::Internal, words))),
    ]
}

proptest! {
    #[test]
    fn commands(requests in vec((1..=u32::MAX, request()), 0..4)) {
        for format in Format::ALL {
            let commands: Vec<Command> = requests.iter().cloned().map(Command::from).collect();
            let frame = join(format, &commands.iter().map(|command| encode_command(format, command)).collect::<Vec<_>>());
            let read: Vec<Command> = decode_frame(format, &frame, Limits::default()).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read, &commands);
            for (command, (_, request)) in read.into_iter().zip(&requests) {
                prop_assert_eq!(command.into_request().unwrap(), request.clone());
            }
        }
    }

    #[test]
    fn replies(replies in vec(reply(), 0..4)) {
        for format in Format::ALL {
            let encoded: Vec<Bytes> = replies.iter().map(|reply| encode_reply(format, reply)).collect();
            if format == Format::Json {
                prop_assert!(encoded.iter().all(|line| !line.contains(&b'\n')));
            }
            prop_assert_eq!(&decode_replies(format, &join(format, &encoded)).unwrap(), &replies);
        }
    }
}
