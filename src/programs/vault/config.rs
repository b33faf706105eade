//! Arguments as said, then configuration as meant; the name of each variable is here alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::adapters::files::{ReadError, is_readable_by_others, read_bounded};
use crate::adapters::jwt::{KeyRing, KeyRingError};
use crate::adapters::serve::TlsFiles;
use crate::adapters::sops::{Identities, IdentityError, Leave, SharedIdentities};
use crate::domain::names::{Label, ObjectName};

/// The variables that hold a secret. They are no flags, since arguments are seen by everybody.
const SIGNING_KEY: &str = "VANTA_JWT_SECRET_KEY";
const SIGNING_KEY_FILE: &str = "VANTA_JWT_SECRET_KEY_FILE";
const AGE_KEY: &str = "SOPS_AGE_KEY";
const AGE_KEY_FILE: &str = "SOPS_AGE_KEY_FILE";

/// The longest file of a signing key.
const MAX_KEY_FILE_BYTES: u64 = 1024 * 1024;

/// What to do where no identity opens an environment.
pub(super) const IDENTITY_ADVICE: &str = "put the identity of one of the file's recipients into \
    VANTA_AGE_IDENTITIES_PATH/{environment}.txt, or, for all environments without such a file, \
    into SOPS_AGE_KEY_FILE or SOPS_AGE_KEY";

/// Serves secrets from SOPS-encrypted files to whoever the grants allow them, and records it.
#[derive(Debug, Parser)]
#[command(
    name = "vanta-vault",
    version,
    after_help = "\
Variables that hold a secret, and so are no options:
  VANTA_JWT_SECRET_KEY       the key that signs access tokens, at least 32 random bytes
  VANTA_JWT_SECRET_KEY_FILE  a file that holds it
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
    Dev(DevArgs),
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
    namespace: Option<Label>,
}

impl SigningKeyArgs {
    /// The cluster that the Secret is made in.
    pub(super) fn cluster(&self) -> ClusterConfig {
        ClusterConfig { namespace: self.namespace.clone() }
    }
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
    /// The folder of SOPS files, `{environment}.enc.yaml` or `.json`
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
    /// What to log: a level, or directives such as `vanta=debug,info`
    #[arg(long, env = "VANTA_LOG", default_value = "info")]
    pub(super) log: String,
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
    /// The folder of the state database
    #[arg(long, env = "VANTA_STATE_PATH")]
    pub(super) state_path: Option<PathBuf>,
    /// The folder of the audit
    #[arg(long, env = "VANTA_AUDIT_PATH")]
    pub(super) audit_path: Option<PathBuf>,
    /// The serving certificate and its chain, PEM
    #[arg(long, env = "VANTA_TLS_CERT_FILE", requires = "tls_key_file")]
    pub(super) tls_cert_file: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, env = "VANTA_TLS_KEY_FILE", requires = "tls_cert_file")]
    pub(super) tls_key_file: Option<PathBuf>,
    /// This replica's name in the audit
    #[arg(long, env = "VANTA_REPLICA", default_value = "vanta-vault")]
    pub(super) replica: String,
}

/// The vault's configuration, whole and checked as far as can be done without opening anything.
pub(super) struct Config {
    pub(super) listen: SocketAddr,
    pub(super) health_listen: SocketAddr,
    pub(super) tls: Option<TlsFiles>,
    pub(super) sources: Sources,
    pub(super) cluster: Option<ClusterConfig>,
    pub(super) clients_file: Option<PathBuf>,
    pub(super) state_path: PathBuf,
    pub(super) audit_path: PathBuf,
    pub(super) replica: String,
    pub(super) ring: KeyRing,
}

/// The cluster that the vault runs in.
pub(super) struct ClusterConfig {
    /// The vault's own namespace, where it is not the pod's.
    pub(super) namespace: Option<Label>,
}

