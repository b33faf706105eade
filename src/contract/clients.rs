//! The file of clients: who they are, and what is kept of their secrets. It holds no secret.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::identity::ClientSecret;
use crate::domain::names::Label;

/// All clients: a mapping with `clients`, or the bare list of entries, as one has it who appends
/// what `vanta-cli client hash` prints to a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientsFile {
    /// In no particular order.
    pub clients: Vec<ClientEntry>,
}

/// One credential of one client; a client with two entries is changing its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEntry {
    /// The client.
    pub name: Label,
    /// What the audit calls this credential.
    pub id: String,
    /// The SHA-256 of the secret's text, 64 hexadecimal digits.
    pub sha256: String,
    /// When the credential ends, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<jiff::Timestamp>,
    /// Whether whoever shows it is an administrator.
    #[serde(default, skip_serializing_if = "is_not")]
    pub administrator: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_not(flag: &bool) -> bool {
    !flag
}

impl ClientEntry {
    /// The entry of a secret, which does not end and is no administrator's.
    pub fn new(name: Label, id: String, secret: &ClientSecret) -> Self {
        let digits = secret.sha256().map(|byte| format!("{byte:02x}"));
        Self { name, id, sha256: digits.concat(), expires_at: None, administrator: false }
    }

    /// The entry as an item of a YAML list, to be appended to the file.
    pub fn yaml(&self) -> String {
        // A string of JSON is one of YAML. Quoted, since an id such as 1234 or 1e10 would be a
        // number.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let end = self.expires_at.map(|end| quoted(&end.to_string()));
        let end = end.map(|end| format!("  expires_at: {end}\n")).unwrap_or_default();
        let administrator = if self.administrator { "  administrator: true\n" } else { "" };
        format!(
            "- name: {}\n  id: {}\n  sha256: {}\n{end}{administrator}",
            quoted(self.name.as_str()),
            quoted(&self.id),
            quoted(&self.sha256)
        )
    }
}

impl<'de> Deserialize<'de> for ClientsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Mapping {
            clients: Vec<ClientEntry>,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ClientsFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`clients:` with a list of entries, or the list alone")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClientsFile, A::Error> {
                let Mapping { clients } = Mapping::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ClientsFile { clients })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ClientsFile, A::Error> {
                let clients = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(ClientsFile { clients })
            }
        }

        deserializer.deserialize_any(Either)
    }
}
