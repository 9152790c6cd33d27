//! The way out for mail: nowhere (development), or an SMTP server.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::response::{Category, Code};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use crate::config::{Mail, Smtp, Tls};

/// For each answer of the server.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("not an address: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error("the mail could not be put together: {0}")]
    Compose(#[from] lettre::error::Error),
    #[error("the SMTP server: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("the SMTP server takes no such address: {0}")]
    Recipient(lettre::transport::smtp::Error),
}

impl MailError {
    /// The code that the SMTP server answered with, if it did.
    fn status(&self) -> Option<Code> {
        match self {
            Self::Smtp(error) => error.status(),
            Self::Address(_) | Self::Compose(_) | Self::Recipient(_) => None,
        }
    }

    /// Whether no attempt with this mail can succeed: it makes no sense, or the server refuses it for what it is (RFC 5321 §4.2.3, 550–553).
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Address(_) | Self::Compose(_) | Self::Recipient(_) => true,
            Self::Smtp(_) => self.status().is_some_and(|code| (550..=553).contains(&u16::from(code))),
        }
    }

    /// Whether other mail would fare no better at this moment: nobody answers, or nobody is served (421), or we are not let in (x3z).
    #[must_use]
    pub fn is_server_away(&self) -> bool {
        match self.status() {
            Some(code) => u16::from(code) == 421 || code.category == Category::Unspecified3,
            None => matches!(self, Self::Smtp(_)),
        }
    }

    /// In words for a log: nothing of what the server said, which may name people.
    #[must_use]
    pub fn reason(&self) -> String {
        match (self, self.status()) {
            (Self::Address(_), _) => "not an address".to_owned(),
            (Self::Compose(_), _) => "it could not be put together".to_owned(),
            (Self::Recipient(_), _) => "the SMTP server takes only addresses in ASCII".to_owned(),
            (Self::Smtp(_), Some(code)) => format!("the SMTP server answered {code}"),
            (Self::Smtp(error), None) if error.is_tls() => "no TLS with the SMTP server".to_owned(),
            (Self::Smtp(_), None) => "the SMTP server can not be reached".to_owned(),
        }
    }
}

/// Sends mail.
pub enum Sender {
    /// Nothing leaves; the development page shows the queue.
    Sink,
    Smtp {
        from: Box<Mailbox>,
        transport: AsyncSmtpTransport<Tokio1Executor>,
    },
}

impl Sender {
    /// Prepares a pool of connections; the first mail connects.
    ///
    /// # Errors
    /// When the sender's address or the server's name can not be used.
    pub fn open(config: &Mail) -> Result<Self, MailError> {
        let Some(smtp) = &config.smtp else { return Ok(Self::Sink) };
        let from = Box::new(config.from.parse::<Mailbox>()?);
        Ok(Self::Smtp { from, transport: transport(smtp)? })
    }

    /// Sends one plain-text mail; `id` names it for good, however often it is sent.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, id: &str, to: &str, subject: String, body: String) -> Result<(), MailError> {
        let Self::Smtp { from, transport } = self else { return Ok(()) };
        let message = Message::builder()
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .from((**from).clone())
            .to(to.parse()?)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)?;
        let Err(error) = transport.send(message).await else { return Ok(()) };
        // What the client itself refuses: an address that needs SMTPUTF8, or else a server without STARTTLS or a way to sign in. Those
        // concern all mail, and show without any.
        let is_its_own = error.is_client() && !to.is_ascii() && transport.test_connection().await.is_ok_and(|up| up);
        Err(if is_its_own { MailError::Recipient(error) } else { MailError::Smtp(error) })
    }
}

fn transport(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let mut builder = match smtp.tls {
        Tls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.host)?,
        Tls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.host)?,
        Tls::None => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host),
    };
    builder = builder.port(smtp.port).timeout(Some(PATIENCE));
    if let (Some(user), Some(password)) = (&smtp.username, &smtp.password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}
