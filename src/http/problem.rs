//! RFC 9457 problems: the one table from a module's error code to a status, and the only way an error leaves over HTTP.
//!
//! Internals never reach a client: above 499 the detail is the title, and what happened is logged here, once.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::kernel::Coded;

/// Media type of every error's body.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as clients see it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Cow<'static, str>,
    #[schema(value_type = String)]
    title: Cow<'static, str>,
    status: u16,
    detail: String,
    /// The stable word to branch on.
    #[schema(value_type = String)]
    code: Cow<'static, str>,
    /// The input field at fault (422).
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

/// Every code that leaves this server: its status and title. A code that is missing here answers 500 and is logged by name.
const CODES: &[(&str, u16, &str)] = &[
    ("malformed", 400, "The request can not be read"),
    ("unauthorized", 401, "Sign in first"),
    ("token_expired", 401, "The access token has expired"),
    ("wrong_credentials", 401, "E-mail address or password is wrong"),
    ("forbidden", 403, "Not permitted"),
    ("foreign_origin", 403, "Not from this origin"),
    ("banned", 403, "The account is suspended"),
    ("muted", 403, "You are muted"),
    ("read_only", 403, "You may only read here"),
    ("archived", 403, "The room is archived"),
    ("invite_required", 403, "An invitation is needed"),
    ("tenant_suspended", 403, "The tenant is suspended"),
    ("not_found", 404, "Not found"),
    ("reply_not_found", 404, "The message replied to is not here"),
    ("method_not_allowed", 405, "The method is not one of this path's"),
    ("conflict", 409, "In conflict with what is there"),
    ("email_taken", 409, "The e-mail address is taken"),
    ("handle_taken", 409, "The handle is taken"),
    ("slug_taken", 409, "The slug is taken"),
    ("host_taken", 409, "The host is taken"),
    ("name_taken", 409, "The name is taken"),
    ("illegal_move", 409, "Not possible in this state"),
    ("last_admin", 409, "The last one of its kind"),
    ("last_owner", 409, "The last one of its kind"),
    ("deleted", 410, "It has been deleted"),
    ("invite_spent", 410, "The invitation is spent, expired or revoked"),
    ("tenant_terminated", 410, "The tenant is closed"),
    ("too_large", 413, "The body is too large"),
    ("media_type", 415, "The body is not JSON"),
    ("unknown_host", 421, "The host is not served here"),
    ("invalid", 422, "A field is not acceptable"),
    ("guidelines_required", 422, "The guidelines have to be accepted"),
    ("bad_link", 422, "The link is spent, expired or not one"),
    ("idempotency_key_reused", 422, "The idempotency key belongs to another request"),
    ("plan_limit", 429, "The plan's limit is reached"),
    ("too_many_attempts", 429, "Too many attempts"),
    ("too_many", 429, "Too many requests"),
    ("slow_mode", 429, "The room is in slow mode"),
    ("tenants_full", 503, "No more tenants fit"),
    ("tenant_not_ready", 503, "The tenant is being set up"),
    ("busy", 503, "Busy, try again"),
    ("unavailable", 503, "Not available at this moment"),
    ("internal", 500, "Something went wrong here"),
];

impl Problem {
    /// A problem of a code in the table.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let found = CODES.iter().find(|(known, ..)| *known == code);
        let (status, title) = found.map_or((500, "Something went wrong here"), |(_, status, title)| (*status, title));
        if found.is_none() {
            tracing::error!(code, "a code without a row in http/problem.rs");
        }
        Self {
            kind: format!("urn:rialto:problem:{code}").into(),
            title: title.into(),
            status,
            detail: detail.into(),
            code: code.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// A 422 that names the field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new("invalid", detail) }
    }

    /// The same problem with the field at fault.
    #[must_use]
    pub fn with_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// A 404 that says nothing more.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new("not_found", "there is nothing here for you")
    }

    /// The same problem, saying after how many seconds it may be over.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl<E: Coded> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut problem = Self::new(error.code(), error.to_string());
        problem.field = error.field().map(str::to_owned);
        problem.retry_after_s = error.retry_after_s();
        if problem.status >= 500 {
            if problem.status == 500 {
                tracing::error!(code = error.code(), %error, "a request failed");
            } else {
                tracing::warn!(code = error.code(), %error, "a request was put off");
            }
            problem.detail = problem.title.clone().into_owned();
        }
        problem
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code()).json(self);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s.or((self.status == 429 || self.status == 503).then_some(1)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::pg::PgError;

    #[test]
    fn each_code_has_one_row() {
        for (at, (code, status, _)) in CODES.iter().enumerate() {
            assert!(StatusCode::from_u16(*status).is_ok());
            assert!(CODES[..at].iter().all(|(earlier, ..)| earlier != code), "{code} is there twice");
        }
    }

    #[test]
    fn internals_do_not_reach_a_client() {
        let problem = Problem::from(PgError::Statement(sqlx::Error::Configuration("secret".into())));
        let sent = serde_json::to_string(&problem).unwrap();
        assert_eq!(problem.status, 500);
        assert!(!sent.contains("secret"), "{sent}");
    }

    #[test]
    fn what_may_succeed_later_says_when() {
        let response = Problem::from(PgError::Busy).error_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "1");
    }
}
