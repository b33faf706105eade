//! Arguments as said; what they mean is in `config`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::freshness::{ISSUE_LIMIT, READ_LIMIT};
use crate::adapters::sops::{AcceptedVersion, Leave};
use crate::domain::names::{Label, ObjectName};

/// Serves secrets from SOPS-encrypted files to whoever the grants allow them, and records it.
#[derive(Debug, Parser)]
#[command(
    name = "vanta-vault",
    version,
    after_help = "\
Variables that hold a secret, and so are no options:
  VANTA_JWT_SECRET_KEY       the key that signs access tokens, at least 32 random bytes, or a JWK Set
  VANTA_JWT_SECRET_KEY_FILE  a file that holds it, which is read again when it changes
  VANTA_STATE_URL            the PostgreSQL that replicas share, postgres://USER:PASSWORD@HOST/DATABASE
  VANTA_STATE_URL_FILE       a file that holds its URL
  SOPS_AGE_KEY               age identities that open the SOPS files
  SOPS_AGE_KEY_FILE          a file that holds them"
)]
pub(super) struct VaultArgs {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

impl VaultArgs {
    /// What to log.
    pub(super) fn log(&self) -> &str {
        match &self.command {
            Some(Command::Dev(dev)) => &dev.sources.log,
            Some(Command::SigningKey(_)) | None => &self.serve.sources.log,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve on this machine alone, with nothing to configure: HTTP on loopback, a fresh signing
    /// key, a client of its own, and the example secrets unless others are named
    Dev(Box<DevArgs>),
    /// Make the Secret of the key that signs tokens, once for a cluster; one that is there stays
    SigningKey(SigningKeyArgs),
}

#[derive(Debug, Args)]
pub(super) struct SigningKeyArgs {
    /// The name of the Secret, whose key `signing-key` holds it
    #[arg(long)]
    pub(super) create_secret: ObjectName,
    /// The Secret's namespace; the pod's own when absent
    #[arg(long, env = "VANTA_NAMESPACE")]
    pub(super) namespace: Option<Label>,
}

#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, env = "VANTA_LISTEN", default_value = "127.0.0.1:8200")]
    pub(super) listen: SocketAddr,
    /// The folder for all that it writes, `env` for the CLI among it
    /// [default: vanta/dev in the user's state folder]
    #[arg(long)]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
}

#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// The folder of SOPS files, `{environment}.enc.yaml`, `.json`, `.env`, `.ini` or `.bin`
    #[arg(long, env = "VANTA_SOPS_FILES_PATH")]
    pub(super) sops_files_path: Option<PathBuf>,
    /// The folder of SecretAccess and SecretPolicy objects as YAML
    #[arg(long, env = "VANTA_ACCESS_PATH")]
    pub(super) access_path: Option<PathBuf>,
    /// A folder of age identity files, `{environment}.txt`, each for its environment alone
    #[arg(long, env = "VANTA_AGE_IDENTITIES_PATH")]
    pub(super) age_identities_path: Option<PathBuf>,
    /// What to allow of a SOPS file beyond what the format authenticates
    #[arg(long, env = "VANTA_SOPS_ALLOW", value_delimiter = ',', value_enum)]
    pub(super) sops_allow: Vec<SopsAllow>,
    #[command(flatten)]
    pub(super) authorship: AuthorshipArgs,
    #[command(flatten)]
    pub(super) master_keys: MasterKeyArgs,
    /// What to log: a level, or directives such as `vanta=debug,info`
    #[arg(long, env = "VANTA_LOG", default_value = "info")]
    pub(super) log: String,
}

#[derive(Debug, Args)]
pub(super) struct AuthorshipArgs {
    /// Which files have to say of which environment they are, in an encrypted `_vanta_environment`
    /// [default: shared, and never in dev]
    #[arg(
        long = "sops-require-environment-leaf",
        env = "VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF",
        value_enum
    )]
    pub(super) require_environment_leaf: Option<LeafOf>,
    /// What becomes of a file that is older than one that was served
    #[arg(long = "sops-rollback", env = "VANTA_SOPS_ROLLBACK", value_enum, default_value_t = OnRollback::Alarm)]
    pub(super) rollback: OnRollback,
    /// Older files to take on purpose, by what they say of themselves
    #[arg(
        long = "sops-accept-rollback",
        env = "VANTA_SOPS_ACCEPT_ROLLBACK",
        value_delimiter = ',',
        value_name = "ENVIRONMENT@LASTMODIFIED"
    )]
    pub(super) accept_rollback: Vec<AcceptedVersion>,
    /// A file in the form of ssh's allowed signers, one of whom has to have signed each SOPS file
    #[arg(long = "sops-trusted-signers", env = "VANTA_SOPS_TRUSTED_SIGNERS", value_name = "FILE")]
    pub(super) trusted_signers: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LeafOf {
    /// None; one that is there has to be right all the same
    Never,
    /// Of environments without an identity of their own
    Shared,
    /// All
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnRollback {
    /// It is served, with an alarm
    Alarm,
    /// It is refused, with an alarm
    Deny,
}

#[derive(Debug, Args)]
pub(super) struct MasterKeyArgs {
    /// The master keys beside age's that sops may be asked to decrypt data keys by: entries such as
    /// `pgp:FINGERPRINT` or `kms:ARN`, divided by commas or white space
    #[arg(long, env = "VANTA_SOPS_ALLOWED_KEYS", value_name = "KEYS")]
    pub(super) sops_allowed_keys: Option<String>,
    /// The program sops, which is asked for them
    #[arg(long, env = "VANTA_SOPS_PROGRAM", value_name = "PROGRAM", default_value = "sops")]
    pub(super) sops_program: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SopsAllow {
    /// Values that the file's rule leaves plain
    PlainValues,
    /// Plain empty values where the file's rule encrypts
    PlainEmptyStrings,
    /// Values below a list
    LeavesBelowLists,
    /// Files whose MAC covers only encrypted values
    MacOnlyEncrypted,
    /// Files that say no version of sops
    NoVersion,
}

impl SopsAllow {
    /// What these allow together.
    pub(super) fn leave(allowed: &[Self]) -> Leave {
        let allowed = |what| allowed.contains(&what);
        Leave {
            plain_values: allowed(Self::PlainValues),
            plain_empty_strings: allowed(Self::PlainEmptyStrings),
            leaves_below_lists: allowed(Self::LeavesBelowLists),
            mac_only_encrypted: allowed(Self::MacOnlyEncrypted),
            no_version: allowed(Self::NoVersion),
        }
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    /// Run in a cluster: service accounts prove who they are with their tokens, SecretAccesses and
    /// SecretPolicies are those of the cluster, and the SOPS files, unless a folder is named, are
    /// those of the ConfigMaps labelled `vanta.dev/sops=true` in the vault's own namespace
    #[arg(long, env = "VANTA_KUBERNETES", value_parser = BoolishValueParser::new())]
    pub(super) kubernetes: bool,
    /// The vault's own namespace; the pod's own when absent
    #[arg(long, env = "VANTA_NAMESPACE")]
    pub(super) namespace: Option<Label>,
    /// Where to listen; TLS is needed for all but a loopback address
    #[arg(long, env = "VANTA_LISTEN", default_value = "0.0.0.0:8443")]
    pub(super) listen: SocketAddr,
    /// Where to answer `/healthz`, `/readyz` and `/metrics`
    #[arg(long, env = "VANTA_HEALTH_LISTEN", default_value = "0.0.0.0:9090")]
    pub(super) health_listen: SocketAddr,
    /// The file of clients and the hashes of their secrets
    #[arg(long, env = "VANTA_CLIENTS_FILE")]
    pub(super) clients_file: Option<PathBuf>,
    /// The file of OIDC issuers, whose ID tokens prove who a caller is
    #[arg(long, env = "VANTA_OIDC_FILE")]
    pub(super) oidc_file: Option<PathBuf>,
    /// After how many seconds without news of the grants nothing is read any more
    #[arg(
        long,
        env = "VANTA_GRANTS_STALE_AFTER",
        value_name = "SECONDS",
        default_value_t = READ_LIMIT.as_secs(),
        value_parser = clap::value_parser!(u64).range(ISSUE_LIMIT.as_secs()..=24 * 60 * 60)
    )]
    pub(super) grants_stale_after: u64,
    /// The folder of the state database, of one replica alone; replicas share VANTA_STATE_URL
    #[arg(long, env = "VANTA_STATE_PATH")]
    pub(super) state_path: Option<PathBuf>,
    /// The folder of the audit
    #[arg(long, env = "VANTA_AUDIT_PATH")]
    pub(super) audit_path: Option<PathBuf>,
    /// How large a file of the audit gets, in MiB, before a new one is begun
    #[arg(long, env = "VANTA_AUDIT_MAX_MIB", default_value = "64")]
    pub(super) audit_max_mib: NonZeroU32,
    /// How large the spool of an audit in PostgreSQL gets, in MiB
    #[arg(long, env = "VANTA_AUDIT_SPOOL_MAX_MIB", default_value = "768")]
    pub(super) audit_spool_max_mib: NonZeroU32,
    /// How many full files of the audit to keep; all without it
    #[arg(long, env = "VANTA_AUDIT_KEEP")]
    pub(super) audit_keep: Option<NonZeroU32>,
    /// Write the audit's lines to standard output too
    #[arg(long, env = "VANTA_AUDIT_STDOUT", value_parser = BoolishValueParser::new())]
    pub(super) audit_stdout: bool,
    /// The serving certificate and its chain, PEM
    #[arg(long, env = "VANTA_TLS_CERT_FILE", requires = "tls_key_file")]
    pub(super) tls_cert_file: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, env = "VANTA_TLS_KEY_FILE", requires = "tls_cert_file")]
    pub(super) tls_key_file: Option<PathBuf>,
    /// How many tokens one identity, a pod or a client, may ask for in a minute
    #[arg(long, env = "VANTA_ISSUES_PER_MINUTE", default_value = "60")]
    pub(super) issues_per_minute: NonZeroU32,
    /// This replica's name in the audit
    #[arg(long, env = "VANTA_REPLICA", default_value = "vanta-vault")]
    pub(super) replica: String,
}
