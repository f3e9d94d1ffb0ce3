//! Who may see the page: those who know the token, from a page of this server.
//!
//! The token alone keeps strangers out. Host and Origin are checked besides, because a page of
//! somebody else in the same browser may ask for anything: under a name of its own that it has let
//! lead to this machine (DNS rebinding; then Host is that name), or from its own place (then Origin,
//! RFC 6454, is that one).

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use data_encoding::HEXLOWER;
use raq_shared::exit::{Exit, Failure};
use subtle::ConstantTimeEq;

/// Bytes of a token; nobody guesses 16.
const TOKEN: usize = 16;

/// What is asked of a request.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: String,
    /// A name of this machine besides its addresses.
    name: Option<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token, or another one.
    Token,
    /// A name that is not this machine's.
    Host,
    /// From a page of another server.
    Origin,
}

impl Refusal {
    /// What to answer.
    pub(super) fn answer(self) -> (StatusCode, &'static str) {
        let text = match self {
            Self::Token => {
                "The token is missing or old. Open the address that raq-recv has printed, all of it.\n"
            }
            Self::Host => {
                "This name is not known here. Use the address of the machine, or start raq-recv with \
                 --output web:NAME:PORT.\n"
            }
            Self::Origin => {
                "Only raq-recv's own page may do this. Open the address that it has printed.\n"
            }
        };
        (StatusCode::FORBIDDEN, text)
    }
}

impl Guard {
    /// One with a new token; besides addresses and `localhost`, this machine may be called `name`.
    ///
    /// # Errors
    /// [`Failure`] where the system gives no random numbers.
    pub(super) fn new(name: Option<String>) -> Result<Self, Failure> {
        let mut bytes = [0; TOKEN];
        getrandom::fill(&mut bytes).map_err(|e| {
            let text = format_args!("cannot make a token for the page: {e}; try again");
            Failure::new(Exit::Failure, text)
        })?;
        let token = HEXLOWER.encode(&bytes);
        Ok(Self { token, name })
    }

    /// The token, as the URL has it.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Checks a request with this `token`. Only a page that is opened may say nothing of where it
    /// comes from; a `script` always does.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        token: Option<&str>,
        script: bool,
    ) -> Result<(), Refusal> {
        let host = only(headers, HOST).ok_or(Refusal::Host)?;
        if !self.is_ours(host) {
            return Err(Refusal::Host);
        }
        match only(headers, ORIGIN) {
            Some(origin) => {
                let from = origin.strip_prefix("http://").ok_or(Refusal::Origin)?;
                if !from.eq_ignore_ascii_case(host) {
                    return Err(Refusal::Origin);
                }
            }
            None if script || headers.contains_key(ORIGIN) => return Err(Refusal::Origin),
            None => {}
        }
        let token = token.unwrap_or_default().as_bytes();
        match bool::from(token.ct_eq(self.token.as_bytes())) {
            true => Ok(()),
            false => Err(Refusal::Token),
        }
    }

    /// Whether `host` names this machine: an address, which no name server had a say in, `localhost`
    /// or the name that the user gave. Any port: the page may come through a tunnel.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // An address in brackets has colons inside.
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host,
        };
        let bare = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        bare.unwrap_or(name).parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self
                .name
                .as_ref()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The value of a header that is there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn guard() -> Guard {
        Guard::new(Some("desk.local".to_owned())).unwrap()
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn admit(pairs: &[(HeaderName, &'static str)], script: bool) -> Result<(), Refusal> {
        let guard = guard();
        guard.admit(&headers(pairs), Some(guard.token()), script)
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (guard(), guard());
        assert_eq!(one.token().len(), 32);
        assert_ne!(one.token(), other.token());
    }

    #[test]
    fn only_the_token_opens() {
        let guard = guard();
        let own = headers(&[(HOST, "127.0.0.1:8080")]);
        assert_eq!(guard.admit(&own, Some(guard.token()), false), Ok(()));
        let longer = format!("{}0", guard.token());
        let upper = guard.token().to_uppercase();
        let shorter = &guard.token()[1..];
        for wrong in [None, Some(""), Some(&*longer), Some(shorter), Some("x")] {
            assert_eq!(guard.admit(&own, wrong, false), Err(Refusal::Token));
        }
        if upper != guard.token() {
            assert_eq!(guard.admit(&own, Some(&upper), false), Err(Refusal::Token));
        }
    }

    #[test]
    fn a_name_of_somebody_else_is_refused() {
        for ours in [
            "127.0.0.1",
            "127.0.0.1:1",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
            "[::1]",
            "192.168.1.2:80",
            "Desk.local:80",
        ] {
            assert_eq!(admit(&[(HOST, ours)], false), Ok(()), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "desk.local.evil.example:80",
            "[evil]:80",
        ] {
            let refused = admit(&[(HOST, other)], false);
            assert_eq!(refused, Err(Refusal::Host), "{other}");
        }
        assert_eq!(admit(&[], false), Err(Refusal::Host));
        let two = [(HOST, "localhost"), (HOST, "evil.example")];
        assert_eq!(admit(&two, false), Err(Refusal::Host));
    }

    #[test]
    fn a_page_of_somebody_else_is_refused() {
        let from = |origin, script| admit(&[(HOST, "127.0.0.1:8080"), (ORIGIN, origin)], script);
        for script in [false, true] {
            assert_eq!(from("http://127.0.0.1:8080", script), Ok(()));
            for other in [
                "null",
                "http://evil.example",
                "https://127.0.0.1:8080",
                "http://127.0.0.1:8081",
                "http://127.0.0.1",
                "http://localhost:8080",
                "",
            ] {
                assert_eq!(from(other, script), Err(Refusal::Origin), "{other}");
            }
        }
        let silent = [(HOST, "127.0.0.1:8080")];
        assert_eq!(admit(&silent, false), Ok(()));
        assert_eq!(admit(&silent, true), Err(Refusal::Origin));
    }
}
