//! Configuration as meant, from arguments as said; each variable that is no option is named here
//! alone.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::args::{DevArgs, ServeArgs, SigningKeyArgs, SopsAllow, SourceArgs};
use super::identity_sources::warn_where_open;
use super::master_keys::{Inherited, MasterKeys, MasterKeysError};
use crate::adapters::audit::Rotation;
use crate::adapters::files::{ReadError, read_bounded};
use crate::adapters::jwt::{KeyRing, KeyRingError};
use crate::adapters::serve::{TlsFiles, TraceSettings};
use crate::adapters::sops::{Authorship, Identities, IdentityError, Leave, SharedIdentities};
use crate::adapters::state::StateSource;
use crate::domain::names::Label;

/// The variables that hold a secret. They are no flags, since arguments are seen by everybody.
const SIGNING_KEY: &str = "VANTA_JWT_SECRET_KEY";
const SIGNING_KEY_FILE: &str = "VANTA_JWT_SECRET_KEY_FILE";
const STATE_URL: &str = "VANTA_STATE_URL";
const STATE_URL_FILE: &str = "VANTA_STATE_URL_FILE";
pub(super) const AGE_KEY: &str = "SOPS_AGE_KEY";
pub(super) const AGE_KEY_FILE: &str = "SOPS_AGE_KEY_FILE";

/// What the file of the signing keys is called where something is wrong with it.
const SIGNING_KEY_IS: &str = "the file of the signing key";

/// The longest file of a signing key.
const MAX_KEY_FILE_BYTES: u64 = 1024 * 1024;

/// The vault's configuration, whole and checked as far as can be done without opening anything.
pub(super) struct Config {
    pub(super) listen: SocketAddr,
    pub(super) health_listen: SocketAddr,
    pub(super) tls: Option<TlsFiles>,
    pub(super) sources: Sources,
    pub(super) cluster: Option<ClusterConfig>,
    /// Of clients and the hashes of their secrets.
    pub(super) clients_file: Option<PathBuf>,
    /// Of OIDC issuers.
    pub(super) oidc_file: Option<PathBuf>,
    /// How long reads are answered without news of the grants.
    pub(super) grants_stale_after: Duration,
    pub(super) state: StateSource,
    pub(super) audit: AuditConfig,
    pub(super) issues_per_minute: NonZeroU32,
    pub(super) signing_keys: SigningKeys,
}

/// Where the audit goes, and in what form.
pub(super) struct AuditConfig {
    /// Its folder; where it is in a database, that of what could not be written there yet.
    pub(super) folder: Option<PathBuf>,
    /// This replica's name in it.
    pub(super) replica: String,
    pub(super) rotation: Rotation,
    /// How many bytes may wait for PostgreSQL.
    pub(super) most_spooled: u64,
    /// Whether its lines go to standard output too.
    pub(super) stdout: bool,
}

/// The keys that sign tokens, and the file to look at for others.
pub(super) struct SigningKeys {
    pub(super) ring: KeyRing,
    pub(super) file: Option<PathBuf>,
}

/// The cluster that the vault runs in.
pub(super) struct ClusterConfig {
    /// The vault's own namespace, where it is not the pod's.
    pub(super) namespace: Option<Label>,
}

impl SigningKeyArgs {
    /// The cluster that the Secret is made in.
    pub(super) fn cluster(&self) -> ClusterConfig {
        ClusterConfig { namespace: self.namespace.clone() }
    }
}

