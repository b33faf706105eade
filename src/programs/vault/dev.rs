//! `vanta-vault dev`: everything that the vault needs, made on the spot, on loopback alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::config::{Config, ConfigError, DevArgs, Examples};
use crate::adapters::jwt::KeyRing;
use crate::domain::identity::CLIENT_SECRET_PREFIX;

/// The example environment, made by sops, and the published key that opens it.
const EXAMPLES: [(&str, &str); 6] = [
    ("secrets/dev.enc.yaml", include_str!("../../../examples/secrets/dev.enc.yaml")),
    ("secrets/age-key.txt", include_str!("../../../examples/secrets/age-key.txt")),
    ("access/app.yaml", include_str!("../../../examples/access/app.yaml")),
    ("access/greeting.yaml", include_str!("../../../examples/access/greeting.yaml")),
    ("access/smtp.yaml", include_str!("../../../examples/access/smtp.yaml")),
    ("access/policy.yaml", include_str!("../../../examples/access/policy.yaml")),
];

/// The name of the one client that dev knows.
const CLIENT: &str = "dev";

/// Why dev cannot start.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("no random bytes could be had: {0}")]
    Random(#[from] getrandom::Error),
}

/// Makes what the vault needs below the data folder, and the configuration that uses it.
pub(super) fn prepare(args: DevArgs) -> Result<(Config, PathBuf), DevError> {
    if !args.listen.ip().is_loopback() {
        return Err(ConfigError::DevNotLoopback(args.listen).into());
    }
    let data = args.data_folder()?;
    make_folder(&data)?;
    for folder in ["state", "audit", "secrets", "access"] {
        make_folder(&data.join(folder))?;
    }
    // The last run's address must not be taken for this one's.
    let stale = fs::remove_file(data.join("env"));
    if let Err(error) = stale
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(DevError::Write { path: data.join("env"), source: error });
    }
    for (name, text) in EXAMPLES {
        // What was edited since the last run stays.
        if !data.join(name).exists() {
            write(&data.join(name), text)?;
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
        sources: args.sources.resolve(Some(&examples))?,
        clients_file: Some(data.join("clients.yaml")),
        state_path: data.join("state"),
        audit_path: data.join("audit"),
        replica: "dev".to_owned(),
        ring: KeyRing::generate()?,
    };
    Ok((config, data))
}

/// Writes what a shell needs to reach the vault; its being there says that the vault is ready.
pub(super) fn announce(data: &Path, api: SocketAddr, health: SocketAddr) -> Result<(), DevError> {
    let quoted = |path: PathBuf| path.display().to_string().replace('\'', r"'\''");
    let text = format!(
        "export VANTA_ADDR='http://{api}'\n\
         export VANTA_HEALTH_ADDR='http://{health}'\n\
         export VANTA_CLIENT_ID='{CLIENT}'\n\
         export VANTA_CLIENT_SECRET_FILE='{}'\n",
        quoted(data.join("client-secret")),
    );
    let (file, unfinished) = (data.join("env"), data.join("env.new"));
    write(&unfinished, &text)?;
    fs::rename(&unfinished, &file).map_err(|source| DevError::Write { path: file, source })
}

fn make_client(data: &Path) -> Result<(), DevError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let secret = format!("{CLIENT_SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let hash = hex::encode(Sha256::digest(&secret));
    write(&data.join("client-secret"), &secret)?;
    let clients = format!("clients:\n- name: {CLIENT}\n  id: generated\n  sha256: {hash}\n");
    write(&data.join("clients.yaml"), &clients)
}

fn make_folder(path: &Path) -> Result<(), DevError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| DevError::Write { path: path.to_owned(), source })
}

/// Writes a file that its owner alone can read.
fn write(path: &Path, text: &str) -> Result<(), DevError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| DevError::Write { path: path.to_owned(), source })
}
