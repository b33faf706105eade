//! `vanta-vault dev`: everything that the vault needs, made on the spot, on loopback alone.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::args::DevArgs;
use super::config::{AuditConfig, Config, ConfigError, Examples, SigningKeys};
use super::freshness::READ_LIMIT;
use crate::adapters::audit::Rotation;
use crate::adapters::files::{PrivateError, make_private_folder, write_private};
use crate::adapters::jwt::KeyRing;
use crate::adapters::state::StateSource;
use crate::contract::clients::ClientEntry;
use crate::domain::identity::ClientSecret;

/// The example environment, made by sops, and the published key that opens it.
const EXAMPLES: [(&str, &str); 6] = [
    ("secrets/dev.enc.yaml", include_str!("../../../examples/secrets/dev.enc.yaml")),
    ("secrets/age-key.txt", include_str!("../../../examples/secrets/age-key.txt")),
    ("access/app.yaml", include_str!("../../../examples/access/app.yaml")),
    ("access/greeting.yaml", include_str!("../../../examples/access/greeting.yaml")),
    ("access/smtp.yaml", include_str!("../../../examples/access/smtp.yaml")),
    ("access/policy.yaml", include_str!("../../../examples/access/policy.yaml")),
];

/// How many tokens may be asked for in a minute: enough for whoever plays with it.
const ISSUES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(6000).expect("it is not zero");

/// The name of the one client that dev knows.
const CLIENT: &str = "dev";

/// Why dev cannot start.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Files(#[from] PrivateError),
    #[error("no random bytes could be had: {0}")]
    Random(#[from] getrandom::Error),
}

/// Makes what the vault needs below the data folder, and the configuration that uses it.
pub(super) fn prepare(args: DevArgs) -> Result<(Config, PathBuf), DevError> {
    if !args.listen.ip().is_loopback() {
        return Err(ConfigError::DevNotLoopback(args.listen).into());
    }
    let data = args.data_folder()?;
    make_private_folder(&data)?;
    for folder in ["state", "audit", "secrets", "access"] {
        make_private_folder(&data.join(folder))?;
    }
    // The last run's address must not be taken for this one's.
    remove(data.join("env"))?;
    for (name, text) in EXAMPLES {
        // What was edited since the last run stays.
        if !data.join(name).exists() {
            write_private(&data.join(name), text)?;
        }
    }
    make_client(&data)?;
    let examples = Examples {
        sops_files_path: data.join("secrets"),
        access_path: data.join("access"),
        age_key_file: data.join("secrets/age-key.txt"),
    };
    let loopback = |port| SocketAddr::new(args.listen.ip(), port);
    let config = Config {
        listen: args.listen,
        health_listen: loopback(0),
        tls: None,
        sources: args.sources.resolve(Some(&examples), false)?,
        cluster: None,
        clients_file: Some(data.join("clients.yaml")),
        oidc_file: None,
        grants_stale_after: READ_LIMIT,
        state: StateSource::Folder(data.join("state")),
        audit: AuditConfig {
            folder: Some(data.join("audit")),
            replica: "dev".to_owned(),
            rotation: Rotation::default(),
            // There is no spool beside a folder.
            most_spooled: 0,
            stdout: false,
        },
        issues_per_minute: ISSUES_PER_MINUTE,
        signing_keys: SigningKeys { ring: KeyRing::generate()?, file: None },
    };
    Ok((config, data))
}

/// The file `env`, which is there while the vault is and goes when this does.
pub(super) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        if let Err(error) = remove(self.0.clone()) {
            tracing::warn!(%error, "the address of a vault that has ended is left behind");
        }
    }
}

/// Writes what a shell needs to reach the vault; its being there says that the vault is ready.
pub(super) fn announce(
    data: &Path,
    api: SocketAddr,
    health: SocketAddr,
) -> Result<Announced, DevError> {
    let quoted = |path: PathBuf| path.display().to_string().replace('\'', r"'\''");
    let text = format!(
        "export VANTA_ADDR='http://{api}'\n\
         export VANTA_HEALTH_ADDR='http://{health}'\n\
         export VANTA_CLIENT_ID='{CLIENT}'\n\
         export VANTA_CLIENT_SECRET_FILE='{}'\n",
        quoted(data.join("client-secret")),
    );
    let file = data.join("env");
    write_private(&file, &text)?;
    Ok(Announced(file))
}

/// What can be done about a port that is in use.
pub(super) fn advise(error: anyhow::Error) -> anyhow::Error {
    let in_use = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    if error.chain().any(in_use) {
        return error
            .context("another program has the port: give --listen 127.0.0.1:0 for a free one");
    }
    error
}

fn remove(path: PathBuf) -> Result<(), PrivateError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PrivateError::Write { path, source })
        }
        _ => Ok(()),
    }
}

fn make_client(data: &Path) -> Result<(), DevError> {
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(random.as_mut())?;
    let secret = ClientSecret::from_random(&random);
    let name = CLIENT.parse().expect("the client's name is a label");
    // Whoever starts it may do all there is, and be shown all of it.
    let entry = ClientEntry {
        administrator: true,
        ..ClientEntry::new(name, "generated".to_owned(), &secret)
    };
    write_private(&data.join("client-secret"), secret.expose())?;
    Ok(write_private(&data.join("clients.yaml"), &entry.yaml())?)
}
