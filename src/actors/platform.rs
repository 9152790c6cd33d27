//! The root of a node's actor tree: starts a tenant's supervisor on first use and again after a panic.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};

use super::lifeline::{self, End};
use super::live::Live;
use super::tenant::Tenant;
use crate::kernel::TenantId;

const MAILBOX_MAX: usize = 4_096;

/// Find the tenant's supervisor, starting it if need be.
#[derive(Message)]
#[rtype(result = "TenantSeat")]
pub struct FindTenant(pub TenantId);

/// The one stored address of a supervisor: a fresh clone for each send would have a mailbox slot of its own.
pub type TenantSeat = Arc<Addr<Tenant>>;

/// One per node.
pub struct Platform {
    pub live: Arc<Live>,
    /// The last supervisor of each tenant, unless it has ended as idle: a further one begins with the rooms that it finds.
    pub started: HashMap<TenantId, TenantSeat>,
}

impl Platform {
    fn start_tenant(&mut self, id: TenantId, ctx: &mut Context<Self>) -> TenantSeat {
        let (lifeline, watch) = lifeline::pair();
        let orphans = if self.started.contains_key(&id) { self.live.directory.list_rooms(id) } else { Vec::new() };
        let seat = Arc::new(Tenant::new(Arc::clone(&self.live), id, lifeline, orphans).start());
        self.started.insert(id, Arc::clone(&seat));
        self.live.directory.insert_tenant(id, Arc::clone(&seat));
        self.live.counters.tenants_started.increment();
        let ended = Arc::clone(&seat);
        ctx.spawn(watch.end().into_actor(self).map(move |end, platform, _| {
            if end == End::Crashed {
                tracing::error!(tenant.id = %id, "a tenant's supervisor crashed; its next use starts another");
                platform.live.directory.remove_tenant(id, &ended);
            } else if platform.started.get(&id).is_some_and(|last| Arc::ptr_eq(last, &ended)) {
                platform.started.remove(&id);
            }
        }));
        seat
    }
}

impl Actor for Platform {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MAX);
    }
}

impl Handler<FindTenant> for Platform {
    type Result = actix::MessageResult<FindTenant>;

    fn handle(&mut self, FindTenant(id): FindTenant, ctx: &mut Self::Context) -> Self::Result {
        actix::MessageResult(self.live.directory.find_tenant(id).unwrap_or_else(|| self.start_tenant(id, ctx)))
    }
}
