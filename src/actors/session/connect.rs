//! `connect` and `refresh`: a token becomes an identity.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::{Client, Identity};
use crate::actors::feed::Mark;
use crate::actors::live::Refused;
use crate::domain::identity::IdentityError;
use crate::protocol::{
    Answer, Channel, ConnectRequest, ConnectResult, Disconnect, ErrorCode, RefreshRequest, RefreshResult, Reply,
    SubscribeRequest,
};

const VERSION: &str = concat!("rialto ", env!("CARGO_PKG_VERSION"));

/// What a token that was not accepted leads to.
enum TokenRefused {
    /// The client fetches another and tries again.
    Expired,
    Close(Disconnect),
    /// The store could not be asked.
    Unavailable,
}

impl Client {
    pub(super) async fn connect(self: &Rc<Self>, id: u32, request: ConnectRequest) {
        if self.identity.borrow().is_some() {
            return self.close(Disconnect::BadRequest);
        }
        if self.hub.is_draining() {
            return self.close(Disconnect::Shutdown);
        }
        let identity = match self.identify(&request.token).await {
            Ok(identity) => identity,
            Err(TokenRefused::Expired) => return self.refuse(id, ErrorCode::TokenExpired),
            Err(TokenRefused::Unavailable) => return self.refuse(id, ErrorCode::Internal),
            Err(TokenRefused::Close(why)) => return self.close(why),
        };
        // Gone meanwhile: nobody would give back what is taken from here on.
        if self.over.get() {
            return;
        }
        if !self.hub.live.admission.enter(identity.tenant, identity.user) {
            return self.close(Disconnect::ConnectionLimit);
        }
        self.hub.identify(self.number, identity.tenant, identity.user);
        *self.identity.borrow_mut() = Some(identity.clone());
        // Rights may have changed between the look and the registration that lets news find this client.
        self.recheck(None);
        self.pinged_at.set(Instant::now());

        let (subs, live) = self.subscribe_to_own(&identity, request.subs).await;
        let result = ConnectResult {
            client: self.id.to_string(),
            version: VERSION.to_owned(),
            expires: true,
            ttl: self.ttl(&identity),
            subs,
            ping: u32::try_from(self.hub.live.config.limits.socket.ping.as_secs()).unwrap_or(u32::MAX),
            pong: true,
            session: self.origin.emulation.clone().unwrap_or_default(),
            node: if self.origin.emulation.is_some() { self.hub.live.node.clone() } else { String::new() },
            time: self.hub.live.clock.now().timestamp_millis(),
            ..ConnectResult::default()
        };
        self.send(&Reply::answer(id, Answer::Connect(result)));
        if let Some((subscription, mark)) = live {
            subscription.go_live(mark);
        }
    }

    /// Everybody is subscribed to their own stream.
    async fn subscribe_to_own(
        self: &Rc<Self>,
        identity: &Identity,
        mut asked: BTreeMap<String, SubscribeRequest>,
    ) -> (BTreeMap<String, crate::protocol::SubscribeResult>, Option<(Rc<super::Subscription>, Mark)>) {
        let channel = Channel::User(identity.user.uuid());
        let name = channel.to_string();
        let request = asked.remove(&name).unwrap_or_default();
        match self.prepare_stream(identity, channel, &request).await {
            Ok((subscription, mut result, mark)) => {
                // The SDK reads server-side publications only when they close the gap.
                if !result.recovered {
                    result.publications.clear();
                }
                (BTreeMap::from([(name, result)]), Some((subscription, mark)))
            }
            // Without its own stream the session still works: the client recovers it on its next connect.
            Err(_) if self.over.get() => (BTreeMap::new(), None),
            Err(error) => {
                tracing::warn!(code = error.code, "could not subscribe a person to their own stream");
                (BTreeMap::new(), None)
            }
        }
    }

    pub(super) async fn refresh(self: &Rc<Self>, id: u32, request: RefreshRequest) {
        let Ok(known) = self.identity() else { return self.close(Disconnect::BadRequest) };
        match self.identify(&request.token).await {
            Ok(identity) if (identity.tenant, identity.user) == (known.tenant, known.user) => {
                let result = RefreshResult {
                    client: self.id.to_string(),
                    version: VERSION.to_owned(),
                    expires: true,
                    ttl: self.ttl(&identity),
                };
                *self.identity.borrow_mut() = Some(identity);
                self.send(&Reply::answer(id, Answer::Refresh(result)));
            }
            Err(TokenRefused::Expired) => self.close(Disconnect::Expired),
            Err(TokenRefused::Unavailable) => self.refuse(id, ErrorCode::Internal),
            Err(TokenRefused::Close(why)) => self.close(why),
            Ok(_) => self.close(Disconnect::InvalidToken),
        }
    }

    fn ttl(&self, identity: &Identity) -> u32 {
        let left = (identity.token.expires_at - self.hub.live.clock.now()).num_seconds().max(1);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Checks the token, then the present state of tenant and person: a signed token says who, never what they may do now.
    async fn identify(&self, token: &str) -> Result<Identity, TokenRefused> {
        let live = &self.hub.live;
        let claims = match live.keys.verify(token, live.clock.now()) {
            Ok(claims) => claims,
            Err(IdentityError::TokenExpired) => return Err(TokenRefused::Expired),
            Err(_) => return Err(TokenRefused::Close(Disconnect::InvalidToken)),
        };
        if self.origin.tenant.is_some_and(|named| named != claims.tenant) {
            return Err(TokenRefused::Close(Disconnect::InvalidToken));
        }
        live.check_tenant(claims.tenant).await.map_err(refused)?;
        let person = live.people.admit(&live.db, &claims).await.map_err(|error| match error {
            IdentityError::Banned => TokenRefused::Close(Disconnect::Banned),
            IdentityError::Unauthorized => TokenRefused::Close(Disconnect::InvalidToken),
            _ => TokenRefused::Unavailable,
        })?;
        Ok(Identity {
            tenant: claims.tenant,
            user: claims.user,
            handle: Arc::clone(&person.scope.handle),
            display_name: Arc::clone(&person.scope.display_name),
            token: claims,
        })
    }
}

fn refused(refused: Refused) -> TokenRefused {
    match refused {
        Refused::TenantSuspended => TokenRefused::Close(Disconnect::TenantSuspended),
        Refused::TenantTerminated => TokenRefused::Close(Disconnect::TenantTerminated),
        Refused::NotFound => TokenRefused::Close(Disconnect::InvalidToken),
        Refused::Unavailable => TokenRefused::Unavailable,
    }
}