/// Where secrets and grants come from; what is in no folder is the cluster's.
pub(super) struct Sources {
    pub(super) sops_files_path: Option<PathBuf>,
    pub(super) access_path: Option<PathBuf>,
    pub(super) age_identities_path: Option<PathBuf>,
    pub(super) shared_identities: SharedIdentities,
    pub(super) leave: Leave,
}

impl Sources {
    /// Warns of identity files that every user of the machine can read.
    pub(super) fn warn_of_open_files(&self) {
        let what = "a file of age identities";
        if let SharedIdentities::File(file) = &self.shared_identities {
            warn_where_open(file, what);
        }
        // A folder that cannot be listed is told of where an environment needs it.
        let folder = self.age_identities_path.as_ref().map(std::fs::read_dir);
        for entry in folder.into_iter().flatten().flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "txt") {
                warn_where_open(&entry.path(), what);
            }
        }
    }
}

/// What is wrong with the configuration, and what to do. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("{option} is needed ({variable}): {what}")]
    Missing { option: &'static str, variable: &'static str, what: &'static str },
    #[error("{0} and {1} are both set: set one, so that it is clear which holds")]
    Both(&'static str, &'static str),
    #[error(
        "--kubernetes (VANTA_KUBERNETES) and --access-path (VANTA_ACCESS_PATH) are both set: the \
         SecretAccesses and SecretPolicies are those of the cluster or those of a folder; leave one \
         out"
    )]
    TwoSourcesOfGrants,
    #[error("no key to sign tokens with: set {SIGNING_KEY_FILE} or {SIGNING_KEY}")]
    NoSigningKey,
    #[error("{0} of variable {1} cannot be used: {2}")]
    SigningKey(&'static str, &'static str, KeyRingError),
    #[error("{AGE_KEY} cannot be used: {0}")]
    AgeKey(IdentityError),
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: ReadError },
    #[error(
        "{0} is not a loopback address, and tokens and secrets would cross the network in clear: give --tls-cert-file and --tls-key-file"
    )]
    PlainHttp(SocketAddr),
    #[error(
        "`dev` serves plain HTTP to a well-known key, so it listens on loopback alone, not on {0}"
    )]
    DevNotLoopback(SocketAddr),
    #[error("no folder for dev's data: HOME is not set; give --data")]
    NoDataFolder,
}

impl ServeArgs {
    /// The configuration that the arguments and variables mean.
    pub(super) fn config(self) -> Result<Config, ConfigError> {
        let needed = |path: Option<PathBuf>, option, variable, what| {
            path.ok_or(ConfigError::Missing { option, variable, what })
        };
        let tls = self.tls_cert_file.zip(self.tls_key_file);
        let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
        if tls.is_none() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        if self.kubernetes && self.sources.access_path.is_some() {
            return Err(ConfigError::TwoSourcesOfGrants);
        }
        Ok(Config {
            listen: self.listen,
            health_listen: self.health_listen,
            tls,
            sources: self.sources.resolve(None, self.kubernetes)?,
            cluster: self.kubernetes.then_some(ClusterConfig { namespace: self.namespace }),
            clients_file: self.clients_file,
            state_path: needed(
                self.state_path,
                "--state-path",
                "VANTA_STATE_PATH",
                "the folder of the state database",
            )?,
            audit_path: needed(
                self.audit_path,
                "--audit-path",
                "VANTA_AUDIT_PATH",
                "the folder of the audit",
            )?,
            replica: self.replica,
            ring: signing_key()?,
        })
    }
}

/// What `dev` uses where nothing is named.
pub(super) struct Examples {
    pub(super) sops_files_path: PathBuf,
    pub(super) access_path: PathBuf,
    pub(super) age_key_file: PathBuf,
}

