//! What an entry of the allow-list may be, kind by kind.
//!
//! Names are held to less than the services allow where more would be read in two ways: a path
//! has neither `..` nor `%`, an address neither a user nor a path.

use std::collections::BTreeMap;
use std::fmt;

use super::name::{KeyName, Kind, KmsName};

/// Why an entry is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reason(&'static str);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const KIND: Reason =
    Reason("it has to begin with kms:, pgp:, gcp_kms:, azure_kv:, hc_vault: or hckms:");
const PGP: Reason =
    Reason("it has to be pgp:FINGERPRINT, the whole fingerprint of 40 or 64 hexadecimal digits");
const KMS: Reason =
    Reason("it has to be kms:ARN, where ARN is arn:aws:kms:REGION:ACCOUNT:key/ID or …:alias/NAME");
const KMS_OPTION: Reason = Reason(
    "after kms:ARN only ;role=ARN, ;profile=NAME and ;context.NAME=VALUE may follow, each once",
);
const GCP: Reason =
    Reason("it has to be gcp_kms:projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY");
const AZURE: Reason = Reason("it has to be azure_kv:https://HOST/keys/NAME or …/keys/NAME/VERSION");
const VAULT: Reason = Reason(
    "it has to be hc_vault:https://HOST:PORT/v1/ENGINE/keys/KEY, whose parts are of letters, \
     digits, '_', '.' and '-'",
);
const HCKMS: Reason = Reason("it has to be hckms:REGION:UUID");

/// Reads one entry.
pub(super) fn entry(text: &str) -> Result<KeyName, Reason> {
    let (kind, name) = text.split_once(':').ok_or(KIND)?;
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(KIND)?;
    match kind {
        Kind::Kms => kms(name).map(KeyName::Kms),
        Kind::Pgp => pgp(name).ok_or(PGP),
        Kind::GcpKms => gcp(name).ok_or(GCP),
        Kind::AzureKv => azure(name).ok_or(AZURE),
        Kind::HcVault => vault(name).ok_or(VAULT),
        Kind::Hckms => hckms(name).ok_or(HCKMS),
    }
}

/// Whether it is a version of a key in Azure.
pub(super) fn is_azure_version(text: &str) -> bool {
    is_made_of(text, "") && text.len() <= 64
}

fn kms(text: &str) -> Result<KmsName, Reason> {
    let mut parts = text.split(';');
    let arn = parts.next().filter(|arn| is_arn(arn, "kms")).ok_or(KMS)?;
    let mut name = KmsName { arn: arn.to_owned(), ..KmsName::default() };
    for part in parts {
        let (option, value) = part.split_once('=').ok_or(KMS_OPTION)?;
        let once = |field: &mut Option<String>| {
            let free = field.is_none() && !value.is_empty();
            free.then(|| *field = Some(value.to_owned())).ok_or(KMS_OPTION)
        };
        match option {
            "role" if is_arn(value, "iam") => once(&mut name.role)?,
            "profile" => once(&mut name.profile)?,
            _ => context(&mut name.context, option, value).ok_or(KMS_OPTION)?,
        }
    }
    Ok(name)
}

fn context(context: &mut BTreeMap<String, String>, option: &str, value: &str) -> Option<()> {
    let key = decoded(option.strip_prefix("context.")?)?;
    let free = !key.is_empty() && context.insert(key, decoded(value)?).is_none();
    free.then_some(())
}

/// Text whose `%XX` stand for bytes.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// `arn:aws…:SERVICE:REGION:ACCOUNT:KIND/NAME`. The region becomes part of a host's name.
fn is_arn(text: &str, service: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, of, region, account, resource] = parts[..] else { return false };
    let (kind, name) = resource.split_once('/').unwrap_or_default();
    let kinds: &[&str] = if service == "kms" { &["key", "alias"] } else { &["role"] };
    arn == "arn"
        && partition.starts_with("aws")
        && is_made_of(partition, "-")
        && of == service
        && (is_made_of(region, "-") || (service == "iam" && region.is_empty()))
        && !account.is_empty()
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && kinds.contains(&kind)
        && is_made_of(name, "-_/+=.@")
}

fn pgp(text: &str) -> Option<KeyName> {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let whole = hexadecimal && matches!(text.len(), 40 | 64);
    whole.then(|| KeyName::Pgp { fingerprint: text.to_owned() }.normal())
}

fn gcp(text: &str) -> Option<KeyName> {
    let parts: Vec<&str> = text.split('/').collect();
    let ["projects", project, "locations", location, "keyRings", ring, "cryptoKeys", key] =
        parts[..]
    else {
        return None;
    };
    // A project of a domain is `example.com:project`.
    let good = is_made_of(project, "-_.:") && [location, ring, key].into_iter().all(is_segment);
    good.then(|| KeyName::GcpKms { resource: text.to_owned() })
}

fn azure(text: &str) -> Option<KeyName> {
    let (url, path) = address(text, &["https://"])?;
    let (name, version) = match path.split('/').collect::<Vec<_>>()[..] {
        ["keys", name] => (name, None),
        ["keys", name, version] => (name, Some(version)),
        _ => return None,
    };
    let good = is_segment(name) && version.is_none_or(is_azure_version);
    good.then(|| KeyName::AzureKv {
        url: url.to_owned(),
        name: name.to_owned(),
        version: version.map(str::to_owned),
    })
}

fn vault(text: &str) -> Option<KeyName> {
    let (address, path) = address(text, &["https://", "http://"])?;
    let parts: Vec<&str> = path.split('/').collect();
    let ["v1", engine @ .., "keys", key] = &parts[..] else { return None };
    let good = !engine.is_empty() && engine.iter().chain([key]).all(|part| is_segment(part));
    good.then(|| KeyName::HcVault {
        address: address.to_owned(),
        engine: engine.join("/"),
        key: (*key).to_owned(),
    })
}

fn hckms(text: &str) -> Option<KeyName> {
    let (region, id) = text.split_once(':')?;
    let good = is_made_of(region, "-") && is_made_of(id, "-");
    good.then(|| KeyName::Hckms { id: text.to_owned() })
}

/// `SCHEME://HOST[:PORT]`, and the path behind it without its first slash.
fn address<'a>(text: &'a str, schemes: &[&str]) -> Option<(&'a str, &'a str)> {
    let scheme = schemes.iter().find(|scheme| text.starts_with(**scheme))?.len();
    let end = scheme + text[scheme..].find('/')?;
    let good = is_made_of(&text[scheme..end], ".-:[]");
    good.then(|| (&text[..end], &text[end + 1..]))
}

/// Part of a path, which means itself.
fn is_segment(text: &str) -> bool {
    is_made_of(text, "-_.") && !matches!(text, "." | "..")
}

/// Letters, digits and some more, at least one.
fn is_made_of(text: &str, more: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || more.contains(it))
}
