//! The states of a tenant and the moves between them. Pure.

use serde::{Deserialize, Serialize};

use super::TenancyError;

/// Where a tenant is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being set up; serves nobody yet.
    Provisioning,
    Active,
    /// Its data stays, nobody gets in.
    Suspended,
    /// The end; nothing leads out of it.
    Terminated,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Provisioning, Self::Active, Self::Suspended, Self::Terminated];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }

    /// Reads the name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The legal moves. Staying where one is counts as no move and is refused like any other illegal one.
const MOVES: [(State, State); 6] = [
    (State::Provisioning, State::Active),
    // A set-up that can not be finished is given up.
    (State::Provisioning, State::Terminated),
    (State::Active, State::Suspended),
    (State::Active, State::Terminated),
    (State::Suspended, State::Active),
    (State::Suspended, State::Terminated),
];

/// Whether a tenant may go from one state to the other.
///
/// # Errors
/// [`TenancyError::IllegalMove`] naming both.
pub fn move_to(from: State, to: State) -> Result<State, TenancyError> {
    if MOVES.contains(&(from, to)) { Ok(to) } else { Err(TenancyError::IllegalMove(from, to)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_drawn_moves_are_legal() {
        use State::{Active, Provisioning, Suspended, Terminated};
        let legal = |from| State::ALL.into_iter().filter(|to| move_to(from, *to).is_ok()).collect::<Vec<_>>();
        assert_eq!(legal(Provisioning), [Active, Terminated]);
        assert_eq!(legal(Active), [Suspended, Terminated]);
        assert_eq!(legal(Suspended), [Active, Terminated]);
        assert_eq!(legal(Terminated), []);
    }

    #[test]
    fn a_state_reads_back_from_its_name() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
