//! A fresh tenant with people in it, and short words for what the tests do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use rialto::config::{Plans, Store, StoreUrls};
use rialto::domain::communities::community::{self, NewCommunity};
use rialto::domain::communities::joining::{self, Join};
use rialto::domain::communities::names::{Code, CommunityName, Description, Guidelines, Note, RoomName, Topic};
use rialto::domain::communities::rooms::{self, NewCommunityRoom};
use rialto::domain::communities::views::{CommunityView, JoinPolicy, Joined, RoomView};
use rialto::domain::communities::{Error, RoomKind};
use rialto::domain::events;
use rialto::infra::bus::{Bus, News, StreamId};
use rialto::infra::pg::{self, Pg, TenantTx};
use rialto::kernel::{CommunityId, RoomId, Scope, TenantId, TenantRole, UserId};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::OnceCell;

/// The database of this test run; made by the first test that asks.
static DATABASE: OnceCell<String> = OnceCell::const_new();

fn root_url() -> String {
    std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL: a superuser on a throw-away PostgreSQL")
}

/// The same server, as one role in one database; a throw-away one asks for no password.
fn url_as(role: &str, database: &str) -> String {
    let options: PgConnectOptions = root_url().parse().unwrap();
    options.username(role).database(database).to_url_lossy().to_string()
}

async fn make_database() -> String {
    let name = format!("rialto_store_{}", std::process::id());
    let mut root = PgConnection::connect(&root_url()).await.unwrap();
    let mut run = async |sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut root).await.unwrap();
    };
    for role in ["owner LOGIN", "app LOGIN", "platform LOGIN", "backup LOGIN BYPASSRLS"] {
        run(format!("DO $$ BEGIN CREATE ROLE rialto_{role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")).await;
    }
    run(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    run(format!("CREATE DATABASE {name} OWNER rialto_owner")).await;
    pg::migrate(&url_as("rialto_owner", &name).into()).await.unwrap();
    name
}

pub struct World {
    pub pg: Pg,
    pub tenant: TenantId,
    pub plans: Plans,
    news: Arc<Mutex<Vec<News>>>,
}

/// A moment that all tests share.
pub fn now() -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_790_000_000_000).unwrap()
}

impl World {
    pub async fn new() -> Self {
        Self::on_plan("enterprise").await
    }

    pub async fn on_plan(plan: &str) -> Self {
        let database = DATABASE.get_or_init(make_database).await;
        let urls = StoreUrls {
            app: url_as("rialto_app", database).into(),
            platform: url_as("rialto_platform", database).into(),
            owner: url_as("rialto_owner", database).into(),
        };
        let (bus, news) = (Bus::local(), Arc::new(Mutex::new(Vec::new())));
        let sink = Arc::clone(&news);
        bus.deliver_to(move |told| sink.lock().unwrap().push(told));
        let world = Self {
            pg: Pg::open(&urls, &Store::default(), bus).unwrap(),
            tenant: TenantId::generate(),
            plans: Plans::default(),
            news,
        };
        let slug = format!("t{}", world.tenant.uuid().simple());
        world
            .sql(&format!(
                "INSERT INTO tenants (id, slug, name, plan, state, admin_email, created_at, updated_at)
                 VALUES ('{}', '{slug}', 'T', '{plan}', 'active', 'a@example.org', now(), now())",
                world.tenant
            ))
            .await;
        // A superuser would see everything and prove nothing.
        let on_trial = "SELECT (current_user = 'rialto_app' AND row_security_active('users'))::int::bigint";
        assert_eq!(world.count(on_trial).await, 1);
        world
    }

    pub async fn tx(&self) -> TenantTx {
        self.pg.tenant(self.tenant).await.unwrap()
    }

