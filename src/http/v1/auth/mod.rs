//! Accounts and sessions: `/v1/auth/…`.

mod answer;
mod login;
mod logout;
mod password;
mod refresh;
mod register;
mod verify;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

/// This resource's part of the description.
#[derive(OpenApi)]
#[openapi(paths(
    register::register,
    login::login,
    refresh::refresh,
    logout::logout,
    password::forgot,
    password::reset,
    password::change,
    verify::verify,
    verify::resend,
))]
pub struct Docs;

pub fn routes(app: &mut ServiceConfig) {
    app.service(register::register).service(login::login).service(refresh::refresh).service(logout::logout);
    app.service(password::forgot).service(password::reset).service(password::change);
    app.service(verify::verify).service(verify::resend);
}
