//! Whom a text calls: `@handle`, `@here`, `@role` names. Code spans call nobody.

/// The most different people that one message calls; the rest stay plain text.
pub const MENTIONS_MAX: usize = 20;

/// What a text calls, as written; who that is, and whether the author may call a group, the store decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Lower-case handles, each once.
    pub handles: Vec<String>,
    /// `here` and `role:<role>`.
    pub groups: Vec<String>,
}

/// Finds the calls in a text.
#[must_use]
pub fn find(text: &str) -> Calls {
    let mut calls = Calls::default();
    let mut code = false;
    let mut before = ' ';
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '`' {
            code = !code;
        } else if c == '@' && !code && !before.is_alphanumeric() && before != '@' {
            let name = handle_at(rest);
            calls.add(name);
            rest = &rest[name.len()..];
        }
        before = c;
    }
    calls
}

/// The handle at the start of `rest`: ASCII letters, digits, `_`, `-` and inner dots.
fn handle_at(rest: &str) -> &str {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(rest.len());
    rest[..end].trim_end_matches(['.', '-'])
}

impl Calls {
    fn add(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        let group = match name.as_str() {
            "" => return,
            "here" => Some("here".to_owned()),
            "moderators" => Some("role:moderator".to_owned()),
            "admins" => Some("role:admin".to_owned()),
            "owners" => Some("role:owner".to_owned()),
            _ => None,
        };
        let (list, entry) = match group {
            Some(group) => (&mut self.groups, group),
            None => (&mut self.handles, name),
        };
        if list.len() < MENTIONS_MAX && !list.contains(&entry) {
            list.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handles(text: &str) -> Vec<String> {
        find(text).handles
    }

    #[test]
    fn handles_end_at_punctuation_and_count_once() {
        assert_eq!(handles("hi @Ada, @bo.b. and @ada!"), ["ada", "bo.b"]);
    }

    #[test]
    fn mail_addresses_and_code_call_nobody() {
        assert!(handles("write to ada@example.org or `@bo` and @@cy").is_empty());
    }

    #[test]
    fn groups_are_apart_from_people() {
        let calls = find("@here and @moderators, @ada");
        assert_eq!(
            (calls.groups, calls.handles),
            (vec!["here".to_owned(), "role:moderator".to_owned()], vec!["ada".to_owned()])
        );
    }

    #[test]
    fn no_text_calls_more_than_the_bound() {
        let text: String = (0..100).map(|n| format!("@user{n} ")).collect();
        assert_eq!(handles(&text).len(), MENTIONS_MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_searched_without_a_panic(text in ".*") {
            let calls = find(&text);
            proptest::prop_assert!(calls.handles.iter().all(|h| !h.is_empty() && !h.contains(',')));
        }
    }
}
