//! One server for all tests of the binary, and a client with one method per verb.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_web::web::Data;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder};
use rialto::app;
use rialto::config::{Config, StoreUrls};
use rialto::domain::identity::{Provisioned, Wanted};
use rialto::domain::tenancy::verbs::By;
use rialto::http::Edge;
use rialto::infra::pg::{self, Db};
use rialto::kernel::Clock;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

/// What a test of one route does when the server does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the plan `tiny` admits.
pub const TINY_STAFF: usize = 3;
pub const TINY_MEMBERS: usize = 5;
pub const PASSWORD: &str = "correct horse";

/// The running server.
pub struct Server {
    pub base: String,
    pub edge: Data<Edge>,
    /// The database as its superuser sees it.
    pub superuser_url: String,
    pub urls: StoreUrls,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| std::thread::spawn(start).join().expect("the server starts"));

pub fn server() -> &'static Server {
    &SERVER
}

fn start() -> Server {
    // The client is built without one; what of TLS it would use nobody here sees.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let admin = std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL; ./dev test sets it");
    let database = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let name = format!("rialto_api_{}", std::process::id());
    database.block_on(create_database(&admin, &name));
    let urls = StoreUrls {
        app: with(&admin, "rialto_app", &name).into(),
        platform: with(&admin, "rialto_platform", &name).into(),
        owner: with(&admin, "rialto_owner", &name).into(),
    };
    database.block_on(pg::migrate(&urls.owner)).unwrap();
    let config = Arc::new(config());
    let db = app::open_store(&database, &config, &urls).unwrap();
    let (base, edge) = serve(config, db);
    // Lives as long as the process.
    std::mem::forget(database);
    Server { base, edge, superuser_url: with(&admin, "postgres", &name), urls }
}

fn config() -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.workers = 2;
    // Cheap hashes; limits per address that only the test of limits reaches.
    config.auth.hash_memory = rialto::config::ByteSize::mib(7);
    config.auth.hash_passes = 1;
    config.limits.signing_in.register_per_address.attempts = 100_000;
    config.limits.signing_in.login_per_address.attempts = 100_000;
    config.server.base_domain = Some("chat.test".into());
    config.server.base_url = Some("http://chat.test".into());
    config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    // A plan that a few people fill.
    let mut plans = serde_json::to_value(&config.plans).unwrap();
    plans["tiny"] = plans["basic"].clone();
    (plans["tiny"]["users"], plans["tiny"]["members"]) = (json!(TINY_STAFF), json!(TINY_MEMBERS));
    config.plans = serde_json::from_value(plans).unwrap();
    config.auth.master_key = Some(SecretString::from("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
    config
}

fn serve(config: Arc<Config>, db: Db) -> (String, Data<Edge>) {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let node = app::assemble(config, Clock::System, db).await.unwrap();
            tell.send((format!("http://{}", node.addresses[0]), node.edge)).unwrap();
            node.server.await.unwrap();
        });
    });
    told.recv().unwrap()
}

async fn create_database(admin: &str, name: &str) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    for role in ["rialto_owner", "rialto_app", "rialto_platform"] {
        let made = format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        connection.execute(sqlx::AssertSqlSafe(made)).await.unwrap();
    }
    connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} OWNER rialto_owner"))).await.unwrap();
}

/// The same server, as another role, in another database.
fn with(url: &str, role: &str, database: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    let (host, tail) = place.split_once('/').unwrap();
    let query = tail.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{role}@{host}/{database}{query}")
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The answer, if it is of that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// That it is a problem of that code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
    }

    pub fn retry_after(&self) -> Option<u64> {
        self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
    }
}

/// Somebody at a browser or an app: a tenant's host, an address of their own, perhaps a token.
#[derive(Clone)]
pub struct Api {
    client: Client,
    host: String,
    address: String,
    pub token: Option<String>,
    pub user: Value,
    pub refresh_token: String,
}

/// A tenant of one test.
pub struct TestTenant {
    pub id: String,
    pub slug: String,
    pub admin_email: String,
}

impl TestTenant {
    /// Provisions one, with an admin whose password is [`PASSWORD`].
    pub async fn make() -> Self {
        Self::on_plan("enterprise").await
    }

    pub async fn on_plan(plan: &str) -> Self {
        let slug = format!("t{}", uuid::Uuid::new_v4().simple());
        let wanted = Wanted {
            name: "Test".into(),
            slug: Some(slug.clone()),
            plan: Some(plan.into()),
            admin_email: "tam@test.example".into(),
            admin_password: Some(PASSWORD.into()),
            ..Wanted::default()
        };
        let made = provision(wanted).await.unwrap();
        Self { id: made.tenant.id.to_string(), slug, admin_email: "tam@test.example".into() }
    }

    /// Somebody who is not signed in, at this tenant's host.
    pub fn visitor(&self) -> Api {
        Api::at(&format!("{}.chat.test", self.slug))
    }

