//! The metadata of a file (`stores/metadata.go` and `stores/stores.go`).
//!
//! As in sops, values are read whatever their type where that is unambiguous, names match
//! without regard to case where none matches exactly, and unknown fields are passed over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;

use super::error::FileError;
use super::go_regex::{GoRegex, MAX_PATTERN};
use super::groups::KeyGroups;
use super::leave::Leave;
use super::master_key::{AgeKey, KeyGroup, MasterKey, OtherKey};
use super::number;
use super::sealed::Sealed;
use super::selection::{DEFAULT_UNENCRYPTED_SUFFIX, Matching, Rule};
use super::time::Time;
use super::tree::{ListItem, MapItem, Node, Scalar};
use crate::adapters::key_service::{KeyName, Kind, KmsName};

/// The most text of all age stanzas together, in bytes: each costs public-key cryptography.
const MAX_STANZAS: usize = 128 * 1024;

/// The most age keys of all groups together: every identity is tried on each.
const MAX_AGE_KEYS: usize = 100;

/// The most groups: each is opened by itself. Shares would allow 255.
const MAX_GROUPS: usize = 32;

/// The highest threshold: a share's place is a byte, and not zero.
const MAX_THRESHOLD: usize = 255;

/// The fields of the six rules, of which one says what is encrypted, and whether what it matches is.
const RULES: [(&str, bool); 6] = [
    ("unencrypted_suffix", false),
    ("encrypted_suffix", true),
    ("unencrypted_regex", false),
    ("encrypted_regex", true),
    ("unencrypted_comment_regex", false),
    ("encrypted_comment_regex", true),
];

/// What a file says of itself. None of it is authenticated but by the values' coming out right.
pub(super) struct Metadata {
    /// As it is written: the MAC is bound to its offset too.
    pub(super) last_modified: Time,
    /// The same point in time, to the second.
    pub(super) saved_at: Timestamp,
    /// Encrypted.
    pub(super) mac: String,
    pub(super) mac_only_encrypted: bool,
    pub(super) rule: Rule,
    /// Whether sops itself would read it as of a version before 3.3.0, and write to its keys.
    pub(super) is_of_first_format: bool,
    pub(super) keys: KeyGroups,
}

/// Reads the fields.
pub(super) fn read(fields: &[MapItem], leave: Leave) -> Result<Metadata, FileError> {
    let fields = &Fields(fields);
    let version = version(fields, leave)?;
    let (last_modified, saved_at) = last_modified(fields)?;
    Ok(Metadata {
        last_modified,
        saved_at,
        mac: fields.text("mac")?,
        mac_only_encrypted: fields.bool("mac_only_encrypted")?,
        rule: rule(fields)?,
        is_of_first_format: is_before_3_3(version.as_ref()),
        keys: key_groups(fields)?,
    })
}

/// Whether there is a rule of what is encrypted, which sops writes before the version.
pub(super) fn has_rule(fields: &[MapItem]) -> bool {
    RULES.iter().any(|(rule, _)| Fields(fields).field(rule).is_some())
}

