//! What VANTA's own objects in a cluster are called; the chart uses the same names
//! (`tests/it/chart.rs`).

/// The vault: its Deployment, Service and service account, and who writes what it writes.
pub const VAULT: &str = "vanta-vault";

/// The injector: the same, and its webhook configuration.
pub const INJECTOR: &str = "vanta-injector";

/// The port of the vault's Service.
pub const VAULT_PORT: u16 = 8443;

/// The Secret of the authority.
pub const AUTHORITY_SECRET: &str = "vanta-authority";

/// The Secret of the injector's certificate.
pub const INJECTOR_SECRET: &str = "vanta-injector-tls";

/// The Secret of the vault's certificate.
pub const VAULT_SECRET: &str = "vanta-vault-tls";

/// The Secret of the key that signs access tokens, where the chart has it made.
pub const SIGNING_KEY_SECRET: &str = "vanta-signing-key";

/// The Secrets that programs made, and that go with the system.
pub const MADE_SECRETS: [&str; 4] =
    [AUTHORITY_SECRET, INJECTOR_SECRET, VAULT_SECRET, SIGNING_KEY_SECRET];

/// What marks an object that the injector made.
pub const MADE_BY_INJECTOR: [(&str, &str); 2] =
    [("app.kubernetes.io/part-of", "vanta"), ("vanta.dev/made-by", "injector")];
