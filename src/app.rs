//! The composition root: the only place that knows all parts. Builds them, starts the actor tree, serves, and stops in order.

use std::any::Any;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle, System};
use actix_web::dev::{Extensions, Server};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::runtime::{Builder, Runtime};

use crate::actors::hub::{self, Hub, HubReceiver};
use crate::actors::live::{Live, Parts};
use crate::config::{Config, StoreUrls, Transport};
use crate::domain::identity::{Accounts, Directory, Hasher, Keys, MasterKey};
use crate::domain::tenancy::{Tenants, verbs};
use crate::http::connection::PeerSocket;
use crate::http::{self, Edge};
use crate::infra::bus::Bus;
use crate::infra::pg::{Db, Pg};
use crate::kernel::{Clock, rng};

/// What the kernel may hold unsent for one socket; together with the outbox it bounds what a dead reader costs (R7).
const SEND_BUFFER: usize = 128 * 1024;
/// Unacknowledged data older than this ends the connection, which nothing else would (R7).
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// Sessions close spread over this time, so that clients do not all come back in one instant.
const DRAIN: Duration = Duration::from_secs(2);
/// What closing the store's connections, and the tasks that use them, may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;

/// Why the server could not start or go on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A node before it serves.
pub struct Node {
    pub edge: Data<Edge>,
    /// What it is bound to: the configured address, with the port that the system chose for port 0.
    pub addresses: Vec<SocketAddr>,
    pub server: Server,
}

/// Serves until a signal says stop. The store is up and migrated; `announce` is called when the address is bound.
///
/// # Errors
/// When a part can not be built, or the address not be bound.
pub fn serve(config: &Config, urls: &StoreUrls, announce: impl FnOnce(&Edge)) -> Result<(), Failure> {
    let workers = config.server.worker_count();
    let database = Builder::new_multi_thread().worker_threads(workers).thread_name("rialto-db").enable_all().build()?;
    let config = Arc::new(config.clone());
    let db = open_store(&database, &config, urls)?;
    let pg = db.pg().clone();
    let outcome = System::new().block_on(async {
        let node = assemble(Arc::clone(&config), Clock::System, db).await?;
        tracing::info!(listen = %config.server.listen, url = config.server.public_url(), "serving");
        announce(&node.edge);
        until_stopped(node.server, &node.edge.live, &config).await
    });
    // Writers give their connections back when the pool closes; a statement that hangs must not keep the process.
    database.block_on(async { tokio::time::timeout(CLOSE_WITHIN, pg.close()).await }).ok();
    database.shutdown_timeout(CLOSE_WITHIN);
    outcome
}

/// The pools, on their own runtime.
///
/// # Errors
/// When a URL can not be read.
pub fn open_store(database: &Runtime, config: &Config, urls: &StoreUrls) -> Result<Db, Failure> {
    let _inside = database.enter();
    let pg = Pg::open(urls, &config.store, Bus::local())?;
    Ok(Db::new(database.handle().clone(), pg, config.store.queue))
}

/// Builds a node, starts its background work and binds its address. Runs inside an actix system.
///
/// # Errors
/// When a part can not be built, or the address not be bound.
pub async fn assemble(config: Arc<Config>, clock: Clock, db: Db) -> Result<Node, Failure> {
    let workers = config.server.worker_count();
    let accounts = open_accounts(&config, &clock, &db).await?;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| hub::channel()).unzip();
    let arbiters: Vec<Arbiter> = (0..workers).map(|_| Arbiter::new()).collect();
    let (tenants, directory) = (Tenants::default(), Directory::default());
    let (live, gap_requests) = Live::new(Parts {
        config: Arc::clone(&config),
        clock: clock.clone(),
        db: db.clone(),
        keys: accounts.keys(),
        tenants: tenants.clone(),
        people: directory.clone(),
        hubs: senders.into(),
        arbiters: arbiters.iter().map(Arbiter::handle).collect::<Vec<ArbiterHandle>>(),
    });
    live.start(gap_requests);
    let (keys, hasher) = (accounts.keys(), accounts.hasher());
    let mail_page = config.server.demo && config.mail.transport == Transport::Sink;
    let mail_page_token = mail_page.then(rng::token::<18>);
    let edge = Data::new(Edge { config, clock, db, keys, hasher, directory, tenants, accounts, live, mail_page_token });
    edge.start();
    let (server, addresses) = listen(&edge, receivers)?;
    Ok(Node { edge, addresses, server })
}