/// What else is not there, or is there in part, of a file that has no version, which sops writes
/// last: another tool that writes none writes all of this.
fn lacks(fields: &Fields<'_>) -> Vec<&'static str> {
    let mut lacks = Vec::new();
    let last_modified = fields.text("lastmodified").ok();
    if last_modified.is_none_or(|time| Time::from_rfc3339(&time).is_none()) {
        lacks.push("lastmodified");
    }
    let mac = fields.text("mac").ok();
    if mac.is_none_or(|mac| !matches!(Sealed::parse(&mac), Some(Ok(_)))) {
        lacks.push("a whole mac");
    }
    let keys = key_groups(fields);
    let wrapped = keys.iter().flat_map(|keys| &keys.groups).flat_map(|group| &group.0);
    let is_whole = |wrapped: &str| {
        !wrapped.is_empty() && wrapped.contains("-----BEGIN ") == wrapped.contains("-----END ")
    };
    if keys.is_err() || !wrapped.map(MasterKey::wrapped).all(is_whole) {
        lacks.push("whole keys");
    }
    lacks
}

/// When the file was saved, as it is written and as a point in time.
fn last_modified(fields: &Fields<'_>) -> Result<(Time, Timestamp), FileError> {
    let refused = |rule| FileError::BadMetadata { field: "lastmodified", rule };
    let time = Time::from_rfc3339(&fields.text("lastmodified")?)
        .ok_or_else(|| refused("has to be a time in the form of RFC 3339"))?;
    // sops never writes such a time, and no age could be told from it.
    let saved_at = time.to_timestamp().ok_or_else(|| {
        refused("has to be before 9999-12-30T22:00:01Z, as every clock that is right has it")
    })?;
    Ok((time, saved_at))
}

/// The version of the sops that wrote the file; none where it does not say.
fn version(fields: &Fields<'_>, leave: Leave) -> Result<Option<Version>, FileError> {
    let text = fields.text("version")?;
    if text.is_empty() {
        let lacks = lacks(fields);
        if !lacks.is_empty() {
            return Err(FileError::Cut { lacks: format!("a version, {}", lacks.join(", ")) });
        }
        return if leave.no_version { Ok(None) } else { Err(FileError::NoVersion) };
    }
    let version = Version::parse(&text).ok().filter(is_read_by_sops);
    let rule = "has to be a version such as 3.9.0";
    version.map(Some).ok_or(FileError::BadMetadata { field: "version", rule })
}

/// Whether sops reads it too: the numbers of a preliminary version have no end in SemVer, and 64
/// bits there.
fn is_read_by_sops(version: &Version) -> bool {
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut numbers = version.pre.split('.').filter(|part| !part.is_empty()).filter(is_number);
    numbers.all(|number| number.parse::<u64>().is_ok())
}

/// Whether a version is before 3.3.0; a preliminary 3.3.0 is, and so is none at all.
fn is_before_3_3(version: Option<&Version>) -> bool {
    version.is_none_or(|version| version.cmp_precedence(&Version::new(3, 3, 0)).is_lt())
}

fn rule(fields: &Fields<'_>) -> Result<Rule, FileError> {
    let regex = |field, pattern: &str| {
        GoRegex::compile(pattern).ok_or(match pattern.len() {
            0..=MAX_PATTERN => FileError::InvalidRegex { field },
            _ => FileError::TooMuchMetadata { field, most: "1024 bytes" },
        })
    };
    let mut rule = None;
    for (field, encrypts) in RULES {
        let text = fields.text(field)?;
        if text.is_empty() {
            continue;
        }
        // Before the next one is compiled.
        if rule.is_some() {
            return Err(FileError::SeveralRules);
        }
        let matching = if field.ends_with("suffix") {
            Matching::Suffix(text)
        } else if field.ends_with("comment_regex") {
            Matching::Comments(regex(field, &text)?)
        } else {
            Matching::Keys(regex(field, &text)?)
        };
        rule = Some(Rule { matching, encrypts });
    }
    let default = Matching::Suffix(DEFAULT_UNENCRYPTED_SUFFIX.to_owned());
    Ok(rule.unwrap_or(Rule { matching: default, encrypts: false }))
}

/// The key groups: the top level's keys alone, where it has any.
fn key_groups(fields: &Fields<'_>) -> Result<KeyGroups, FileError> {
    let mut groups = vec![group(fields)?];
    if groups[0].0.is_empty() {
        let listed = fields.maps("key_groups")?;
        if listed.len() > MAX_GROUPS {
            return Err(FileError::TooMuchMetadata { field: "key_groups", most: "32 groups" });
        }
        groups = listed.iter().map(group).collect::<Result<_, FileError>>()?;
    }
    if groups.iter().all(|group| group.0.is_empty()) {
        return Err(FileError::NoKeys);
    }
    let age = groups.iter().flat_map(|group| &group.0).filter_map(|key| match key {
        MasterKey::Age(key) => Some(key.armored.len()),
        MasterKey::Other(_) => None,
    });
    if age.clone().count() > MAX_AGE_KEYS {
        return Err(FileError::TooMuchMetadata { field: "age", most: "100 recipients" });
    }
    if age.sum::<usize>() > MAX_STANZAS {
        return Err(FileError::TooMuchMetadata { field: "age", most: "128 KiB" });
    }
    Ok(KeyGroups { groups, threshold: fields.count("shamir_threshold")? })
}

/// The keys of one group.
fn group(fields: &Fields<'_>) -> Result<KeyGroup, FileError> {
    let mut keys = Vec::new();
    for kind in Kind::ALL {
        for key in fields.maps(kind.as_str())? {
            let (name, wrapped) = (name(kind, &key)?, key.text("enc")?);
            keys.push(MasterKey::Other(OtherKey { name, wrapped }));
        }
    }
    for key in fields.maps("age")? {
        let key = AgeKey { recipient: key.text("recipient")?, armored: key.text("enc")? };
        keys.push(MasterKey::Age(key));
    }
    Ok(KeyGroup(keys))
}

/// What a file says of a key that is not age's.
fn name(kind: Kind, key: &Fields<'_>) -> Result<KeyName, FileError> {
    Ok(match kind {
        Kind::Kms => KeyName::Kms(KmsName {
            arn: key.text("arn")?,
            role: key.optional("role")?,
            context: key.texts("context")?,
            profile: key.optional("aws_profile")?,
        }),
        Kind::Pgp => KeyName::Pgp { fingerprint: key.text("fp")? },
        Kind::GcpKms => KeyName::GcpKms { resource: key.text("resource_id")? },
        Kind::AzureKv => KeyName::AzureKv {
            url: key.text("vault_url")?,
            name: key.text("name")?,
            version: key.optional("version")?,
        },
        Kind::HcVault => KeyName::HcVault {
            address: key.text("vault_address")?,
            engine: key.text("engine_path")?,
            key: key.text("key_name")?,
        },
        Kind::Hckms => KeyName::Hckms { id: key.text("key_id")? },
    })
}

/// The fields of a mapping in the metadata.
struct Fields<'a>(&'a [MapItem]);

