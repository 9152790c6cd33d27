//! Who may do what to whom, in the whole tenant. Pure.

use super::IdentityError;
use crate::kernel::TenantRole;

/// Whether somebody with role `by` may suspend or resume somebody with role `on`: moderators those below them, admins each other too.
///
/// # Errors
/// [`IdentityError::Forbidden`].
pub fn may_act_on(by: TenantRole, on: TenantRole) -> Result<(), IdentityError> {
    let permitted = by == TenantRole::TenantAdmin && on != TenantRole::PlatformAdmin || by.moderates() && by > on;
    if permitted { Ok(()) } else { Err(IdentityError::Forbidden) }
}

/// Whether somebody with role `by` may make a `from` a `to`. Platform admins are made by the operator's command only.
///
/// # Errors
/// [`IdentityError::Forbidden`].
pub fn may_set_role(by: TenantRole, from: TenantRole, to: TenantRole) -> Result<(), IdentityError> {
    let platform = from == TenantRole::PlatformAdmin || to == TenantRole::PlatformAdmin;
    if by == TenantRole::TenantAdmin && !platform { Ok(()) } else { Err(IdentityError::Forbidden) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moderators_act_downward_and_admins_on_everybody_in_the_tenant() {
        use TenantRole::{Moderator, PlatformAdmin, Support, TenantAdmin};
        let targets = |by| {
            let all = TenantRole::ALL.iter().copied();
            all.filter(|on| may_act_on(by, *on).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(targets(Moderator), &TenantRole::ALL[..4]);
        assert_eq!(targets(TenantAdmin), &TenantRole::ALL[..6]);
        assert!(targets(Support).is_empty());
        assert!(targets(PlatformAdmin).is_empty());
    }

    #[test]
    fn nobody_becomes_or_ceases_to_be_a_platform_admin_by_a_request() {
        for by in TenantRole::ALL {
            for other in TenantRole::ALL {
                assert!(may_set_role(*by, TenantRole::PlatformAdmin, *other).is_err());
                assert!(may_set_role(*by, *other, TenantRole::PlatformAdmin).is_err());
            }
        }
        assert!(may_set_role(TenantRole::TenantAdmin, TenantRole::Member, TenantRole::TenantAdmin).is_ok());
    }
}
