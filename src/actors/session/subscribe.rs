//! Subscribing to streams and ephemeral channels, recovery, and leaving.
//!
//! R3: subscribe first (buffering), then read the position, then the gap, then reply, then what was buffered. The other order loses
//! what is committed between the reading and the subscription.

use std::rc::Rc;
use std::sync::Arc;

use super::{Client, Identity, Subscription};
use crate::actors::feed::{FeedKey, Mark};
use crate::actors::live::Refused;
use crate::kernel::RoomId;
use crate::protocol::subscription::{FLAG_REJECT_UNRECOVERED, SubscriptionType};
use crate::protocol::{
    Answer, Channel, Disconnect, ErrorBody, ErrorCode, Reply, Shape, SubscribeRequest, SubscribeResult, Unsubscribe,
    UnsubscribeRequest,
};

impl From<Refused> for ErrorBody {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => ErrorCode::PermissionDenied.into(),
            Refused::TenantSuspended | Refused::TenantTerminated => ErrorCode::PermissionDenied.into(),
            Refused::Unavailable => ErrorCode::Internal.into(),
        }
    }
}

impl Client {
    pub(super) async fn subscribe(self: &Rc<Self>, id: u32, request: SubscribeRequest) {
        let outcome = self.try_subscribe(id, &request).await;
        if let Err(error) = outcome {
            self.refuse(id, error);
        }
    }

