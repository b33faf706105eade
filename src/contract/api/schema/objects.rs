//! What has fields: a form that derives the schema stands beside each type of the domain, whose
//! fields and theirs a test compares.
#![expect(dead_code, reason = "a form is looked at by the derive alone")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Referred;
use crate::domain::checkpoint::{Checkpoint, Removal};
use crate::domain::claims::{Granted, Scope, TokenId};
use crate::domain::grants::{FileForm, FileFormat, Permission};
use crate::domain::held::Held;
use crate::domain::identity::{PodReference, Subject};
use crate::domain::names::{Environment, Key, Label, ObjectName};
use crate::domain::pattern::{GrantedPattern, KeyPattern};
use crate::domain::record::{Entry, Event, Outcome};
use crate::domain::relative_path::RelativePath;

/// Gives types of the domain the schemas of their forms.
macro_rules! as_formed {
    ($($type:ident = $form:ident;)*) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    $form::schema()
                }
            }

            impl ToSchema for $type {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn schemas(referred: &mut Referred) {
                    $form::schemas(referred);
                }
            }
        )*
    };
}

as_formed! {
    Scope = ScopeForm;
    Granted = GrantedForm;
    PodReference = PodReferenceForm;
    FileForm = FileFormForm;
    Entry = EntryForm;
    Checkpoint = CheckpointForm;
    Removal = RemovalForm;
    Held = HeldForm;
}

/// What an access token may be used for. It bounds a read; the grants of the moment bound it too.
#[derive(ToSchema)]
struct ScopeForm {
    /// The one environment.
    environment: Environment,
    /// The keys that were asked for.
    key_pattern: KeyPattern,
    /// What was asked for and granted.
    permissions: Vec<Permission>,
    /// What the grants allowed at issue.
    granted: Granted,
}

/// The keys that each permission was granted for: a key must match one pattern of the permission.
#[derive(ToSchema)]
struct GrantedForm {
    /// Those whose values may be read.
    #[schema(required = false)]
    read: Vec<GrantedPattern>,
    /// Those whose names may be listed.
    #[schema(required = false)]
    list: Vec<GrantedPattern>,
}

/// The pod that a token is bound to.
#[derive(ToSchema)]
struct PodReferenceForm {
    /// The pod's namespace.
    namespace: Label,
    /// The pod's name.
    name: ObjectName,
    /// The pod's uid.
    uid: String,
}

/// How the values of a grant are laid down as a file.
#[derive(ToSchema)]
struct FileFormForm {
    /// The path below the secrets folder.
    path: RelativePath,
    /// The text form.
    format: FileFormat,
    /// Other names for some keys: key to name.
    #[schema(required = false)]
    rename: BTreeMap<String, Key>,
}

/// One line of the audit, in its place in one replica's chain. Absent fields were not known.
#[derive(ToSchema)]
struct EntryForm {
    /// Counts from 1 without a gap.
    #[schema(minimum = 1)]
    sequence: u64,
    /// The SHA-256 of the line before, as hexadecimal digits; zeros for the first.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    previous: String,
    /// The replica that wrote it.
    replica: String,
    /// When it was decided.
    time: Timestamp,
    /// What was attempted.
    event: Event,
    /// What was decided.
    outcome: Outcome,
    /// Why, in the words of a problem's kind or of the grants.
    #[schema(required = false)]
    reason: String,
    /// Whose identity was proved.
    #[schema(required = false)]
    subject: Subject,
    /// Which of the subject's credentials proved it.
    #[schema(required = false)]
    credential_id: String,
    /// The pod that the proof is bound to.
    #[schema(required = false)]
    pod: PodReference,
    /// The access token.
    #[schema(required = false)]
    jti: TokenId,
    /// The environment.
    #[schema(required = false)]
    environment: Environment,
    /// The keys whose values or names the answer carries, or the one that was refused.
    #[schema(required = false)]
    keys: Vec<Key>,
    /// The key pattern that was asked for.
    #[schema(required = false)]
    key_pattern: KeyPattern,
    /// The revision of what the answer carries.
    #[schema(required = false)]
    revision: String,
    /// Where the request came from: an IP address.
    #[schema(required = false)]
    client_address: String,
    /// The request, as in the answer and the log.
    #[schema(required = false)]
    request_id: String,
    /// How many others are told of by this record, and have none of their own: failures of callers
    /// that proved nothing, or failures like this one.
    #[schema(required = false, minimum = 1)]
    left_out: u64,
    /// The last sequence of the entries that were removed.
    #[schema(required = false)]
    removed_through: u64,
    /// What proves that the vault removed them.
    #[schema(required = false)]
    removal: Removal,
}

/// What a holder was last given.
#[derive(ToSchema)]
struct HeldForm {
    /// Who holds it.
    subject: Subject,
    /// The pod, where the proof was bound to one.
    #[schema(nullable = false)]
    pod: Option<PodReference>,
    /// The environment.
    environment: Environment,
    /// What was asked for: a key pattern, or one key.
    scope: String,
    /// The keys whose values were given, and not since.
    keys: Vec<Key>,
    /// Other keys of the same answer, which the holder was given again since.
    #[schema(required = false)]
    given_again: Vec<Key>,
    /// The revision of the values of them all.
    revision: String,
    /// When it was given.
    time: Timestamp,
}

/// The end of a replica's chain at a moment, and the signature over it (Ed25519).
#[derive(ToSchema)]
struct CheckpointForm {
    /// The replica whose chain it is.
    replica: String,
    /// The sequence of the last entry.
    sequence: u64,
    /// The hash of its line.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    /// When it was signed.
    time: Timestamp,
    /// The key that the signature is of.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    public_key: String,
    /// The signature.
    #[schema(pattern = "^[0-9a-f]{128}$")]
    signature: String,
}

/// The vault's word, signed (Ed25519), that it removed the entries up to a head.
#[derive(ToSchema)]
struct RemovalForm {
    /// The replica that removed them.
    replica: String,
    /// The sequence of the last entry that was removed.
    sequence: u64,
    /// The hash of its line.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    /// When they were removed.
    time: Timestamp,
    /// The key that the signature is of.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    public_key: String,
    /// The signature.
    #[schema(pattern = "^[0-9a-f]{128}$")]
    signature: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contract::api::schema::words::words;
    use crate::domain::checkpoint::Head;
    use crate::domain::record::Record;

    fn assert_fields<T: PartialSchema>(fields: &[&[&str]]) {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let described: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(described, fields.concat().into_iter().collect());
    }

    #[test]
    fn a_schema_has_the_fields_of_its_type() {
        assert_fields::<Scope>(&[words::<Scope>()]);
        assert_fields::<Granted>(&[words::<Granted>()]);
        assert_fields::<PodReference>(&[words::<PodReference>()]);
        assert_fields::<FileForm>(&[words::<FileForm>()]);
        assert_fields::<Entry>(&[words::<Record>(), &["sequence", "previous", "replica"]]);
        assert_fields::<Held>(&[words::<Held>()]);
        assert_fields::<Checkpoint>(&[words::<Head>(), &["public_key", "signature"]]);
        assert_fields::<Removal>(&[words::<Head>(), &["public_key", "signature"]]);
    }
}
