//! What people write about communities and rooms, parsed at the edge: past it only texts that are acceptable.

use super::Error;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $field:literal, $min:literal ..= $max:literal, $lines:expr);+ $(;)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The most characters it holds.
            pub const CHARS_MAX: usize = $max;

            /// Trims, then accepts or names what is wrong.
            ///
            /// # Errors
            /// [`Error::Invalid`] with the field.
            pub fn parse(text: &str) -> Result<Self, Error> {
                parse($field, text, $min, $max, $lines).map(Self)
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}

/// Whether a text may have several lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    Many,
}

texts! {
    /// What a community is called; no two of a tenant alike.
    CommunityName = "name", 1..=80, Lines::One;
    Description = "description", 0..=1_000, Lines::Many;
    /// What everybody who joins has to accept; empty where there is nothing to accept.
    Guidelines = "guidelines", 0..=8_000, Lines::Many;
    /// What a room is called; no two of a community alike.
    RoomName = "name", 1..=80, Lines::One;
    Topic = "topic", 0..=500, Lines::One;
    /// A few words to those who decide on a request to join.
    Note = "note", 0..=500, Lines::Many;
    /// What is typed to find people.
    Query = "q", 0..=100, Lines::One;
    /// Where a page of people goes on: behind this handle.
    After = "cursor", 0..=100, Lines::One;
}

/// The code of an invite as somebody typed or followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// What could be a code; anything else names no invite.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse(field: &'static str, text: &str, min: usize, max: usize, lines: Lines) -> Result<String, Error> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars < min {
        return Err(Error::invalid(field, "it must not be empty"));
    }
    if chars > max {
        return Err(Error::invalid(field, format!("it has at most {max} characters")));
    }
    let is_wrong = |c: char| c.is_control() && (lines == Lines::One || !matches!(c, '\n' | '\r' | '\t'));
    if text.chars().any(is_wrong) {
        return Err(Error::invalid(field, "it has characters that can not be shown"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_counted_in_characters_and_of_one_line() {
        assert_eq!(RoomName::parse("  Märkte \n").unwrap().as_str(), "Märkte");
        assert!(RoomName::parse(&"ü".repeat(80)).is_ok());
        assert!(RoomName::parse(&"ü".repeat(81)).is_err());
        assert!(RoomName::parse(" \t ").is_err());
        assert!(RoomName::parse("a\nb").is_err());
        assert!(Guidelines::parse("a\nb").is_ok());
        // PostgreSQL's text can not hold it.
        assert!(Guidelines::parse("a\0b").is_err());
    }
}