impl<'a> Fields<'a> {
    fn field(&self, name: &str) -> Option<&'a Node> {
        let matching = |same: fn(&str, &str) -> bool| {
            self.0.iter().find_map(|item| match item {
                MapItem::Entry(key, node) if same(key, name) => Some(node),
                _ => None,
            })
        };
        matching(|key, name| key == name).or_else(|| matching(str::eq_ignore_ascii_case))
    }

    /// A field's text, empty where it is missing.
    fn text(&self, name: &'static str) -> Result<String, FileError> {
        let refused = FileError::BadMetadata { field: name, rule: "has to be text" };
        self.field(name).map_or(Some(String::new()), text_of).ok_or(refused)
    }

    /// A field's text, where it has one.
    fn optional(&self, name: &'static str) -> Result<Option<String>, FileError> {
        Ok(Some(self.text(name)?).filter(|text| !text.is_empty()))
    }

    fn bool(&self, name: &'static str) -> Result<bool, FileError> {
        let refused = FileError::BadMetadata { field: name, rule: "has to be true or false" };
        match self.field(name) {
            Some(Node::Scalar(Scalar::Bool(bool))) => Ok(*bool),
            Some(Node::Scalar(Scalar::Int(int))) => Ok(*int != 0),
            Some(Node::Scalar(Scalar::Float(float))) => Ok(*float != 0.0),
            _ => match self.text(name)?.as_str() {
                "" => Ok(false),
                text => number::parse_bool(text).ok_or(refused),
            },
        }
    }

    /// A number of things, nought where it is missing.
    fn count(&self, name: &'static str) -> Result<usize, FileError> {
        let rule = "has to be a number from 0 to 255";
        let text = self.text(name)?;
        let count = if text.is_empty() { Some(0) } else { number::parse_int(&text) };
        count
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| *count <= MAX_THRESHOLD)
            .ok_or(FileError::BadMetadata { field: name, rule })
    }

    /// A mapping of texts, empty where it is missing.
    fn texts(&self, name: &'static str) -> Result<BTreeMap<String, String>, FileError> {
        let refused =
            || FileError::BadMetadata { field: name, rule: "has to be a mapping of text" };
        let fields = match self.field(name) {
            None | Some(Node::Scalar(Scalar::Null)) => return Ok(BTreeMap::new()),
            Some(Node::Map(fields)) => fields,
            Some(_) => return Err(refused()),
        };
        let mut texts = BTreeMap::new();
        for item in fields {
            let MapItem::Entry(key, node) = item else { continue };
            let text = text_of(node).filter(|_| !matches!(node, Node::Scalar(Scalar::Null)));
            texts.insert(key.clone(), text.ok_or_else(refused)?);
        }
        Ok(texts)
    }

    /// A list of mappings; a mapping alone is a list of one.
    fn maps(&self, name: &'static str) -> Result<Vec<Fields<'a>>, FileError> {
        let refused = || FileError::BadMetadata { field: name, rule: "has to be a list" };
        match self.field(name) {
            None | Some(Node::Scalar(Scalar::Null)) => Ok(Vec::new()),
            Some(Node::Map(fields)) if fields.is_empty() => Ok(Vec::new()),
            Some(Node::Map(fields)) => Ok(vec![Fields(fields)]),
            Some(Node::List(items)) => items
                .iter()
                .filter_map(|item| match item {
                    ListItem::Comment(_) => None,
                    ListItem::Element(Node::Map(fields)) => Some(Ok(Fields(fields))),
                    ListItem::Element(_) => Some(Err(refused())),
                })
                .collect(),
            Some(Node::Scalar(_)) => Err(refused()),
        }
    }
}

