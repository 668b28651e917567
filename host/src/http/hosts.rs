//! For whom a request was meant: its header `Host`.
//!
//! A server on a loopback address that wants no keys is protected by nothing but being out of reach. A page of any origin can reach it all the same
//! by a name of its own that it lets point to 127.0.0.1 (DNS rebinding); what it can't do is to send another `Host`.

use std::net::IpAddr;

/// For whom requests may be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// Anybody.
    #[default]
    Any,
    /// This machine by its own names, and these.
    Local(Vec<String>),
}

impl Hosts {
    /// Whether a request may be meant for `host`, which may have a port. One without is from a client that is no browser.
    pub(super) fn allows(&self, host: Option<&str>) -> bool {
        let (Self::Local(others), Some(host)) = (self, host) else { return true };
        let name = without_port(host);
        let is_local = name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost")
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        is_local || others.iter().any(|other| other.eq_ignore_ascii_case(name) || other.eq_ignore_ascii_case(host))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An address of version 6 has colons of its own, and brackets around it where a port follows.
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_address_and_was_not_allowed_is_none_of_this_machine() {
        let local = Hosts::Local(vec!["jig.example".to_owned(), "other:81".to_owned()]);
        for (host, is_allowed) in [
            (None, true),
            (Some("localhost"), true),
            (Some("LOCALHOST:8000"), true),
            (Some("a.localhost:8000"), true),
            (Some("127.0.0.1:8000"), true),
            (Some("[::1]:8000"), true),
            (Some("::1"), true),
            (Some("192.168.1.2"), true),
            (Some("jig.example:8000"), true),
            (Some("other:81"), true),
            (Some("other:82"), false),
            (Some("evil.example:8000"), false),
            (Some("127.0.0.1.evil.example"), false),
            (Some("localhost.evil.example"), false),
            (Some(""), false),
        ] {
            assert_eq!(local.allows(host), is_allowed, "{host:?}");
            assert!(Hosts::Any.allows(host));
        }
    }
}
