//! The IP addresses that a probe refuses.
//!
//! The names in a policy or an image decide where a probe connects, and a name may resolve to any address. Addresses
//! that only this machine, its link or its cloud serves are refused: loopback, link-local, `0.0.0.0/8`, multicast, and
//! the addresses of metadata services, which hand out credentials. An IPv6 address that carries an IPv4 address counts
//! as that one.
//!
//! **Private ranges are allowed**, because private registries live there. So a user who edits the policy, or names an
//! image, can learn from a probe whether a private address serves HTTPS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services outside the link-local range: AWS (IPv6), Azure, Alibaba Cloud.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// The reason for which an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// This machine.
    Loopback,
    /// This link; on clouds the metadata service 169.254.169.254.
    LinkLocal,
    /// A metadata service elsewhere.
    Metadata,
    /// Not the address of one machine: `0.0.0.0/8`, `::`, multicast, broadcast.
    NoHost,
}

/// Returns the reason to refuse an address, or `None`.
#[must_use]
pub fn special(address: IpAddr) -> Option<Special> {
    let address = match address {
        IpAddr::V6(address) => carried(address).map_or(IpAddr::V6(address), IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let is_no_host = match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if METADATA.contains(&address) {
        Some(Special::Metadata)
    } else if address.is_loopback() {
        Some(Special::Loopback)
    } else if is_link_local {
        Some(Special::LinkLocal)
    } else if is_no_host || address.is_multicast() {
        Some(Special::NoHost)
    } else {
        None
    }
}

/// Returns the IPv4 address that an IPv6 address carries: mapped and compatible (RFC 4291), translated (NAT64, RFC 6052
/// and 8215) and 6to4 (RFC 3056).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, .., high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_its_link_and_its_cloud_are_refused() {
        for (expected, addresses) in [
            (
                Some(Special::Loopback),
                "127.0.0.1 127.255.0.9 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::",
            ),
            (
                Some(Special::LinkLocal),
                "169.254.169.254 169.254.0.1 fe80::1 febf::1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe \
                 64:ff9b:1::a9fe:a9fe",
            ),
            (
                Some(Special::Metadata),
                "fd00:ec2::254 168.63.129.16 100.100.100.200 ::ffff:168.63.129.16",
            ),
            (
                Some(Special::NoHost),
                "0.0.0.0 0.1.2.3 :: 224.0.0.1 239.1.1.1 255.255.255.255 ff02::1 ::ffff:0.0.0.0",
            ),
            (
                None,
                "10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 8.8.8.8 fd00::1 2001:db8::1 ::ffff:10.0.0.1 1.1.1.1",
            ),
        ] {
            for text in addresses.split(' ') {
                assert_eq!(special(text.parse().unwrap()), expected, "{text}");
            }
        }
    }
}