    async fn try_subscribe(self: &Rc<Self>, id: u32, request: &SubscribeRequest) -> Result<(), ErrorBody> {
        let identity = self.identity()?;
        let channel = Channel::parse(&request.channel).map_err(|_| ErrorCode::UnknownChannel)?;
        if request.tf.is_some() {
            return Err(ErrorBody::saying(ErrorCode::BadRequest, "filters by tags are not supported"));
        }
        let kind = SubscriptionType::from_wire(request.r#type).ok_or(ErrorCode::BadRequest)?;
        match (channel.kind().shape, kind) {
            (Shape::Stream | Shape::Ephemeral, SubscriptionType::Stream) => {
                let (subscription, result, mark) = self.prepare_stream(&identity, channel, request).await?;
                self.send(&Reply::answer(id, Answer::Subscribe(result)));
                subscription.go_live(mark);
                self.appear(&identity, &subscription);
                Ok(())
            }
            (Shape::Map, SubscriptionType::Map) => self.subscribe_map(id, &identity, channel, request).await,
            _ => Err(ErrorBody::saying(ErrorCode::BadRequest, "this channel is of another type")),
        }
    }

    /// Whether the person may hear the channel now.
    pub(super) async fn may_hear(&self, identity: &Identity, channel: Channel) -> Result<(), ErrorBody> {
        let allowed = match channel {
            Channel::Room(room) | Channel::Typing(room) | Channel::Presence(room) => {
                self.hub.live.access(identity.tenant, identity.user, RoomId::from(room)).await?.1.read
            }
            Channel::User(user) | Channel::Unread(user) => identity.user.uuid() == user,
        };
        if allowed { Ok(()) } else { Err(ErrorCode::PermissionDenied.into()) }
    }

    /// Makes a buffering subscription and the reply that will make it live; answers up to where the reply speaks.
    pub(super) async fn prepare_stream(
        self: &Rc<Self>,
        identity: &Identity,
        channel: Channel,
        request: &SubscribeRequest,
    ) -> Result<(Rc<Subscription>, SubscribeResult, Mark), ErrorBody> {
        let subscription = self.enter_channel(identity, channel, request.join_leave).await?;
        let prepared = self.stream_reply(identity, &subscription, request).await;
        match prepared {
            // A change of rights has ended it meanwhile: asked again, the client hears how it stands now.
            Ok(_) if !self.holds(&subscription) => Err(ErrorCode::Internal.into()),
            Ok((result, mark)) => Ok((subscription, result, mark)),
            Err(error) => {
                self.remove_subscription(channel);
                Err(error)
            }
        }
    }

    /// Checks bounds and rights and registers a buffering subscription.
    pub(super) async fn enter_channel(
        self: &Rc<Self>,
        identity: &Identity,
        channel: Channel,
        join_leave: bool,
    ) -> Result<Rc<Subscription>, ErrorBody> {
        if self.subscriptions.borrow().contains_key(&channel) {
            return Err(ErrorCode::AlreadySubscribed.into());
        }
        if self.subscriptions.borrow().len() >= self.hub.live.config.limits.socket.subscriptions as usize {
            return Err(ErrorCode::LimitExceeded.into());
        }
        let feed = self.hub.live.feeds.get_or_insert(FeedKey { tenant: identity.tenant, channel });
        let subscription = Subscription::new(self, channel, feed, join_leave);
        // Registered before rights are read: a change that comes in between finds the subscription and checks it again.
        self.subscriptions.borrow_mut().insert(channel, Rc::clone(&subscription));
        self.hub.join(&subscription.feed, Rc::clone(&subscription));
        match self.may_hear(identity, channel).await {
            Ok(()) if self.over.get() => {
                self.remove_subscription(channel);
                Err(ErrorCode::Expired.into())
            }
            Ok(()) => Ok(subscription),
            Err(error) => {
                self.remove_subscription(channel);
                Err(error)
            }
        }
    }

    async fn stream_reply(
        self: &Rc<Self>,
        identity: &Identity,
        subscription: &Rc<Subscription>,
        request: &SubscribeRequest,
    ) -> Result<(SubscribeResult, Mark), ErrorBody> {
        let feed = &subscription.feed;
        if subscription.channel.kind().shape == Shape::Ephemeral {
            return Ok((SubscribeResult::default(), Mark { era: feed.era(), top: 0 }));
        }
        if feed.position().is_none() {
            self.hub.live.anchor(feed).await?;
        }
        let snapshot =
            feed.since(if request.recover { request.offset } else { u64::MAX }).ok_or(ErrorCode::Internal)?;
        let (epoch, mark, top) = (Arc::clone(&snapshot.epoch), snapshot.mark, snapshot.mark.top);
        let known_epoch = request.epoch.is_empty() || *request.epoch == *epoch;
        let mut publications = None;
        if request.recover && known_epoch {
            if request.offset > top {
                // The client has seen what the store does not have: history was lost.
                tracing::error!(channel = %subscription.channel, tenant.id = %identity.tenant, "a client is ahead of its stream");
                self.hub.live.counters.clients_ahead.increment();
            } else if let Some(missed) = snapshot.missed {
                self.hub.live.counters.recoveries_ring.increment();
                publications = Some(missed.iter().map(|entry| entry.publication()).collect());
            } else {
                publications = self.hub.live.recover_from_store(feed, request.offset, top).await?;
            }
        }
        let recovered = publications.is_some();
        if request.recover && !recovered && request.flag & FLAG_REJECT_UNRECOVERED != 0 {
            return Err(ErrorCode::UnrecoverablePosition.into());
        }
        let result = SubscribeResult {
            recoverable: true,
            positioned: true,
            epoch: epoch.to_string(),
            offset: if recovered { request.offset } else { top },
            publications: publications.unwrap_or_default(),
            recovered,
            was_recovering: request.recover,
            ..SubscribeResult::default()
        };
        Ok((result, mark))
    }

    pub(super) fn unsubscribe(self: &Rc<Self>, id: u32, request: &UnsubscribeRequest) {
        match Channel::parse(&request.channel) {
            Ok(channel) => {
                self.remove_subscription(channel);
                self.send(&Reply::answer(id, Answer::Unsubscribe));
            }
            Err(_) => self.refuse(id, ErrorCode::UnknownChannel),
        }
    }

    pub(super) fn remove_subscription(self: &Rc<Self>, channel: Channel) -> bool {
        let removed = self.subscriptions.borrow_mut().remove(&channel);
        if let Some(subscription) = &removed {
            self.depart(subscription);
        }
        removed.is_some()
    }

    /// Whether the subscription is still the client's.
    pub(super) fn holds(&self, subscription: &Rc<Subscription>) -> bool {
        self.subscriptions.borrow().get(&subscription.channel).is_some_and(|held| Rc::ptr_eq(held, subscription))
    }

    /// Ends a subscription that has lost entries, or whose past was replaced; the client subscribes again by itself, from its own
    /// position or from none.
    pub(super) fn end_broken(self: &Rc<Self>, subscription: &Rc<Subscription>, why: Unsubscribe) {
        if !self.holds(subscription) {
            return;
        }
        // The SDK does not renew a subscription that the server made; a new connection does.
        if matches!(subscription.channel, Channel::User(_)) {
            return self.close(match why {
                Unsubscribe::StateInvalidated => Disconnect::StateInvalidated,
                _ => Disconnect::InsufficientState,
            });
        }
        if self.remove_subscription(subscription.channel) {
            self.send(&Reply::unsubscribed(subscription.channel.to_string(), why));
        }
    }

    /// The server ends a subscription and says so.
    pub(super) fn end_subscription(self: &Rc<Self>, channel: Channel, why: Unsubscribe) {
        let live = self.subscriptions.borrow().get(&channel).is_some_and(|s| s.is_live());
        // One that is still being prepared is refused by its own reply.
        if self.remove_subscription(channel) && live {
            self.send(&Reply::unsubscribed(channel.to_string(), why));
        }
    }

    /// Takes a subscription out of the hub and out of presence.
    pub(super) fn depart(self: &Rc<Self>, subscription: &Rc<Subscription>) {
        self.hub.leave(&subscription.feed, subscription);
        if subscription.present.replace(false)
            && let Channel::Room(room) = subscription.channel
            && let Ok(identity) = self.identity()
        {
            self.hub.live.presence.leave(&self.hub.live, identity.tenant, room.into(), identity.user, self.id);
        }
    }

    /// Counts a live subscription to a room as being here.
    fn appear(self: &Rc<Self>, identity: &Identity, subscription: &Rc<Subscription>) {
        if let Channel::Room(room) = subscription.channel
            && self.holds(subscription)
            && !subscription.present.replace(true)
        {
            self.hub.live.presence.join(&self.hub.live, identity, room.into(), self.id);
        }
    }
}
