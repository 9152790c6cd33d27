//! What a message and a reaction may consist of, parsed once at the edge.

use super::Error;

/// A message's text: not blank, within bounds, without control characters other than tab and newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageText(Box<str>);

impl MessageText {
    /// The most characters of a message.
    pub const CHARS_MAX: usize = 8_000;
    /// The most bytes of a message.
    pub const BYTES_MAX: usize = 32 * 1024;

    /// Reads a text as a person wrote it; trailing white space is cut.
    ///
    /// # Errors
    /// [`Error::TextEmpty`], [`Error::TextTooLong`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > Self::BYTES_MAX || text.chars().count() > Self::CHARS_MAX {
            return Err(Error::TextTooLong { chars_max: Self::CHARS_MAX, bytes_max: Self::BYTES_MAX });
        }
        let text = text.trim_end();
        if text.trim_start().is_empty() {
            return Err(Error::TextEmpty);
        }
        // PostgreSQL stores no NUL, and no other control character means anything to a reader.
        let clean = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        if text.chars().all(clean) {
            Ok(Self(text.into()))
        } else {
            Ok(Self(text.chars().filter(|c| clean(*c)).collect()))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reaction: one emoji, or the short name of one that a community brought along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji(Box<str>);

impl Emoji {
    const BYTES_MAX: usize = 64;

    /// Reads an emoji such as `👍🏽` or a name such as `:party_parrot:`.
    ///
    /// # Errors
    /// [`Error::BadEmoji`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let name = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
        let good = match name {
            Some(name) => {
                (2..=32).contains(&name.len())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
            }
            // Flags, keycaps and families are several code points, all of them outside letters and white space.
            None => {
                text.len() <= Self::BYTES_MAX
                    && !text.is_empty()
                    && !text.is_ascii()
                    && text.chars().all(|c| {
                        (!c.is_alphabetic() && !c.is_whitespace() && !c.is_control() && !c.is_ascii())
                            || matches!(c, '0'..='9' | '#' | '*')
                    })
            }
        };
        if good { Ok(Self(text.into())) } else { Err(Error::BadEmoji) }
    }

    /// The emoji or name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_control_characters_and_trailing_space_only() {
        let text = MessageText::parse("  a\u{0}b\u{7}\n\tc \n ").map(|t| t.as_str().to_owned());
        assert_eq!(text.ok().as_deref(), Some("  ab\n\tc"));
    }

    #[test]
    fn a_blank_or_overlong_text_is_refused_by_name() {
        assert_eq!(MessageText::parse(" \n ").err().map(|e| matches!(e, Error::TextEmpty)), Some(true));
        assert_eq!(
            MessageText::parse(&"x".repeat(8_001)).err().map(|e| matches!(e, Error::TextTooLong { .. })),
            Some(true)
        );
        assert!(MessageText::parse(&"é".repeat(8_000)).is_ok());
        assert_eq!(MessageText::parse(&"\u{1F600}".repeat(8_000)).map(|t| t.as_str().len()).ok(), Some(32_000));
        assert_eq!(
            MessageText::parse(&"\u{1F600}".repeat(8_001)).err().map(|e| matches!(e, Error::TextTooLong { .. })),
            Some(true)
        );
    }

    #[test]
    fn reactions_are_emoji_or_short_names() {
        for good in ["👍", "👍🏽", "🇨🇭", "👩‍👩‍👧", "1️⃣", ":party_parrot:", "❤️"] {
            assert!(Emoji::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "ab", "1", ":x:", "::", ":a b:", "👍 ", "<b>", "日本"] {
            assert!(Emoji::parse(bad).is_err(), "{bad}");
        }
    }
}
