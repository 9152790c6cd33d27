//! Map subscriptions: the state by pages, then what changed since, then live.
//!
//! Every page is a subscribe command of its own and carries all it needs (cursor and frozen position), so nothing is kept between
//! pages. The server decides when the client is live: with the answer to its first stream page.

use std::rc::Rc;

use super::{Client, Identity};
use crate::actors::feed::FeedKey;
use crate::protocol::subscription::{MapPhase, SubscriptionType};
use crate::protocol::{Answer, Channel, ErrorBody, ErrorCode, Publication, Reply, SubscribeRequest, SubscribeResult};

/// Entries of a page of state.
const PAGE: usize = 500;

impl Client {
    pub(super) async fn subscribe_map(
        self: &Rc<Self>,
        id: u32,
        identity: &Identity,
        channel: Channel,
        request: &SubscribeRequest,
    ) -> Result<(), ErrorBody> {
        if self.subscriptions.borrow().contains_key(&channel) {
            return Err(ErrorCode::AlreadySubscribed.into());
        }
        match MapPhase::from_wire(request.phase).ok_or(ErrorCode::BadRequest)? {
            MapPhase::State => self.map_state(id, identity, channel, request).await,
            MapPhase::Stream | MapPhase::Live => self.map_live(id, identity, channel, request).await,
        }
    }

    /// A page of the state, at a position that the client freezes.
    async fn map_state(
        self: &Rc<Self>,
        id: u32,
        identity: &Identity,
        channel: Channel,
        request: &SubscribeRequest,
    ) -> Result<(), ErrorBody> {
        self.may_hear(identity, channel).await?;
        let feed = self.hub.live.feeds.get_or_insert(FeedKey { tenant: identity.tenant, channel });
        if request.cursor.is_empty() {
            self.hub.live.fill_map(&feed).await?;
        }
        let limit = usize::try_from(request.limit).ok().filter(|limit| (1..=PAGE).contains(limit)).unwrap_or(PAGE);
        let (epoch, top, entries, more) = feed.page(&request.cursor, limit);
        let cursor =
            if more { entries.last().map(|entry| entry.key.to_string()).unwrap_or_default() } else { String::new() };
        let state = entries.iter().map(|entry| entry.publication()).collect();
        // Later pages keep the first one's position: what has changed meanwhile comes with the stream.
        let offset = if request.cursor.is_empty() { top } else { request.offset };
        let result = SubscribeResult {
            r#type: SubscriptionType::Map.to_wire(),
            phase: MapPhase::State.to_wire(),
            epoch: epoch.to_string(),
            offset,
            state,
            cursor,
            ..SubscribeResult::default()
        };
        self.send(&Reply::answer(id, Answer::Subscribe(result)));
        Ok(())
    }

    /// What has changed since the client's position, and live from there.
    async fn map_live(
        self: &Rc<Self>,
        id: u32,
        identity: &Identity,
        channel: Channel,
        request: &SubscribeRequest,
    ) -> Result<(), ErrorBody> {
        let subscription = self.enter_channel(identity, channel, false).await?;
        // Somebody looks now: what nobody had looked at is brought up to date, as changes that this client gets too.
        if let Err(refused) = self.hub.live.fill_map(&subscription.feed).await {
            self.remove_subscription(channel);
            return Err(refused.into());
        }
        let snapshot = subscription
            .feed
            .since(request.offset)
            .filter(|s| *s.epoch == *request.epoch && request.offset <= s.mark.top);
        let Some((snapshot, missed)) = snapshot.and_then(|mut s| s.missed.take().map(|missed| (s, missed))) else {
            self.remove_subscription(channel);
            return Err(ErrorCode::UnrecoverablePosition.into());
        };
        let publications: Vec<Publication> = missed.iter().map(|entry| entry.publication()).collect();
        let result = SubscribeResult {
            r#type: SubscriptionType::Map.to_wire(),
            phase: MapPhase::Live.to_wire(),
            recoverable: true,
            positioned: true,
            epoch: snapshot.epoch.to_string(),
            offset: snapshot.mark.top,
            publications,
            recovered: request.recover,
            was_recovering: request.recover,
            ..SubscribeResult::default()
        };
        self.send(&Reply::answer(id, Answer::Subscribe(result)));
        subscription.go_live(snapshot.mark);
        Ok(())
    }
}
