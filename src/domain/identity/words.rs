//! What people type about themselves, parsed once at the edge: past it there is no bad address, handle, name or password.

use std::fmt;

use super::IdentityError;
use crate::kernel::rng;

/// Longest address (RFC 5321 §4.5.3.1.3).
const EMAIL_MAX: usize = 254;
const HANDLE_CHARS: std::ops::RangeInclusive<usize> = 2..=30;
const DISPLAY_NAME_CHARS_MAX: usize = 64;
const BIO_CHARS_MAX: usize = 500;
/// argon2 takes more, but nobody types more.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// What `@` already means something else with.
const RESERVED_HANDLES: [&str; 14] = [
    "here",
    "all",
    "everyone",
    "channel",
    "room",
    "guest",
    "member",
    "vendor",
    "support",
    "moderator",
    "admin",
    "owner",
    "tenant_admin",
    "platform_admin",
];

fn invalid<T>(field: &'static str, why: impl Into<String>) -> Result<T, IdentityError> {
    Err(IdentityError::Invalid(field, why.into()))
}

/// An e-mail address, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// # Errors
    /// [`IdentityError::Invalid`] on `email`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let email = text.trim().to_lowercase();
        let Some((local, domain)) = email.rsplit_once('@') else {
            return invalid("email", "an e-mail address has an @");
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c);
        let domain_is_one = domain.split('.').all(|label| {
            !label.is_empty() && !label.starts_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        if local.is_empty() || local.len() > 64 || email.len() > EMAIL_MAX || local.contains(odd) || !domain_is_one {
            return invalid("email", "this is not an e-mail address");
        }
        Ok(Self(email))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    fn local(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

/// What `@mentions` name a person by: lower-case letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handle(String);

impl Handle {
    /// # Errors
    /// [`IdentityError::Invalid`] on `handle`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let handle = text.trim().trim_start_matches('@').to_lowercase();
        let fits = handle.bytes().all(is_handle_byte) && HANDLE_CHARS.contains(&handle.len());
        if !fits || !handle.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return invalid("handle", "a handle is 2 to 30 letters, digits, _ or -, beginning with a letter or digit");
        }
        if RESERVED_HANDLES.contains(&handle.as_str()) {
            return invalid("handle", "this handle is reserved");
        }
        Ok(Self(handle))
    }

    /// One made of the name, or of the address when nothing of the name is left.
    #[must_use]
    pub fn derive(name: &str, email: &Email) -> Self {
        let candidates = [name, email.local(), "person"];
        let kept = candidates.into_iter().find_map(|text| Self::parse(&reduce(text)).ok());
        kept.unwrap_or_else(|| Self("person".into()).with_suffix())
    }

    /// The same with four random digits, for when it is taken.
    #[must_use]
    pub fn with_suffix(&self) -> Self {
        let digits = u16::from_le_bytes(rng::bytes::<2>()) % 10_000;
        let stem: String = self.0.chars().take(HANDLE_CHARS.end() - 4).collect();
        Self(format!("{stem}{digits:04}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_handle_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-'
}

fn reduce(text: &str) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '_' => out.push(c),
            ' ' | '.' | '-' if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(*HANDLE_CHARS.end() - 4);
    out.trim_matches('-').to_owned()
}

/// A name as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// # Errors
    /// [`IdentityError::Invalid`] on `display_name`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.chars().count() > DISPLAY_NAME_CHARS_MAX {
            return invalid("display_name", format!("a name is 1 to {DISPLAY_NAME_CHARS_MAX} characters"));
        }
        if name.contains(is_invisible) {
            return invalid("display_name", "a name has no control characters");
        }
        Ok(Self(name))
    }

    /// One made of the address, for somebody who gave none.
    #[must_use]
    pub fn derive(email: &Email) -> Self {
        Self(email.local().chars().filter(|c| !is_invisible(*c)).take(DISPLAY_NAME_CHARS_MAX).collect())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that turn the direction of what follows: a name must not rearrange the line it stands in.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A few lines about oneself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    /// # Errors
    /// [`IdentityError::Invalid`] on `bio`.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if text.chars().count() > BIO_CHARS_MAX {
            return invalid("bio", format!("at most {BIO_CHARS_MAX} characters"));
        }
        if text.contains('\0') {
            return invalid("bio", "no NUL characters");
        }
        Ok(Self(text.trim().to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password that was typed. Debug does not show it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// A new one, of at least `chars_min` characters; `field` is what the form calls it.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] on `field`.
    pub fn parse(field: &'static str, text: &str, chars_min: u32) -> Result<Self, IdentityError> {
        if text.chars().count() < chars_min as usize || text.len() > PASSWORD_BYTES_MAX {
            return invalid(
                field,
                format!("a password has at least {chars_min} characters, and at most {PASSWORD_BYTES_MAX} bytes"),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// One that is only compared with what is stored. An overlong one is cut, and so is wrong.
    #[must_use]
    pub fn to_compare(text: &str) -> Self {
        let mut end = text.len().min(PASSWORD_BYTES_MAX + 4);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self(text[..end].to_owned())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lower_case_and_have_both_halves() {
        assert_eq!(Email::parse(" Ada@Demo.Example ").unwrap().as_str(), "ada@demo.example");
        for bad in [
            "",
            "ada",
            "@x.y",
            "a@",
            "a@b..c",
            "a b@c.d",
            "a@b@c",
            "a,b@c.d",
            "a@-c.d",
            &format!("{}@x.y", "a".repeat(65)),
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_handle_comes_from_the_name_or_else_the_address() {
        let email = Email::parse("grace.hopper@x.org").unwrap();
        assert_eq!(Handle::derive("Ada Lovelace", &email).as_str(), "ada-lovelace");
        assert_eq!(Handle::derive("李", &email).as_str(), "grace-hopper");
        assert_eq!(Handle::derive("admin", &Email::parse("here@x.org").unwrap()).as_str(), "person");
        assert!(Handle::parse("here").is_err());
        let long = Handle::derive(&"x".repeat(99), &email).with_suffix();
        assert!(Handle::parse(long.as_str()).is_ok(), "{long:?}");
    }

    #[test]
    fn names_can_not_rearrange_their_line() {
        assert_eq!(DisplayName::parse("  Ada \n L. ").unwrap().as_str(), "Ada L.");
        assert!(DisplayName::parse("a\u{202e}b").is_err());
        assert!(DisplayName::parse(" ").is_err());
    }

    #[test]
    fn an_overlong_password_is_cut_at_a_character() {
        assert_eq!(Password::to_compare(&"é".repeat(2_000)).expose().len(), PASSWORD_BYTES_MAX + 4);
        assert!(Password::parse("password", "short", 8).is_err());
        assert_eq!(format!("{:?}", Password::to_compare("secret")), "Password");
    }
}
