//! Before a connection becomes a session: is there room, and is it a page that may connect?

use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::web::Data;

use crate::actors::admission::{Full, Place};
use crate::actors::hub::Hub;
use crate::http::{Edge, Problem, address, origin as origins, tenant};
use crate::kernel::TenantId;

/// The socket under a connection, remembered when it was accepted.
#[derive(Debug, Clone, Copy)]
pub struct PeerSocket(pub RawFd);

/// What is known of a connection before it says who it is.
pub struct Admitted {
    pub hub: Rc<Hub>,
    pub place: Place,
    pub tenant: Option<TenantId>,
    pub socket: Option<RawFd>,
}

/// Lets a connection in, or says why not.
pub async fn admit(request: &HttpRequest, edge: &Data<Edge>) -> Result<Admitted, Problem> {
    let hub = request
        .app_data::<Rc<Hub>>()
        .cloned()
        .ok_or_else(|| Problem::new("busy", "this worker takes no connections"))?;
    if hub.is_draining() {
        return Err(Problem::new("busy", "the server is stopping"));
    }
    check_origin(request, edge)?;
    let place = hub.live.admission.admit(address::of_request(request)).map_err(|full| {
        hub.live.counters.connections_refused.increment();
        match full {
            Full::Node => Problem::new("busy", "this node has as many connections as it takes").retry_after(5),
            Full::Address => Problem::new("too_many", "too many connections from this address").retry_after(10),
            Full::Rate => Problem::new("busy", "too many connections at once").retry_after(1),
        }
    })?;
    let tenant = tenant::named_by(request).await?.map(|tenant| tenant.0.id);
    let socket = request.conn_data::<PeerSocket>().map(|socket| socket.0);
    Ok(Admitted { hub: Rc::clone(&hub), place, tenant, socket })
}

/// A browser says which page it speaks for: ours, or one that the configuration names. Programs say nothing.
fn check_origin(request: &HttpRequest, edge: &Arc<Edge>) -> Result<(), Problem> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if origins::is_own(origin, host, &edge.config) {
        return Ok(());
    }
    Err(Problem::new("foreign_origin", "pages of this origin may not connect"))
}
