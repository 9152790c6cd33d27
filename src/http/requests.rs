//! How many requests one address may make (R6): beyond `limits.admission.requests_per_address` the answer is 429.
//!
//! Not counted is what must not be refused or is counted elsewhere: health, which balancers ask for behind one address; the application's own
//! files, whose answer costs no more than the refusal would; and the handshakes of sockets, which have a rate of their own.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::{Edge, Problem, address};

const NOT_COUNTED: [&str; 3] = ["/health/", "/static/", "/connection/"];

/// Refuses a request of an address that has made too many, before anything is done for it.
///
/// # Errors
/// `too_many`, or the handler's own.
pub async fn count(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(edge) = req.app_data::<Data<Edge>>()
        && !NOT_COUNTED.iter().any(|start| req.path().starts_with(start))
        && let Err(seconds) = edge.live.admission.request(address::of_request(req.request()))
    {
        edge.live.counters.requests_refused.increment();
        return Err(Problem::new("too_many", "too many requests from this address").retry_after(seconds).into());
    }
    next.call(req).await
}
