//! Which variables the process of sops is given: none but those by which the allowed kinds of
//! keys find their credentials and their services.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use super::allowed::AllowList;
use super::name::Kind;

/// What every service that is reached over the network may need.
const NETWORK: [&str; 9] = [
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// With it the client of HashiCorp's Vault follows no redirect. It would follow one, and take its
/// token along.
const NO_REDIRECTS: &str = "VAULT_DISABLE_REDIRECTS";

/// Which variables a kind of key is given: whole names, and beginnings that end in `_`.
pub(super) fn of_kind(kind: Kind) -> Vec<&'static str> {
    let own: &[&str] = match kind {
        Kind::Kms => &["AWS_"],
        // It runs `gpg`, which is looked for on the path.
        Kind::Pgp => return vec!["HOME", "PATH", "GNUPGHOME"],
        Kind::GcpKms => &["GOOGLE_", "SOPS_GCP_KMS_", "GCE_METADATA_HOST", "CLOUDSDK_CONFIG"],
        Kind::AzureKv => &["AZURE_", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"],
        Kind::HcVault => &["VAULT_"],
        Kind::Hckms => &["HUAWEICLOUD_"],
    };
    own.iter().chain(&NETWORK).copied().collect()
}

/// Of the variables that there are, those that the keys on the list need.
pub fn variables_for(
    list: &AllowList,
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let needed: BTreeSet<&str> = list.kinds().into_iter().flat_map(of_kind).collect();
    let is_needed = |name: &OsStr| {
        name.to_str().is_some_and(|name| {
            let begins = |it: &&str| it.ends_with('_') && name.starts_with(*it);
            needed.contains(name) || needed.iter().any(begins)
        })
    };
    let mut given: Vec<_> = all.filter(|(name, _)| is_needed(name)).collect();
    let addresses: Vec<&str> = list.vault_addresses().into_iter().collect();
    if !addresses.is_empty() {
        // An answer could else send the token to an address that is not on the list.
        given.retain(|(name, _)| name != NO_REDIRECTS);
        given.push((NO_REDIRECTS.into(), "true".into()));
        // Newer versions of sops hold themselves to it too.
        given.push(("SOPS_HC_VAULT_ALLOWLIST".into(), addresses.join(",").into()));
    }
    given
}
