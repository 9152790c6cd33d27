//! The way out for mail: nowhere (development), or an SMTP server.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use crate::config::{Mail, Smtp, Tls};

/// Why a mail did not leave. Its text is kept beside the mail for the operator; it holds no mail.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("not an address: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error("the mail could not be put together: {0}")]
    Compose(#[from] lettre::error::Error),
    #[error("the SMTP server refused: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
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

    /// Sends one plain-text mail.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, to: Mailbox, subject: String, body: String) -> Result<(), MailError> {
        let Self::Smtp { from, transport } = self else { return Ok(()) };
        let message = Message::builder()
            .from((**from).clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)?;
        transport.send(message).await?;
        Ok(())
    }
}

fn transport(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let mut builder = match smtp.tls {
        Tls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.host)?,
        Tls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.host)?,
        Tls::None => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host),
    };
    builder = builder.port(smtp.port).timeout(Some(std::time::Duration::from_secs(20)));
    if let (Some(user), Some(password)) = (&smtp.username, &smtp.password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}