/// The verbs of accounts, with keys read (and the reserved tenant made) on the database runtime.
///
/// # Errors
/// When the keys can not be opened or the database not be reached.
pub async fn open_accounts(config: &Arc<Config>, clock: &Clock, db: &Db) -> Result<Accounts, Failure> {
    let master = MasterKey::find(&config.auth, &config.server.data_dir)?;
    let (pg, at, auth, issuer) = (db.pg().clone(), clock.clone(), config.auth.clone(), config.server.public_url());
    let keys = db.run(async move {
        verbs::ensure_platform(&pg, at.now()).await?;
        Keys::open(&pg, &at, &auth, issuer, master).await
    });
    let keys = Arc::new(keys.await?);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let hasher = Hasher::new(&config.auth, cores, config.limits.signing_in.hash_queue as usize)?;
    Ok(Accounts::new(db.pg().clone(), clock.clone(), Arc::clone(config), hasher, keys))
}

/// Binds the address and starts the workers, each with its hub.
fn listen(edge: &Data<Edge>, receivers: Vec<HubReceiver>) -> Result<(Server, Vec<SocketAddr>), Failure> {
    let receivers = Arc::new(Mutex::new(receivers));
    let (config, data) = (Arc::clone(&edge.config), edge.clone());
    let factory = move || {
        let mut app = App::new().app_data(data.clone()).wrap(from_fn(http::requests::count)).configure(http::routes);
        let mut receivers = receivers.lock().unwrap_or_else(PoisonError::into_inner);
        let worker = receivers.len();
        // A worker that actix had to start again has no queue any more: it serves HTTP and refuses sockets.
        if let Some(receiver) = receivers.pop() {
            let hub = Hub::new(worker - 1, Arc::clone(&data.live));
            actix_web::rt::spawn(std::rc::Rc::clone(&hub).run(receiver));
            app = app.app_data(hub);
        }
        app
    };
    let connections = config.limits.admission.connections_per_node.unwrap_or(16_384) as usize;
    let server = HttpServer::new(factory)
        .workers(config.server.worker_count())
        .backlog(BACKLOG)
        .max_connections(connections / config.server.worker_count() + 512)
        .h1_allow_half_closed(false)
        .disable_signals()
        .on_connect(prepare_socket)
        .bind(config.server.listen)
        .map_err(|error| format!("can not listen on {}: {error}", config.server.listen))?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

/// R7: what a peer that does not read can cost is bounded in the kernel too.
fn prepare_socket(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let socket = socket2::SockRef::from(stream);
    let bounded = socket
        .set_send_buffer_size(SEND_BUFFER)
        .and_then(|()| socket.set_tcp_user_timeout(Some(USER_TIMEOUT)))
        .and_then(|()| socket.set_tcp_nodelay(true));
    if let Err(error) = bounded {
        tracing::debug!(%error, "a socket could not be prepared");
    }
    data.insert(PeerSocket(stream.as_raw_fd()));
}

/// Waits for a signal (or the server's own end), then stops in order: sessions first, then connections. A second Ctrl-C forces.
async fn until_stopped(server: Server, live: &Arc<Live>, config: &Config) -> Result<(), Failure> {
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        ended = serving => return Ok(ended??),
    }
    tracing::info!("stopping");
    cut_after(config.server.stop_within.duration());
    handle.pause().await;
    live.drain(DRAIN);
    let drained = async {
        let until = std::time::Instant::now() + DRAIN + Duration::from_secs(1);
        while live.admission.connections() > 0 && std::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // What is left are requests in flight; idle connections are cut.
        handle.stop(false).await;
    };
    tokio::select! {
        () = drained => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

/// Ends the process if it has not ended by then, whatever holds it. A store that is left is adopted by the next start.
fn cut_after(within: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(within);
        tracing::error!("stopping took too long: what is left is cut");
        std::process::exit(1);
    });
}