    /// Somebody who has just registered.
    pub async fn member(&self, name: &str) -> Api {
        let mut api = self.visitor();
        let body = json!({ "email": format!("{name}@test.example"), "password": PASSWORD, "display_name": name });
        let answer = api.post("/v1/auth/register", body).await.expect(201);
        api.take(&answer);
        api
    }

    /// The admin, signed in.
    pub async fn admin(&self) -> Api {
        let mut api = self.visitor();
        let answer = api.login(&self.admin_email, PASSWORD).await.expect(200);
        api.take(&answer);
        api
    }

    /// Somebody with that role.
    pub async fn with_role(&self, role: &str) -> Api {
        let api = self.member(role).await;
        let path = format!("/v1/users/{}/role", api.id());
        self.admin().await.put(&path, json!({ "role": role })).await.expect(200);
        api
    }
}

/// A server beside, as `serve --demo` on loopback would be, on the same database; its address, and what it works with.
pub async fn demo_server() -> (String, Data<Edge>) {
    let slug = rialto::domain::identity::demo::SLUG.to_owned();
    let wanted = Wanted {
        name: "Demo".into(),
        slug: Some(slug),
        plan: Some("enterprise".into()),
        admin_email: "tam@demo.example".into(),
        ..Wanted::default()
    };
    static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    MADE.get_or_init(|| async { provision(wanted).await.map(|_| ()).unwrap() }).await;
    let mut demo = config();
    demo.server.demo = true;
    demo.server.base_domain = None;
    demo.server.trusted_proxies.clear();
    let (base, edge) = serve(Arc::new(demo), server().edge.db.clone());
    (base, edge)
}

/// A server beside, on the same database, where an address may make so many requests in a row and one a second after.
pub fn strict_server(burst: u32) -> String {
    let mut strict = config();
    strict.limits.admission.requests_per_address = rialto::config::Rate { per_second: 1, burst };
    serve(Arc::new(strict), server().edge.db.clone()).0
}

/// Provisions on the server's own runtime.
pub async fn provision(wanted: Wanted) -> Result<Provisioned, rialto::domain::identity::IdentityError> {
    let edge = &server().edge;
    let accounts = edge.accounts.clone();
    let by = By { actor: None, at: edge.clock.now() };
    edge.db.run(async move { accounts.provision(&wanted, by).await }).await
}

impl Api {
    pub fn at(host: &str) -> Self {
        server();
        let bytes = uuid::Uuid::new_v4().into_bytes();
        Self {
            client: Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            host: host.to_owned(),
            // Limits per address must not reach from one test into another.
            address: format!("10.{}.{}.{}", bytes[0], bytes[1], bytes[2]),
            token: None,
            user: Value::Null,
            refresh_token: String::new(),
        }
    }

    /// Becomes who the answer signs in.
    pub fn take(&mut self, answer: &Value) {
        self.token = Some(answer["access_token"].as_str().unwrap().to_owned());
        self.refresh_token = answer["refresh_token"].as_str().unwrap().to_owned();
        self.user = answer["user"].clone();
    }

    pub fn id(&self) -> &str {
        self.user["id"].as_str().unwrap()
    }

    pub fn on_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_to(&server().base, method, path)
    }

    /// The same request to another server.
    pub fn request_to(&self, base: &str, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{base}{path}"));
        request = request.header("host", &self.host).header("x-forwarded-for", &self.address);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/v1/auth/refresh", json!({ "refresh_token": token })).await
    }

    pub async fn me(&self) -> Answer {
        self.get("/v1/me").await
    }
}

/// The superuser's connection, for looking behind the policies.
pub async fn superuser() -> PgConnection {
    PgConnection::connect(&server().superuser_url).await.unwrap()
}

/// How often an action stands in a tenant's audit log.
pub async fn audited(tenant: &str, action: &str) -> i64 {
    let tenant: uuid::Uuid = tenant.parse().unwrap();
    sqlx::query_scalar("SELECT count(*) FROM audit WHERE tenant_id = $1 AND action = $2")
        .bind(tenant)
        .bind(action)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap()
}

/// The token in the newest mail to somebody whose text has this word; waits for it.
pub async fn mailed_token(tenant: &str, recipient: &str, word: &str) -> Option<String> {
    let tenant: uuid::Uuid = tenant.parse().unwrap();
    for _ in 0..50 {
        let body: Option<String> = sqlx::query_scalar(
            "SELECT body FROM mails WHERE tenant_id = $1 AND recipient = $2 AND body LIKE '%' || $3 || '%' ORDER BY id DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(recipient)
        .bind(word)
        .fetch_optional(&mut superuser().await)
        .await
        .unwrap();
        if let Some(body) = body {
            return body.split("?token=").nth(1)?.lines().next().map(str::to_owned);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}
