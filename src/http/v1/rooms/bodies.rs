//! What clients send about rooms, and how it becomes what the domain accepts.

use serde::{Deserialize, Serialize};

use crate::domain::communities::names::{RoomName, Topic};
use crate::domain::communities::rooms::{Changes, NewCommunityRoom};
use crate::domain::communities::{Error, RoomKind};
use crate::kernel::UserId;

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct CreateRoom {
    /// 1 to 80 characters of one line; no two rooms of a community alike.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// public, private or announcement.
    pub kind: RoomKind,
    #[serde(default)]
    #[schema(max_length = 500)]
    pub topic: String,
}

impl CreateRoom {
    pub(super) fn parse(&self) -> Result<NewCommunityRoom, Error> {
        let (name, topic) = (RoomName::parse(&self.name)?, Topic::parse(&self.topic)?);
        Ok(NewCommunityRoom { name, kind: self.kind, topic })
    }
}

/// What is left out stays.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct ChangeRoom {
    pub name: Option<String>,
    pub topic: Option<String>,
    pub archived: Option<bool>,
    /// Seconds between two posts of one person; 0 ends slow mode.
    #[schema(maximum = 21600)]
    pub slow_mode_s: Option<u32>,
}

impl ChangeRoom {
    pub(super) fn parse(&self) -> Result<Changes, Error> {
        Ok(Changes {
            name: self.name.as_deref().map(RoomName::parse).transpose()?,
            topic: self.topic.as_deref().map(Topic::parse).transpose()?,
            archived: self.archived,
            slow_mode_s: self.slow_mode_s,
        })
    }
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct OpenDirect {
    /// One other makes a direct room, two to nine a group.
    pub user_ids: Vec<UserId>,
}