impl SourceArgs {
    /// The sources that are named; what is not named is the example or the cluster's, where there
    /// is one.
    pub(super) fn resolve(
        self,
        examples: Option<&Examples>,
        in_cluster: bool,
    ) -> Result<Sources, ConfigError> {
        let needed = |path: Option<PathBuf>, example: Option<&Path>, option, variable, what| {
            let path = path.or(example.map(Path::to_owned));
            if path.is_none() && !in_cluster {
                return Err(ConfigError::Missing { option, variable, what });
            }
            Ok(path)
        };
        // The throwaway key opens the example files alone.
        let example_files = self.sops_files_path.is_none();
        let key_file = examples.filter(|_| example_files).map(|examples| &examples.age_key_file);
        let allowed = |what| self.sops_allow.contains(&what);
        Ok(Sources {
            leave: Leave {
                plain_values: allowed(SopsAllow::PlainValues),
                plain_empty_strings: allowed(SopsAllow::PlainEmptyStrings),
                leaves_below_lists: allowed(SopsAllow::LeavesBelowLists),
                mac_only_encrypted: allowed(SopsAllow::MacOnlyEncrypted),
            },
            shared_identities: match key_file {
                Some(file) => SharedIdentities::File(file.clone()),
                None => shared_identities()?,
            },
            sops_files_path: needed(
                self.sops_files_path,
                examples.map(|examples| examples.sops_files_path.as_path()),
                "--sops-files-path",
                "VANTA_SOPS_FILES_PATH",
                "the folder of SOPS files",
            )?,
            access_path: needed(
                self.access_path,
                examples.map(|examples| examples.access_path.as_path()),
                "--access-path",
                "VANTA_ACCESS_PATH",
                "the folder of SecretAccess and SecretPolicy objects",
            )?,
            age_identities_path: self.age_identities_path,
        })
    }
}

impl DevArgs {
    /// The folder for dev's data.
    pub(super) fn data_folder(&self) -> Result<PathBuf, ConfigError> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let state = variable("XDG_STATE_HOME").map(PathBuf::from);
        let state =
            state.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/state")));
        state.map(|state| state.join("vanta/dev")).ok_or(ConfigError::NoDataFolder)
    }
}

fn signing_key() -> Result<KeyRing, ConfigError> {
    let (key, source) = match (variable(SIGNING_KEY), variable(SIGNING_KEY_FILE)) {
        (Some(_), Some(_)) => return Err(ConfigError::Both(SIGNING_KEY, SIGNING_KEY_FILE)),
        (None, None) => return Err(ConfigError::NoSigningKey),
        (Some(text), None) => (text.into_bytes(), ("the value", SIGNING_KEY)),
        (None, Some(path)) => (read(Path::new(&path))?, ("the file", SIGNING_KEY_FILE)),
    };
    let key = zeroize::Zeroizing::new(key);
    KeyRing::from_bytes(&key).map_err(|error| ConfigError::SigningKey(source.0, source.1, error))
}

fn shared_identities() -> Result<SharedIdentities, ConfigError> {
    match (variable(AGE_KEY), variable(AGE_KEY_FILE)) {
        (Some(_), Some(_)) => Err(ConfigError::Both(AGE_KEY, AGE_KEY_FILE)),
        (None, None) => Ok(SharedIdentities::None),
        (None, Some(path)) => Ok(SharedIdentities::File(path.into())),
        (Some(text), None) => {
            let text = zeroize::Zeroizing::new(text);
            let identities = Identities::parse(&text).map_err(ConfigError::AgeKey)?;
            Ok(SharedIdentities::Given(Arc::new(identities)))
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let read = read_bounded(path, MAX_KEY_FILE_BYTES);
    warn_where_open(path, "the file of the signing key");
    read.map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Warns where a file that holds a secret can be read by every user of the machine.
fn warn_where_open(path: &Path, what: &str) {
    if is_readable_by_others(path) {
        let path = path.display();
        tracing::warn!(%path, "{what} can be read by every user: run `chmod o-r` on it");
    }
}

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "this is the program's config.rs")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
