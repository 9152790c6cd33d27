//! Sizes and durations as people write them (`512 KiB`, `10 gb`, `25s`), parsed once into exact types.
//!
//! A bare number in a configuration file has no unit and is a source of thousandfold mistakes; sizes accept one (it means
//! bytes), durations do not.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A number of bytes. `KiB`, `MiB`, `GiB`, `TiB` are powers of 1,024; `kb`, `mb`, `gb`, `tb` powers of 1,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// A time span of at least a millisecond: `250ms`, `25s`, `10m`, `12h`, `30d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// Largest first, so that printing finds the largest unit that divides.
const SIZE_UNITS: [(&str, u64); 10] = [
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("b", 1),
    ("", 1),
];

const SPAN_UNITS_MS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl ByteSize {
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    pub const fn gb(count: u64) -> Self {
        Self(count * 1_000_000_000)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// For lengths of things in memory; saturates where `usize` is smaller than 64 bits.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Span {
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub const fn from_days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    pub const fn duration(self) -> Duration {
        self.0
    }

    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

/// Splits `25 s` into its number and unit; the number is whole.
fn split(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let number = text.get(..end)?.replace('_', "").parse().ok()?;
    Some((number, text.get(end..)?.trim().to_ascii_lowercase()))
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a size; write for example `512 KiB` or `10gb`");
        let (number, unit) = split(text).ok_or_else(refuse)?;
        let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        number.checked_mul(*factor).map(Self).ok_or_else(refuse)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a time span; write for example `25s`, `10m` or `30d`");
        let (number, unit) = split(text).ok_or_else(refuse)?;
        let (_, factor) = SPAN_UNITS_MS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        let millis = number.checked_mul(*factor).filter(|millis| *millis > 0).ok_or_else(refuse)?;
        Ok(Self::from_millis(millis))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS.iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) if *factor > 1 => write!(f, "{}{name}", self.0 / factor),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let unit = SPAN_UNITS_MS.iter().rev().find(|(_, factor)| millis.is_multiple_of(u128::from(*factor)));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", millis / u128::from(*factor)),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `512 KiB` or a number of bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
        u64::try_from(bytes).map(ByteSize).map_err(|_| E::custom("a size cannot be negative"))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_both_families_of_units() {
        assert_eq!("512 KiB".parse(), Ok(ByteSize::kib(512)));
        assert_eq!("10gb".parse(), Ok(ByteSize::gb(10)));
        assert_eq!("1_024".parse(), Ok(ByteSize::bytes(1_024)));
        assert!("12 parsecs".parse::<ByteSize>().is_err());
        assert!("99999999999 tb".parse::<ByteSize>().is_err());
    }

    #[test]
    fn a_span_needs_its_unit() {
        assert_eq!("25s".parse(), Ok(Span::from_secs(25)));
        assert_eq!("30 d".parse(), Ok(Span::from_days(30)));
        assert!("25".parse::<Span>().is_err());
        assert!("0s".parse::<Span>().is_err());
    }

    #[test]
    fn what_is_printed_can_be_read_back() {
        for size in [ByteSize::kib(128), ByteSize::gb(100), ByteSize::bytes(1_000_003), ByteSize::mib(256)] {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for span in [Span::from_millis(250), Span::from_secs(600), Span::from_days(30)] {
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
