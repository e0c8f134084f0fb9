//! `net/url`: host and path of an `https://` URL (`Parse` of `url.go`), and what the kubelet makes of the host.

use core::net::Ipv6Addr;

/// Host (with its port) and path of a URL, unescaped. Go's texts are bytes, and an escape can make any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
}

/// What `unescape` is told about where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UrlPart {
    Host,
    Zone,
    Other,
}

impl Url {
    /// Reads what stands behind `https://`; `None` where Go has an error.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (text, fragment) = match text.iter().position(|byte| *byte == b'#') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &b""[..]),
        };
        // Nobody asks for it, but a fault in it is a fault of the URL.
        unescape(fragment, UrlPart::Other)?;
        if text.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return None;
        }
        let text = text.split(|byte| *byte == b'?').next()?;
        let slash = text.iter().position(|byte| *byte == b'/');
        let (authority, path) = text.split_at(slash.unwrap_or(text.len()));
        Some(Self {
            host: parse_authority(authority)?,
            path: unescape(path, UrlPart::Other)?,
        })
    }

    /// `SplitURL` of the kubelet: the host and its port, which is empty where there is none.
    pub(crate) fn host_and_port(&self) -> (&[u8], &[u8]) {
        split_host_port(&self.host).unwrap_or((&self.host, b""))
    }
}

fn parse_authority(authority: &[u8]) -> Option<Vec<u8>> {
    let Some(at) = authority.iter().rposition(|byte| *byte == b'@') else {
        return parse_host(authority);
    };
    let host = parse_host(&authority[at + 1..])?;
    let user = &authority[..at];
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
    (user.iter().all(is_valid) && unescape(user, UrlPart::Other).is_some()).then_some(host)
}

fn parse_host(host: &[u8]) -> Option<Vec<u8>> {
    match host.iter().rposition(|byte| *byte == b'[') {
        Some(0) => return parse_literal(host),
        Some(_) => return None,
        None => {}
    }
    if let Some(colon) = host.iter().position(|byte| *byte == b':') {
        is_optional_port(&host[colon..]).then_some(())?;
    }
    unescape(host, UrlPart::Host)
}

/// `[IPv6%25zone]:port`
fn parse_literal(host: &[u8]) -> Option<Vec<u8>> {
    let close = host.iter().rposition(|byte| *byte == b']')?;
    let port = &host[close + 1..];
    is_optional_port(port).then_some(())?;
    let name = &host[1..close];
    let zone = name.windows(3).position(|window| window == b"%25");
    let (address, zone) = name.split_at(zone.unwrap_or(name.len()));
    let mut name = unescape(address, UrlPart::Host)?;
    name.extend(unescape(zone, UrlPart::Zone)?);
    is_ipv6(&name).then_some(())?;
    Some([b"[", &*name, b"]", port].concat())
}

fn is_ipv6(text: &[u8]) -> bool {
    let (address, has_zone) = match text.iter().position(|byte| *byte == b'%') {
        Some(at) => (&text[..at], at + 1 < text.len()),
        None => (text, true),
    };
    let address = std::str::from_utf8(address);
    has_zone && address.is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_optional_port(port: &[u8]) -> bool {
    match port.split_first() {
        None => true,
        Some((first, digits)) => *first == b':' && digits.iter().all(u8::is_ascii_digit),
    }
}

fn unescape(text: &[u8], part: UrlPart) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            let in_host = matches!(part, UrlPart::Host | UrlPart::Zone);
            if in_host && byte.is_ascii() && !is_host_byte(*byte) {
                return None;
            }
            out.push(*byte);
            continue;
        }
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let (high, low) = (digit(0)?, digit(1)?);
        let value = u8::try_from(high * 16 + low).ok()?;
        let is_percent = after.starts_with(b"25");
        match part {
            UrlPart::Host if high < 8 && !is_percent => return None,
            UrlPart::Zone if !is_percent && value != b' ' && !is_host_byte(value) => return None,
            UrlPart::Host | UrlPart::Zone | UrlPart::Other => {}
        }
        out.push(value);
        rest = &after[2..];
    }
    Some(out)
}

/// What may stand in a host as it is.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// `net.SplitHostPort`; `None` where it has an error.
fn split_host_port(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().rposition(|byte| *byte == b':')?;
    let (host, rest_from) = if text[0] == b'[' {
        let end = text.iter().position(|byte| *byte == b']')?;
        (end + 1 == colon).then_some(())?;
        (&text[1..end], (1, end + 1))
    } else {
        let host = &text[..colon];
        (!host.contains(&b':')).then_some(())?;
        (host, (0, 0))
    };
    let has_bracket = text[rest_from.0..].contains(&b'[') || text[rest_from.1..].contains(&b']');
    (!has_bracket).then_some((host, &text[colon + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        let url = Url::parse(text.as_bytes())?;
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((told(&url.host), told(&url.path)))
    }

    #[test]
    fn urls_are_read_as_go_reads_them() {
        for (text, host, path) in [
            ("reg.io", "reg.io", ""),
            ("u:p@reg.io:5000/a%2Fb?q#f", "reg.io:5000", "/a/b"),
            ("[::1]:5000/x", "[::1]:5000", "/x"),
            ("[fe80::1%25en0]", "[fe80::1%en0]", ""),
            ("*.reg.io", "*.reg.io", ""),
            ("reg.io:", "reg.io:", ""),
            ("", "", ""),
        ] {
            assert_eq!(parsed(text), Some((host.into(), path.into())), "{text}");
        }
        for bad in [
            "[a-c].reg.io",
            "reg.io:*",
            "a:1:2",
            "reg.io/%zz",
            "a b",
            "a\nb",
            "%41.io",
            "[1.2.3.4]",
            "us er@a",
            "a#%z",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn ports_are_split_as_go_splits_them() {
        for (host, expected) in [
            ("a:1", Some(("a", "1"))),
            ("a", None),
            ("[::1]:5", Some(("::1", "5"))),
            ("[::1]", None),
            ("a]:5", None),
        ] {
            let bytes =
                expected.map(|(host, port): (&str, &str)| (host.as_bytes(), port.as_bytes()));
            assert_eq!(split_host_port(host.as_bytes()), bytes, "{host}");
        }
    }
}