/// The text of a scalar, whatever its type; of null, none at all.
fn text_of(node: &Node) -> Option<String> {
    match node {
        Node::Scalar(Scalar::Null) => Some(String::new()),
        Node::Scalar(Scalar::Text(bytes)) => String::from_utf8(bytes.clone()).ok(),
        Node::Scalar(Scalar::Bool(bool)) => Some(u8::from(*bool).to_string()),
        Node::Scalar(Scalar::Int(int)) => Some(int.to_string()),
        Node::Scalar(Scalar::Float(float)) => Some(number::positional(*float)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_of(text: &str) -> Result<Option<Version>, FileError> {
        let text = Node::Scalar(Scalar::Text(text.as_bytes().to_vec()));
        version(&Fields(&[MapItem::Entry("version".to_owned(), text)]), Leave::ALL)
    }

    #[test]
    fn a_version_is_one_that_sops_can_compare() {
        for good in [
            "3.0.0",
            "3.13.3",
            "3.9.0-rc.1",
            "10.0.0+build",
            "3.9.0--1",
            "3.9.0-0a",
            "3.9.0-18446744073709551615",
            "3.9.0+01",
            "18446744073709551615.0.0",
        ] {
            assert!(matches!(version_of(good), Ok(Some(_))), "{good} was refused");
        }
        for bad in [
            "3",
            "3.1",
            "3.01.0",
            "3.1.0.0",
            "3..0",
            "a.b.c",
            "v3.1.0",
            " 3.9.0",
            "=3.9.0",
            "3.9.0-",
            "3.9.0+",
            "3.9.0-!!",
            "3.9.0-01",
            "3.9.0-a..b",
            "3.9.0+a..b",
            "3.9.0-99999999999999999999",
            "99999999999999999999.0.0",
        ] {
            assert!(version_of(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_file_of_before_3_3_is_told_from_later_ones() {
        assert!(is_before_3_3(None), "one that does not say");
        let is_old = |text| is_before_3_3(version_of(text).unwrap().as_ref());
        for old in ["0.0.1", "2.9.9", "3.2.99", "3.3.0-rc.1", "3.3.0-rc.1+build"] {
            assert!(is_old(old), "{old}");
        }
        for new in ["3.3.0", "3.3.0+build", "3.13.3", "3.9.0-rc.1", "10.0.0"] {
            assert!(!is_old(new), "{new}");
        }
    }
}
