//! What a pod with an agent looks like from inside: its paths, the agent's variables, its modes.
//!
//! The injector writes them into a pod, and the agent reads them there: each name is here alone.

use std::fmt;
use std::str::FromStr;

use super::names::InvalidName;

/// The name of the agent's container.
pub const AGENT_CONTAINER: &str = "vanta-agent";

/// The agent in its image.
pub const AGENT_PROGRAM: &str = "/vanta-agent";

/// Where the files are, in the agent and in the containers that get them.
pub const SECRETS_FOLDER: &str = "/vanta/secrets";

/// The folder of the certificate authority that vouches for the vault.
pub const AUTHORITY_FOLDER: &str = "/vanta/ca";

/// The file in [`AUTHORITY_FOLDER`], which is a key of [`AUTHORITY_CONFIG_MAP`] too.
pub const AUTHORITY_FILE: &str = "ca.crt";

/// The ConfigMap that the injector keeps in each namespace.
pub const AUTHORITY_CONFIG_MAP: &str = "vanta-ca";

/// Where the identity token is, which is where reinvocation would else mount the API's token.
pub const IDENTITY_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The file in [`IDENTITY_FOLDER`].
pub const IDENTITY_FILE: &str = "token";

/// The audience of identity tokens for the vault.
pub const AUDIENCE: &str = "vanta-vault";

/// Where a container's last words are, which the kubelet makes for each container.
pub const STATUS_FILE: &str = "/dev/termination-log";

/// What every name begins with that is the agent's own in [`SECRETS_FOLDER`].
pub const RESERVED: &str = ".vanta";

/// What the agent calls a file until it is whole; reserved, as its beginning says.
pub const UNFINISHED_FILE: &str = ".vanta-unfinished";

/// The longest that init mode may take to start, in seconds: a day.
pub const LONGEST_START_UP: u32 = 24 * 60 * 60;

/// The agent's variables.
pub mod variables {
    /// The vault's address.
    pub const ADDRESS: &str = "VANTA_ADDR";
    /// The file of the authority that vouches for the vault, PEM.
    pub const AUTHORITY_FILE: &str = "VANTA_CA_FILE";
    /// The file of the identity token.
    pub const IDENTITY_FILE: &str = "VANTA_IDENTITY_TOKEN_FILE";
    /// The folder that the files are written into.
    pub const SECRETS_FOLDER: &str = "VANTA_SECRETS_PATH";
    /// The file that says how it stands.
    pub const STATUS_FILE: &str = "VANTA_STATUS_FILE";
    /// Names of SecretAccesses, with commas between them; absent for all of the subject's.
    pub const ACCESS: &str = "VANTA_ACCESS";
    /// [`super::AgentMode`].
    pub const MODE: &str = "VANTA_AGENT_MODE";
    /// Seconds that init mode may take to start.
    pub const START_UP_BUDGET: &str = "VANTA_START_UP_BUDGET";
    /// [`super::OnRevoke`].
    pub const ON_REVOKE: &str = "VANTA_ON_REVOKE";
    /// [`super::FileMode`].
    pub const FILE_MODE: &str = "VANTA_FILE_MODE";
    /// Where traces go, over OTLP and HTTP; nothing is traced without it.
    pub const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    /// Which traces are exported, in OpenTelemetry's words.
    pub const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    /// The part of them that is, from 0 to 1, where the sampler is one of a ratio.
    pub const SAMPLER_RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
}

/// How the agent runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AgentMode {
    /// Beside the containers for as long as they run: the files stay fresh.
    #[default]
    Sidecar,
    /// Once before them: the files stay as they were then.
    Init,
}

/// What becomes of a file whose grant is withdrawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnRevoke {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is removed.
    Remove,
}

/// Who may read the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileMode {
    /// The agent's user alone, which is that of the containers too.
    #[default]
    Owner,
    /// The group of the folder or of the agent, which the containers are in.
    Group,
}

impl FileMode {
    /// The permission bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o440,
        }
    }
}

/// Gives a choice its words, one for each of its values.
macro_rules! words {
    ($name:ident, $what:literal, $rule:literal, $($value:ident $word:literal),+) => {
        impl $name {
            /// The word that stands for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                match text {
                    $($word => Ok(Self::$value),)+
                    _ => Err(InvalidName::new($what, text, $rule)),
                }
            }
        }
    };
}

words!(AgentMode, "mode", "use sidecar or init", Sidecar "sidecar", Init "init");
words!(OnRevoke, "on-revoke", "use keep or remove", Keep "keep", Remove "remove");
words!(FileMode, "file mode", "use 0600 or 0440", Owner "0600", Group "0440");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_whole_has_a_reserved_name() {
        assert!(UNFINISHED_FILE.starts_with(RESERVED));
    }

    #[test]
    fn each_word_reads_back_and_others_are_refused() {
        for mode in [AgentMode::Sidecar, AgentMode::Init] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        for choice in [OnRevoke::Keep, OnRevoke::Remove] {
            assert_eq!(choice.as_str().parse(), Ok(choice));
        }
        for mode in [FileMode::Owner, FileMode::Group] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            assert_eq!(u32::from_str_radix(mode.as_str(), 8).unwrap(), mode.bits());
        }
        let error = "Sidecar".parse::<AgentMode>().unwrap_err().to_string();
        assert_eq!(error, "mode \"Sidecar\" is refused: use sidecar or init");
    }
}
