//! Where a vault is: `https://…`, or `http://…` on this machine alone.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ureq::http::Uri;

/// A base address to which paths are added. It ends without a slash and holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    encrypted: bool,
}

/// Why a text is no vault's address. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the vault's address is refused: {0}")]
pub struct InvalidAddress(&'static str);

impl Address {
    /// Whether TLS is spoken.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        const FORM: InvalidAddress =
            InvalidAddress("write https://HOST[:PORT], or http://127.0.0.1:PORT on this machine");
        let uri: Uri = text.parse().map_err(|_| FORM)?;
        let authority = uri.authority().ok_or(FORM)?;
        if authority.as_str().contains('@') {
            return Err(InvalidAddress("it holds credentials: pass them in a file or a variable"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(InvalidAddress("it ends with its path: leave out '?' and '#'"));
        }
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(authority.host()) => false,
            Some("http") => {
                return Err(InvalidAddress(
                    "http:// would send secrets in clear, and is for this machine itself alone \
                     (localhost, 127.0.0.1, [::1]): use https://",
                ));
            }
            _ => return Err(FORM),
        };
        Ok(Self { text: text.trim_end_matches('/').to_owned(), encrypted })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_elsewhere_is_reached_with_tls_alone() {
        for good in [
            "https://vault.example",
            "https://vault.example:8443/prefix/",
            "http://127.0.0.1:8200",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://localhost:1",
        ] {
            assert!(good.parse::<Address>().is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "vault.example",
            "http://vault.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "https://user:hunter2@vault.example",
            "http://user:hunter2@127.0.0.1",
            "https://vault.example?x=1",
            "https://vault.example#x",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
        ] {
            let error = bad.parse::<Address>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn paths_are_added_to_an_address_without_a_slash_at_its_end() {
        let address: Address = "https://vault.example/a/".parse().unwrap();
        assert_eq!(address.to_string(), "https://vault.example/a");
    }
}
