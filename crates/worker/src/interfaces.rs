//! Which addresses a Worker advertises.
//!
//! The sockets listen on the wildcard address, so every local address works; this file only decides
//! which of them become ICE candidates. Link-local ones never do: a browser would need the scope.

use std::io;
use std::net::IpAddr;

use crate::worker::WorkerConfig;

/// Addresses to advertise, best first.
pub(crate) fn advertised(config: &WorkerConfig, ipv6: bool) -> io::Result<Vec<IpAddr>> {
    let mut local = if config.addresses.is_empty() {
        all_local()?
    } else {
        config.addresses.clone()
    };
    if config.announce_only {
        local.retain(|address| !is_private(address));
    }
    let mut addresses = config.announce.clone();
    for address in local {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.retain(|address| ipv6 || address.is_ipv4());
    Ok(addresses)
}

/// Whether a TCP connection to this advertised address reaches our acceptor. Addresses that are only
/// announced are a NAT's outside: what they lead to is assumed to listen.
pub(crate) fn listens(config: &WorkerConfig, address: IpAddr) -> bool {
    config.tcp.iter().any(|bound| {
        let whole_family = bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4();
        let outside = config.announce.contains(&address)
            && bound.is_ipv4() == address.is_ipv4()
            && !bound.is_loopback();
        *bound == address || whole_family || outside
    })
}

/// Every address of every interface that a peer could reach; loopback last.
fn all_local() -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(|interface| !interface.is_link_local())
        .map(|interface| interface.ip())
        .filter(|address| !address.is_unspecified() && !address.is_multicast())
        .collect();
    addresses.sort_by_key(|address| (address.is_loopback(), address.is_ipv6()));
    addresses.dedup();
    Ok(addresses)
}

/// Useless to a peer on the far side of a NAT: loopback, RFC 1918, RFC 6598, RFC 4193.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(addresses: &[&str], announce: &[&str], announce_only: bool) -> WorkerConfig {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect();
        WorkerConfig {
            addresses: parse(addresses),
            announce: parse(announce),
            announce_only,
            ..WorkerConfig::default()
        }
    }

    fn strings(config: &WorkerConfig, ipv6: bool) -> Vec<String> {
        advertised(config, ipv6)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn interfaces_come_with_loopback_last_and_without_link_local() {
        let all = strings(&WorkerConfig::default(), true);
        assert!(all.contains(&"127.0.0.1".to_owned()));
        assert!(
            !all.iter()
                .any(|a| a.starts_with("fe80") || a.starts_with("169.254"))
        );
        let first_loopback = all
            .iter()
            .position(|a| a == "127.0.0.1" || a == "::1")
            .unwrap();
        assert!(
            all[first_loopback..]
                .iter()
                .all(|a| a == "127.0.0.1" || a == "::1")
        );
    }

    #[test]
    fn announced_addresses_come_first_and_once() {
        let config = config(&["10.0.0.1", "198.51.100.7"], &["198.51.100.7"], false);
        assert_eq!(strings(&config, true), ["198.51.100.7", "10.0.0.1"]);
    }

    #[test]
    fn announce_only_replaces_private_addresses_and_keeps_public_ones() {
        let local = [
            "10.0.0.1",
            "100.64.3.2",
            "127.0.0.1",
            "fd00::1",
            "::1",
            "203.0.113.9",
        ];
        let config = config(&local, &["198.51.100.7"], true);
        assert_eq!(strings(&config, true), ["198.51.100.7", "203.0.113.9"]);
    }

    #[test]
    fn without_ipv6_no_ipv6_address_is_advertised() {
        assert_eq!(
            strings(&config(&["10.0.0.1", "2001:db8::1"], &[], false), false),
            ["10.0.0.1"]
        );
    }
}
