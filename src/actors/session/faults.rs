//! RPC that breaks things on purpose, for the tests; only in programs built with the feature `faults`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::commands::parse;
use crate::actors::faults::{self, Moment};
use crate::actors::hub::Delivery;
use crate::actors::live::Live;
use crate::actors::{room, tenant};
use crate::kernel::{RoomId, TenantId};
use crate::protocol::{ErrorBody, ErrorCode};

#[derive(Deserialize)]
struct OnRoom {
    room_id: RoomId,
}

#[derive(Deserialize)]
struct Batch {
    after_commit: bool,
}

#[derive(Deserialize)]
struct Losing {
    on: bool,
}

/// Calls one of the methods that break things.
#[expect(clippy::panic, reason = "asked for by a test")]
pub(super) async fn call(live: &Arc<Live>, tenant: TenantId, method: &str, data: &[u8]) -> Result<Value, ErrorBody> {
    match method {
        "faults.room" => {
            let OnRoom { room_id } = parse(data)?;
            let seat = live.find_room(tenant, room_id).await.ok_or(ErrorCode::TooManyRequests)?;
            Ok(json!({ "generation": seat.generation }))
        }
        "faults.panic_room" => {
            let OnRoom { room_id } = parse(data)?;
            let seat = live.find_room(tenant, room_id).await.ok_or(ErrorCode::TooManyRequests)?;
            seat.addr.try_send(room::Panic).map_err(|_| ErrorCode::TooManyRequests)?;
            Ok(json!({ "generation": seat.generation }))
        }
        "faults.panic_tenant" => {
            let supervisor = live.directory.find_tenant(tenant).ok_or(ErrorCode::TooManyRequests)?;
            supervisor.try_send(tenant::Panic).map_err(|_| ErrorCode::TooManyRequests)?;
            Ok(json!({}))
        }
        "faults.panic_writer" => {
            let Batch { after_commit } = parse(data)?;
            faults::panic_next_batch(if after_commit { Moment::AfterCommit } else { Moment::BeforeCommit });
            Ok(json!({}))
        }
        "faults.panic_hubs" => {
            live.tell(|| Delivery::Panic);
            Ok(json!({}))
        }
        "faults.panic_session" => panic!("a session was asked to panic"),
        "faults.lose_deliveries" => {
            let Losing { on } = parse(data)?;
            faults::lose_deliveries(on);
            Ok(json!({}))
        }
        _ => Err(ErrorCode::MethodNotFound.into()),
    }
}
