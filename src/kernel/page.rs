//! Pages of lists: `{items, next_cursor}`.

use serde::Serialize;

/// Entries of one page unless the caller asks for another number.
pub const LIMIT_DEFAULT: u32 = 50;
/// The most entries one page holds.
pub const LIMIT_MAX: u32 = 100;

/// One page; `next_cursor` is opaque and null at the end.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `items`, read with one more than `limit`, into a page whose cursor is `key` of its last entry.
    #[must_use]
    pub fn cut(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = if more { items.last().map(key) } else { None };
        Self { items, next_cursor }
    }
}

/// Brings an asked-for limit into bounds.
#[must_use]
pub fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
}