/// Where secrets and grants come from; what is in no folder is the cluster's.
pub(super) struct Sources {
    pub(super) sops_files_path: Option<PathBuf>,
    pub(super) access_path: Option<PathBuf>,
    pub(super) age_identities_path: Option<PathBuf>,
    pub(super) shared_identities: SharedIdentities,
    /// Whether the shared identities are the example's, which no variable names.
    pub(super) with_example_key: bool,
    pub(super) leave: Leave,
    pub(super) authorship: Authorship,
    /// None where no master key but age's is allowed.
    pub(super) master_keys: Option<MasterKeys>,
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
    #[error(
        "--audit-keep (VANTA_AUDIT_KEEP) is for an audit in a folder, and beside a state in \
         PostgreSQL the audit is a table, which keeps all: leave it out, and archive chains that \
         have ended"
    )]
    KeepInTable,
    #[error("no key to sign tokens with: set {SIGNING_KEY_FILE} or {SIGNING_KEY}")]
    NoSigningKey,
    #[error("{0} of variable {1} cannot be used: {2}")]
    SigningKey(&'static str, &'static str, KeyRingError),
    #[error("the file that {STATE_URL_FILE} names holds no URL")]
    StateUrl,
    #[error("{AGE_KEY} cannot be used: {0}")]
    AgeKey(IdentityError),
    #[error(transparent)]
    MasterKeys(#[from] MasterKeysError),
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
        let tls = self.tls_cert_file.zip(self.tls_key_file);
        let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
        if tls.is_none() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        if self.kubernetes && self.sources.access_path.is_some() {
            return Err(ConfigError::TwoSourcesOfGrants);
        }
        let state = state(self.state_path)?;
        if self.audit_path.is_none() && matches!(state, StateSource::Folder(_)) {
            return Err(ConfigError::Missing {
                option: "--audit-path",
                variable: "VANTA_AUDIT_PATH",
                what: "the folder of the audit",
            });
        }
        if self.audit_keep.is_some() && matches!(state, StateSource::Postgres(_)) {
            return Err(ConfigError::KeepInTable);
        }
        let audit = AuditConfig {
            folder: self.audit_path,
            replica: self.replica,
            rotation: Rotation {
                most_bytes: u64::from(self.audit_max_mib.get()) * 1024 * 1024,
                keep: self.audit_keep.map(|keep| keep.get() as usize),
            },
            most_spooled: u64::from(self.audit_spool_max_mib.get()) * 1024 * 1024,
            stdout: self.audit_stdout,
        };
        Ok(Config {
            listen: self.listen,
            health_listen: self.health_listen,
            tls,
            sources: self.sources.resolve(None, self.kubernetes)?,
            cluster: self.kubernetes.then_some(ClusterConfig { namespace: self.namespace }),
            clients_file: self.clients_file,
            oidc_file: self.oidc_file,
            grants_stale_after: Duration::from_secs(self.grants_stale_after),
            state,
            audit,
            issues_per_minute: self.issues_per_minute,
            signing_keys: signing_keys()?,
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
        Ok(Sources {
            leave: SopsAllow::leave(&self.sops_allow),
            authorship: self.authorship.resolve(examples.is_some()),
            with_example_key: key_file.is_some(),
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
            master_keys: MasterKeys::configured(self.master_keys, inherited())?,
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

fn signing_keys() -> Result<SigningKeys, ConfigError> {
    let (key, source, file) = match (variable(SIGNING_KEY), variable(SIGNING_KEY_FILE)) {
        (Some(_), Some(_)) => return Err(ConfigError::Both(SIGNING_KEY, SIGNING_KEY_FILE)),
        (None, None) => return Err(ConfigError::NoSigningKey),
        (Some(text), None) => (text.into_bytes(), ("the value", SIGNING_KEY), None),
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            let key = read(&path, SIGNING_KEY_IS)?;
            (key, ("the file", SIGNING_KEY_FILE), Some(path))
        }
    };
    let key = Zeroizing::new(key);
    let ring = KeyRing::parse(&key);
    let ring = ring.map_err(|error| ConfigError::SigningKey(source.0, source.1, error))?;
    Ok(SigningKeys { ring, file })
}

/// The ring that the file holds now.
pub(super) fn read_signing_keys(file: &Path) -> Result<KeyRing, ConfigError> {
    let key = Zeroizing::new(read(file, SIGNING_KEY_IS)?);
    let ring = KeyRing::parse(&key);
    ring.map_err(|error| ConfigError::SigningKey("the file", SIGNING_KEY_FILE, error))
}

/// The database that is named, or the file in the folder of the state.
fn state(folder: Option<PathBuf>) -> Result<StateSource, ConfigError> {
    let url = match (variable(STATE_URL), variable(STATE_URL_FILE)) {
        (Some(_), Some(_)) => return Err(ConfigError::Both(STATE_URL, STATE_URL_FILE)),
        (url, None) => url,
        (None, Some(path)) => {
            let url = Zeroizing::new(read(Path::new(&path), "the URL of the state database")?);
            let url = std::str::from_utf8(&url).map_err(|_| ConfigError::StateUrl)?;
            Some(url.trim().to_owned())
        }
    };
    match (url, folder) {
        (Some(_), Some(_)) => Err(ConfigError::Both(STATE_URL, "VANTA_STATE_PATH")),
        (Some(url), None) => Ok(StateSource::Postgres(url.into())),
        (None, Some(folder)) => Ok(StateSource::Folder(folder)),
        (None, None) => Err(ConfigError::Missing {
            option: "--state-path",
            variable: "VANTA_STATE_PATH",
            what: "the folder of the state database; or, for several replicas, VANTA_STATE_URL",
        }),
    }
}

fn shared_identities() -> Result<SharedIdentities, ConfigError> {
    match (variable(AGE_KEY), variable(AGE_KEY_FILE)) {
        (Some(_), Some(_)) => Err(ConfigError::Both(AGE_KEY, AGE_KEY_FILE)),
        (None, None) => Ok(SharedIdentities::None),
        (None, Some(path)) => Ok(SharedIdentities::File(path.into())),
        (Some(text), None) => {
            let text = Zeroizing::new(text);
            let identities = Identities::parse(&text).map_err(ConfigError::AgeKey)?;
            Ok(SharedIdentities::Given(Arc::new(identities)))
        }
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, ConfigError> {
    let read = read_bounded(path, MAX_KEY_FILE_BYTES);
    warn_where_open(path, what);
    read.map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Where traces go, where a collector is named; else nothing is exported. Of the standard variables
/// those that are not read here are read by the exporter itself, as its specification has them. The
/// error says why none can be exported.
pub(super) fn trace_settings() -> Result<Option<TraceSettings>, String> {
    let either = |name: &str| {
        variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
            .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
    };
    let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"))
        || variable("OTEL_TRACES_EXPORTER").is_some_and(|it| it == "none");
    let Some(endpoint) = either("ENDPOINT").filter(|_| !disabled) else { return Ok(None) };
    let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with(['/', ':'])) {
        // Not repeated: it may hold a password.
        return Err(
            "OTEL_EXPORTER_OTLP_ENDPOINT is not http://HOST:PORT or https://HOST:PORT".to_owned()
        );
    }
    if let Some(protocol) = either("PROTOCOL").filter(|protocol| protocol != "http/protobuf") {
        return Err(format!(
            "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol:?}, and only http/protobuf is spoken: name \
             the collector's port for it, 4318 as a rule"
        ));
    }
    Ok(Some(TraceSettings {
        program: "vanta-vault",
        service: variable("OTEL_SERVICE_NAME"),
        authorities: either("CERTIFICATE").map(PathBuf::from),
    }))
}

/// What this process was started with.
#[expect(clippy::disallowed_methods, reason = "this is the program's config.rs")]
fn inherited() -> Inherited {
    Inherited {
        variables: std::env::vars_os().collect(),
        path: std::env::var_os("PATH"),
        temporary: std::env::temp_dir(),
    }
}

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "this is the program's config.rs")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
