//! What clients send about communities, and how it becomes what the domain accepts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::communities::Error;
use crate::domain::communities::community::{Changes, NewCommunity};
use crate::domain::communities::joining::Join;
use crate::domain::communities::members::Window;
use crate::domain::communities::names::{After, Code, CommunityName, Description, Guidelines, Note};
use crate::domain::communities::views::JoinPolicy;
use crate::kernel::{CommunityRole, page};

/// Which part of a list.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 100 entries, 50 unless asked.
    pub limit: Option<u32>,
}

impl PageQuery {
    /// Bounded.
    pub fn limit(&self) -> u32 {
        page::limit(self.limit)
    }

    /// A cursor that is an id.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not.
    pub fn after_id<I: std::str::FromStr>(&self) -> Result<Option<I>, Error> {
        let refuse = |_| Error::invalid("cursor", "it is not one that this list gave");
        self.cursor.as_deref().map(str::parse).transpose().map_err(refuse)
    }

    /// A cursor that is a handle.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it can not be one.
    pub fn after_handle(&self) -> Result<AfterHandle, Error> {
        let after = self.cursor.as_deref().map(After::parse).transpose()?;
        Ok(AfterHandle { after, limit: self.limit() })
    }
}

/// A window into a list of people that owns its cursor.
#[derive(Debug, Clone)]
pub struct AfterHandle {
    after: Option<After>,
    limit: u32,
}

impl AfterHandle {
    pub fn window(&self) -> Window<'_> {
        Window { after: self.after.as_ref().map(After::as_str), limit: self.limit }
    }
}

/// Reads a field that may be null but has to be there.
pub fn required<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct CreateCommunity {
    /// 1 to 80 characters of one line; no two communities alike.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub description: String,
    pub join_policy: JoinPolicy,
    /// Who joins has to accept them, unless empty.
    #[serde(default)]
    #[schema(max_length = 8000)]
    pub guidelines: String,
}

impl CreateCommunity {
    pub(super) fn parse(&self) -> Result<NewCommunity, Error> {
        Ok(NewCommunity {
            name: CommunityName::parse(&self.name)?,
            description: Description::parse(&self.description)?,
            guidelines: Guidelines::parse(&self.guidelines)?,
            join_policy: self.join_policy,
        })
    }
}

/// What is left out stays.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct ChangeCommunity {
    pub name: Option<String>,
    pub description: Option<String>,
    pub join_policy: Option<JoinPolicy>,
    pub guidelines: Option<String>,
}

impl ChangeCommunity {
    pub(super) fn parse(&self) -> Result<Changes, Error> {
        Ok(Changes {
            name: self.name.as_deref().map(CommunityName::parse).transpose()?,
            description: self.description.as_deref().map(Description::parse).transpose()?,
            guidelines: self.guidelines.as_deref().map(Guidelines::parse).transpose()?,
            join_policy: self.join_policy,
        })
    }
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct JoinCommunity {
    /// The code of an invite.
    pub invite: Option<String>,
    #[serde(default)]
    pub accept_guidelines: bool,
    /// A few words to those who decide.
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

impl JoinCommunity {
    pub(super) fn parse(&self) -> Result<Join, Error> {
        let code = |text: &String| Code::parse(text).ok_or(Error::InviteInvalid);
        Ok(Join {
            invite: self.invite.as_ref().map(code).transpose()?,
            accept_guidelines: self.accept_guidelines,
            note: Note::parse(self.note.as_deref().unwrap_or_default())?,
        })
    }
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct AnswerRequest {
    pub approve: bool,
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct SetRole {
    pub role: CommunityRole,
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct Mute {
    /// Until when; null ends a mute.
    #[serde(deserialize_with = "required")]
    #[schema(required)]
    pub until: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RemoveQuery {
    /// They can not come back.
    #[serde(default)]
    pub ban: bool,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// Part of a handle or name.
    pub q: Option<String>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
pub struct CreateInvite {
    /// Up to a year; left out: without end.
    #[schema(minimum = 1)]
    pub expires_in_s: Option<u32>,
    #[schema(minimum = 1)]
    pub max_uses: Option<u32>,
}
