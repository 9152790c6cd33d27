//! `rialto demo`, and `serve --demo`: a tenant to look around in. Seeding again changes nothing that is there.

use std::sync::Arc;

use uuid::Uuid;

use super::accounts::with_accounts;
use super::ready::{self, Part};
use super::{Failure, say};
use crate::config::{Config, StoreUrls};
use crate::domain::communities::community::{self, NewCommunity};
use crate::domain::communities::joining::{self, Join};
use crate::domain::communities::names::{CommunityName, Description, Guidelines, Note, RoomName, Topic};
use crate::domain::communities::rooms::{self, NewCommunityRoom};
use crate::domain::communities::views::JoinPolicy;
use crate::domain::communities::{Error as CommunityError, RoomKind};
use crate::domain::identity::demo::{PEOPLE, SLUG, WELL_KNOWN_PASSWORD};
use crate::domain::identity::{Account, Accounts, DisplayName, Email, Handle, NewAccount, Password, Wanted};
use crate::domain::messaging::MessageText;
use crate::domain::messaging::post::{self, Draft};
use crate::domain::tenancy::verbs::By;
use crate::domain::tenancy::{self, TenancyError};
use crate::infra::pg::Pg;
use crate::kernel::{Clock, CommunityId, RoomId, Scope, TenantId, TenantRole, rng};

const COMMUNITY: &str = "Rialto Bridge";

/// Room, author, text.
const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "general",
        "tam",
        "Welcome to the **Rialto Bridge**. This is a demo: look around, write, break nothing that matters.",
    ),
    ("general", "ada", "Morning! Is the fish market open today?"),
    ("general", "bo", "Until one, as always. I saw artichokes too."),
    ("general", "mo", "A reminder from the guidelines: be kind, trade fair, and keep offers in #market."),
    ("market", "vera", "Hand-printed maps of the sestieri, a dozen left. Come by the bridge or write to me."),
    ("market", "cy", "I am looking for a second-hand bicycle pump, `Presta` valve."),
];

/// Who can sign in, and with what.
pub struct Seeded {
    /// E-mail address and role.
    pub accounts: Vec<(String, TenantRole)>,
    /// None: they were made by an earlier start with passwords shown then.
    pub password: Option<String>,
}

pub fn run(config: Config) -> Result<(), Failure> {
    let (config, store) = ready::open(config, Part::Beside)?;
    let urls = store.urls();
    let outcome = store.migrate_if_alone().and_then(|()| seed(&config, &urls));
    store.stop();
    show(&config, &outcome?);
    Ok(())
}

/// Prints what somebody needs to look around.
pub fn show(config: &Config, seeded: &Seeded) {
    say(format!("\n  Rialto is at {}\n", config.server.public_url()));
    for (email, role) in &seeded.accounts {
        say(format!("    {email:<22} {}", role.as_str()));
    }
    match &seeded.password {
        Some(password) => say(format!("\n  Password of everyone: {password}\n")),
        None => say("\n  Their passwords are those that were shown when they were made.\n".to_owned()),
    }
}

/// Seeds the demo tenant.
///
/// # Errors
/// Those of the database.
pub fn seed(config: &Config, urls: &StoreUrls) -> Result<Seeded, Failure> {
    // On an address that others can reach, a well-known password would be an open door.
    let well_known = config.server.listen.ip().is_loopback();
    let password = if well_known { WELL_KNOWN_PASSWORD.to_owned() } else { rng::token::<12>() };
    with_accounts(config, urls, async |accounts, pg| {
        let (tenant, fresh) = ensure_tenant(&accounts, &pg, &password).await?;
        let people = ensure_people(&accounts, tenant, &password).await?;
        ensure_community(config, &pg, tenant, &people).await?;
        let accounts = people.iter().map(|account| (account.email.clone(), account.role)).collect();
        Ok(Seeded { accounts, password: (well_known || fresh).then_some(password) })
    })
}

