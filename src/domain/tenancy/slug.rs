//! A tenant's short name, as it appears in host names.

use std::fmt;

/// Lower-case letters, digits and inner hyphens, 1 to 63: one label of a host name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slug(String);

/// Names that a tenant can not take: the platform's own, and those that mail and web servers are commonly found at.
const RESERVED: [&str; 8] = ["platform", "www", "api", "admin", "mail", "static", "rialto", "localhost"];

impl Slug {
    /// The reserved tenant's.
    pub const PLATFORM: &'static str = "platform";

    /// Reads a slug; `None` when it is not one or is reserved.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (is_label(text) && !RESERVED.contains(&text)).then(|| Self(text.to_owned()))
    }

    /// Makes one of a tenant's name: "Acme Corp." becomes `acme-corp`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut out = String::new();
        for c in name.chars().map(|c| c.to_ascii_lowercase()) {
            if c.is_ascii_alphanumeric() {
                out.push(c);
            } else if !out.ends_with('-') && !out.is_empty() {
                out.push('-');
            }
        }
        out.truncate(63);
        Self::parse(out.trim_matches('-'))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text could be one label of a host name.
pub(super) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_label() {
        assert_eq!(Slug::from_name("Acme Corp.").unwrap().as_str(), "acme-corp");
        assert_eq!(Slug::from_name("  Ca' d'Oro  ").unwrap().as_str(), "ca-d-oro");
        assert!(Slug::from_name("…").is_none());
    }

    #[test]
    fn reserved_names_and_odd_characters_are_refused() {
        for text in ["platform", "www", "", "-a", "a-", "A", "a.b", "a_b", &"x".repeat(64)] {
            assert!(Slug::parse(text).is_none(), "{text}");
        }
    }
}
