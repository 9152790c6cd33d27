//! Each bound, by the connection behind it.

use super::*;
use crate::config::Rate;

fn admission(change: impl FnOnce(&mut config::Admission)) -> Arc<Admission> {
    let mut limits = config::Admission::default();
    change(&mut limits);
    Admission::new(&limits)
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

#[test]
fn each_bound_of_admission_refuses_the_next_and_takes_again_what_left() {
    let of_node = admission(|limits| limits.connections_per_node = Some(2));
    let places: Vec<_> = (0..2).map(|n| of_node.admit(address(n)).unwrap()).collect();
    assert_eq!(of_node.admit(address(9)).err(), Some(Full::Node));
    drop(places);
    assert_eq!(of_node.connections(), 0);
    assert!(of_node.admit(address(9)).is_ok());

    let of_address = admission(|limits| limits.connections_per_address = 2);
    let places: Vec<_> = (0..2).map(|_| of_address.admit(address(1)).unwrap()).collect();
    assert_eq!(of_address.admit(address(1)).err(), Some(Full::Address));
    assert!(of_address.admit(address(2)).is_ok(), "others come in");
    drop(places);
    assert!(of_address.admit(address(1)).is_ok());

    let of_tenant = admission(|limits| limits.connections_per_tenant = 2);
    let (tenant, first) = (TenantId::generate(), UserId::generate());
    assert!(of_tenant.enter(tenant, first) && of_tenant.enter(tenant, UserId::generate()));
    assert!(!of_tenant.enter(tenant, UserId::generate()));
    assert!(of_tenant.enter(TenantId::generate(), UserId::generate()), "others come in");
    of_tenant.leave(tenant, first);
    assert!(of_tenant.enter(tenant, UserId::generate()));

    let of_person = admission(|limits| limits.connections_per_user = 2);
    assert!(of_person.enter(tenant, first) && of_person.enter(tenant, first));
    assert!(!of_person.enter(tenant, first));
    assert!(of_person.enter(tenant, UserId::generate()), "others come in");
    of_person.leave(tenant, first);
    assert!(of_person.enter(tenant, first));
}

#[test]
fn new_connections_are_taken_in_at_a_rate() {
    let admission = admission(|limits| limits.accept = Rate { per_second: 1, burst: 3 });
    let places: Vec<_> = (0..3).map(|n| admission.admit(address(n)).unwrap()).collect();
    assert_eq!(admission.admit(address(9)).err(), Some(Full::Rate));
    // Who leaves makes no room: it is a rate, not a number.
    drop(places);
    assert_eq!(admission.admit(address(9)).err(), Some(Full::Rate));
    assert_eq!(admission.connections(), 0, "who was refused is not counted");
}
