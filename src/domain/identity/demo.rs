//! Who lives in the demo tenant. The seed is the command's work; the sign-in page shows these names where the server is a demo.

use crate::kernel::TenantRole;

/// The demo tenant's slug.
pub const SLUG: &str = "demo";

/// The password of everybody in a demo on a loopback address, where only this machine can use it.
pub const WELL_KNOWN_PASSWORD: &str = "rialto-demo";

/// Handle, name, role. All live at `<handle>@demo.example`.
pub const PEOPLE: &[(&str, &str, TenantRole)] = &[
    ("ada", "Ada", TenantRole::Member),
    ("bo", "Bo", TenantRole::Member),
    ("cy", "Cy", TenantRole::Member),
    ("mo", "Mo", TenantRole::Moderator),
    ("vera", "Vera", TenantRole::Vendor),
    ("tam", "Tam", TenantRole::TenantAdmin),
];
