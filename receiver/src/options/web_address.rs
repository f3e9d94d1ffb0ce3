//! Where the page is served.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::str::FromStr;

/// What follows `web:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebAddress {
    /// This machine alone, on a port; 0 is any free one.
    Port(u16),
    /// An address of this machine.
    Address(SocketAddr),
    /// A name of this machine and a port.
    Name(String, u16),
}

#[cfg_attr(not(feature = "web"), allow(dead_code))]
impl WebAddress {
    /// A listener there.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        match self {
            Self::Port(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, *port)),
            Self::Address(address) => TcpListener::bind(address),
            Self::Name(name, port) => {
                let addresses: Vec<_> = (name.as_str(), *port).to_socket_addrs()?.collect();
                TcpListener::bind(addresses.as_slice())
            }
        }
    }

    /// The name that a browser is given for `bound`, the address of the listener.
    pub(crate) fn host(&self, bound: SocketAddr) -> String {
        match (self, bound.ip()) {
            (Self::Name(name, _), _) => name.clone(),
            (_, IpAddr::V6(ip)) if ip.is_unspecified() => "localhost".to_owned(),
            (_, IpAddr::V4(ip)) if ip.is_unspecified() => "localhost".to_owned(),
            (_, IpAddr::V6(ip)) => format!("[{ip}]"),
            (_, IpAddr::V4(ip)) => ip.to_string(),
        }
    }
}

impl FromStr for WebAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(port) = text.parse() {
            return Ok(Self::Port(port));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = text.rsplit_once(':').and_then(|(name, port)| {
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            let is_name = !name.is_empty() && name.len() <= 253 && name.chars().all(letters);
            is_name.then_some(Self::Name(name.to_ascii_lowercase(), port.parse().ok()?))
        });
        name.ok_or_else(|| {
            format!("{text:?} is no place for a page; give web, web:PORT or web:ADDR:PORT")
        })
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_an_address_or_a_name() {
        let parse = |text: &str| text.parse::<WebAddress>();
        assert_eq!(parse("8080"), Ok(WebAddress::Port(8080)));
        let any = WebAddress::Address("0.0.0.0:80".parse().unwrap());
        assert_eq!(parse("0.0.0.0:80"), Ok(any));
        assert!(matches!(parse("[::1]:80"), Ok(WebAddress::Address(_))));
        let name = WebAddress::Name("desk.local".into(), 80);
        assert_eq!(parse("Desk.local:80"), Ok(name));
        for bad in [
            "", ":", ":80", "desk", "70000", "desk:", "a b:80", "a/b:80", "desk:x",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_browser_is_given_a_name_that_leads_there() {
        let host = |text: &str, bound: &str| {
            let address: WebAddress = text.parse().unwrap();
            address.host(bound.parse().unwrap())
        };
        assert_eq!(host("0", "127.0.0.1:8080"), "127.0.0.1");
        assert_eq!(host("[::1]:0", "[::1]:8080"), "[::1]");
        assert_eq!(host("0.0.0.0:0", "0.0.0.0:8080"), "localhost");
        assert_eq!(host("desk:0", "10.0.0.1:8080"), "desk");
    }
}
