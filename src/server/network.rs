//! The network of an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the network of an address: its /24, or its /64 for IPv6. One machine can easily own all addresses of such a
/// network.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_machine_are_of_one_network() {
        let network = |address: &str| network(address.parse().expect("an address")).to_string();
        assert_eq!(network("10.1.2.3"), "10.1.2.0");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