async fn ensure_tenant(accounts: &Accounts, pg: &Pg, password: &str) -> Result<(TenantId, bool), Failure> {
    let wanted = Wanted {
        name: "Rialto demo".to_owned(),
        slug: Some(SLUG.to_owned()),
        plan: Some("enterprise".to_owned()),
        admin_email: format!("tam@{SLUG}.example"),
        admin_name: Some("Tam".to_owned()),
        admin_password: Some(password.to_owned()),
        ..Wanted::default()
    };
    match tenancy::verbs::get(pg, SLUG).await {
        Ok(tenant) if tenant.state != tenancy::State::Provisioning => return Ok((tenant.id, false)),
        Ok(_) | Err(TenancyError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let by = By { actor: None, at: Clock::System.now() };
    Ok((accounts.provision(&wanted, by).await?.tenant.id, true))
}

async fn ensure_people(accounts: &Accounts, tenant: TenantId, password: &str) -> Result<Vec<Account>, Failure> {
    let mut people = Vec::new();
    for (handle, name, role) in PEOPLE {
        let new = NewAccount {
            email: Email::parse(&format!("{handle}@{SLUG}.example"))?,
            password: Some(Password::parse("password", password, 1)?),
            display_name: Some(DisplayName::parse(name)?),
            handle: Some(Handle::parse(handle)?),
        };
        people.push(accounts.ensure_account(tenant, &new, *role).await?);
    }
    Ok(people)
}

fn scope(tenant: TenantId, account: &Account) -> Scope {
    Scope {
        tenant,
        user: account.id,
        role: account.role,
        handle: account.handle.as_str().into(),
        display_name: account.display_name.as_str().into(),
    }
}

async fn ensure_community(config: &Config, pg: &Pg, tenant: TenantId, people: &[Account]) -> Result<(), Failure> {
    let find = |handle: &str| people.iter().find(|account| account.handle == handle).ok_or("a demo account is missing");
    let owner = scope(tenant, find("tam")?);
    let now = Clock::System.now();
    let mut tx = pg.tenant(tenant).await?;
    let new = NewCommunity {
        name: CommunityName::parse(COMMUNITY)?,
        description: Description::parse("Meet people, hear the news, trade: the square of this demo.")?,
        guidelines: Guidelines::parse("")?,
        join_policy: JoinPolicy::Open,
    };
    let community: CommunityId = match community::create(&mut tx, &owner, now, &config.plans, &new).await {
        Ok(view) => view.id,
        Err(CommunityError::NameTaken) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let market = NewCommunityRoom {
        name: RoomName::parse("market")?,
        kind: RoomKind::Public,
        topic: Topic::parse("Offers and wishes from around the bridge")?,
    };
    rooms::create(&mut tx, &owner, now, community, &market).await?;
    for account in people.iter().filter(|account| account.id != owner.user) {
        let join = Join { invite: None, accept_guidelines: true, note: Note::parse("")? };
        joining::join(&mut tx, &scope(tenant, account), now, &config.plans, (community, &join)).await?;
    }
    let rooms: Vec<(String, RoomId)> = rooms::list(&mut tx, &owner, now, community, (None, 100))
        .await?
        .items
        .into_iter()
        .map(|room| (room.name, room.id))
        .collect();
    tx.commit().await?;
    write_messages(pg, tenant, people, &rooms).await
}

async fn write_messages(
    pg: &Pg,
    tenant: TenantId,
    people: &[Account],
    rooms: &[(String, RoomId)],
) -> Result<(), Failure> {
    let mut drafts = Vec::new();
    for (room, author, text) in MESSAGES {
        let room = rooms.iter().find(|(name, _)| name == room).map(|(_, id)| *id);
        let author = people.iter().find(|account| account.handle == *author);
        let (Some(room), Some(author)) = (room, author) else { continue };
        drafts.push(Arc::new(Draft {
            room,
            author: author.id,
            handle: author.handle.as_str().into(),
            display_name: author.display_name.as_str().into(),
            client_id: Uuid::new_v4(),
            text: MessageText::parse(text)?,
            reply_to: None,
        }));
    }
    let mut connection = pg.app_pool().acquire().await?;
    post::post(&mut connection, tenant, Clock::System.now(), &drafts).await?;
    Ok(())
}