    /// Runs statements as the app role, in the tenant.
    pub async fn sql(&self, sql: &str) {
        let mut tx = self.tx().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Lets the planner believe what it sees now.
    pub async fn analyze(&self) {
        let url = url_as("rialto_owner", DATABASE.get().unwrap());
        let mut owner = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("ANALYZE messages, mentions, streams, rooms, read_states").execute(&mut owner).await.unwrap();
    }

    pub async fn count(&self, sql: &str) -> i64 {
        let mut tx = self.tx().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(tx.conn()).await.unwrap()
    }

    /// Somebody new, with a stream of their own.
    pub async fn person(&self, handle: &str, role: TenantRole) -> Scope {
        let user = UserId::generate();
        self.sql(&format!(
            "INSERT INTO users (tenant_id, id, email, handle, display_name, role, state, tokens_valid_from, created_at, updated_at)
             VALUES ('{}', '{user}', '{handle}@example.org', '{handle}', '{handle}', '{}', 'active', now(), now(), now())",
            self.tenant,
            role.as_str()
        ))
        .await;
        let mut tx = self.tx().await;
        events::store::open(&mut tx, StreamId::User(user)).await.unwrap();
        tx.commit().await.unwrap();
        Scope { tenant: self.tenant, user, role, handle: handle.into(), display_name: handle.into() }
    }

    pub async fn member(&self, handle: &str) -> Scope {
        self.person(handle, TenantRole::Member).await
    }

    pub async fn community(&self, owner: &Scope, join_policy: JoinPolicy, guidelines: &str) -> CommunityView {
        let new = NewCommunity {
            name: CommunityName::parse(&CommunityId::generate().to_string()).unwrap(),
            description: Description::parse("").unwrap(),
            guidelines: Guidelines::parse(guidelines).unwrap(),
            join_policy,
        };
        let mut tx = self.tx().await;
        let made = community::create(&mut tx, owner, now(), &self.plans, &new).await.unwrap();
        tx.commit().await.unwrap();
        made
    }

    pub async fn join(&self, who: &Scope, community: CommunityId, invite: Option<&str>) -> Result<Joined, Error> {
        self.join_at(who, community, (invite, false), now()).await
    }

    pub async fn join_at(
        &self,
        who: &Scope,
        community: CommunityId,
        (invite, accept_guidelines): (Option<&str>, bool),
        at: DateTime<Utc>,
    ) -> Result<Joined, Error> {
        let invite = invite.map(|code| Code::parse(code).unwrap());
        let join = Join { invite, accept_guidelines, note: Note::parse("hello").unwrap() };
        let mut tx = self.tx().await;
        let joined = joining::join(&mut tx, who, at, &self.plans, (community, &join)).await?;
        tx.commit().await.unwrap();
        Ok(joined)
    }

    pub async fn room(
        &self,
        who: &Scope,
        community: CommunityId,
        kind: RoomKind,
        name: &str,
    ) -> Result<RoomView, Error> {
        let new = NewCommunityRoom { name: RoomName::parse(name).unwrap(), kind, topic: Topic::parse("").unwrap() };
        let mut tx = self.tx().await;
        let room = rooms::create(&mut tx, who, now(), community, &new).await?;
        tx.commit().await.unwrap();
        Ok(room)
    }

    pub async fn rooms(&self, who: &Scope, community: CommunityId) -> Vec<RoomView> {
        rooms::list(&mut self.tx().await, who, now(), community, (None, 100)).await.unwrap().items
    }

    /// The room that a community begins with.
    pub async fn hall(&self, owner: &Scope, community: CommunityId) -> RoomId {
        self.rooms(owner, community).await[0].id
    }

    /// Kinds and payloads of a stream, oldest first.
    pub async fn events(&self, stream: StreamId) -> Vec<(String, serde_json::Value)> {
        let mut tx = self.tx().await;
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT kind, body FROM events WHERE tenant_id = $1 AND stream_id = $2 ORDER BY event_offset",
        )
        .bind(self.tenant)
        .bind(stream.uuid())
        .fetch_all(tx.conn())
        .await
        .unwrap();
        rows.into_iter().map(|(kind, body)| (kind, serde_json::from_str(&body).unwrap())).collect()
    }

    /// What has been announced since the last call.
    pub fn news(&self) -> Vec<News> {
        std::mem::take(&mut *self.news.lock().unwrap())
    }

    pub fn whose_grants_changed(&self) -> Vec<UserId> {
        let news = self.news().into_iter();
        news.filter_map(|news| match news {
            News::GrantsChanged { user, .. } => Some(user),
            _ => None,
        })
        .collect()
    }
}

/// `tx!(world, |tx| verb(tx, …))`: one committed transaction.
macro_rules! tx {
    ($world:expr, |$tx:ident| $work:expr) => {{
        let mut transaction = $world.tx().await;
        let $tx = &mut transaction;
        let answer = $work.await;
        if answer.is_ok() {
            transaction.commit().await.unwrap();
        }
        answer
    }};
}
pub(crate) use tx;

/// Long enough for a lock to be waited for.
pub const A_WHILE: Duration = Duration::from_millis(200);
