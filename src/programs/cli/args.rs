//! The command line as it is said. What it means is `config.rs`'s to find out.
//!
//! The usages are written out: clap's own lists whatever the environment gives as if required.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::audit_args::AuditCommand;
use crate::domain::claims::TokenId;
use crate::domain::grants::{FileFormat, Permission};
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key, Label};
use crate::domain::pattern::KeyPattern;

const EXIT_CODES: &str = "\
Exit codes:
  0    done (run-with-secrets: the command's own code)
  1    audit verify: the audit was changed
  64   the command line is wrong
  66   the environment or the key does not exist, or no key matches
  70   the vault's answer is not understood
  74   input or output failed
  75   the vault cannot answer now: try again later
  77   the vault refuses: the credentials, the token or the grants do not allow it
  78   the configuration, or a secret's name or value, cannot be used
  126  run-with-secrets: the command cannot be started
  127  run-with-secrets: there is no such command
  128+n  run-with-secrets: signal n ended the command";

/// Reads secrets from a VANTA vault, each read allowed by policy at that moment and recorded.
#[derive(Parser)]
#[command(name = "vanta-cli", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(clap::Args)]
#[command(next_help_heading = "Vault and identity")]
pub(super) struct Global {
    /// The vault: https://HOST[:PORT], or http:// on this machine alone
    #[arg(long, global = true, env = "VANTA_ADDR", value_name = "URL", hide_env_values = true)]
    #[arg(default_value = "http://127.0.0.1:8200")]
    pub(super) address: String,
    /// The certificate authorities to believe, as PEM, in place of the system's
    #[arg(long, global = true, env = "VANTA_CA_FILE", value_name = "FILE", hide_env_values = true)]
    pub(super) ca_file: Option<PathBuf>,
    /// The client to be, with its secret from VANTA_CLIENT_SECRET or --client-secret-file
    #[arg(long, global = true, env = "VANTA_CLIENT_ID", value_name = "NAME")]
    #[arg(hide_env_values = true)]
    pub(super) client_id: Option<Label>,
    /// The file that holds the client's secret
    #[arg(long, global = true, env = "VANTA_CLIENT_SECRET_FILE", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub(super) client_secret_file: Option<PathBuf>,
    /// The file that holds a service account's or an OpenID Connect token, to be its subject
    #[arg(long, global = true, env = "VANTA_IDENTITY_TOKEN_FILE", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub(super) identity_token_file: Option<PathBuf>,
    /// The access token to use, in place of a new one. Other users see it in the list of
    /// processes: better to set VANTA_TOKEN or to name a --token-file
    #[arg(long, global = true, env = "VANTA_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// The file that holds the access token to use
    #[arg(long, global = true, env = "VANTA_TOKEN_FILE", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub(super) token_file: Option<PathBuf>,
    /// The form of what is printed
    #[arg(
        long,
        short,
        global = true,
        env = "VANTA_OUTPUT",
        value_name = "FORM",
        hide_env_values = true
    )]
    #[arg(default_value = "table", help_heading = "Options")]
    pub(super) output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    Json,
    Yaml,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make and end access tokens
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Print one value, as it is
    Get(Get),
    /// Print the names of the keys in scope, never a value
    List(List),
    /// Show why a subject may do something, or not
    Explain(Explain),
    /// Show who holds which keys, and whether at their newest revision; for administrators
    Who(Who),
    /// Run a command that finds secrets in its environment or in a file in memory
    RunWithSecrets(RunWithSecrets),
    /// What `run-with-secrets` becomes to run the command
    #[command(hide = true, name = HOLD)]
    Hold(Hold),
    /// Make credentials for clients of the vault
    Client {
        #[command(subcommand)]
        command: ClientCommand,
    },
    /// Read what the vault recorded, and check that nothing of it was changed
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Print the completions of a shell
    Completion { shell: Shell },
    /// Print the version
    Version,
}

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Print a new access token; what it may do goes to standard error
    Generate(Generate),
    /// End the access token that --token, --token-file or VANTA_TOKEN gives; as an administrator,
    /// others
    Revoke(Revoke),
    /// Show what that token is and whether it is good; for administrators
    Inspect,
}

#[derive(Subcommand)]
pub(super) enum ClientCommand {
    /// Make a client's secret, printed once, and the entry for the vault's file of clients
    #[command(long_about = "Make a client's secret, printed once, and the entry for the vault's \
        file of clients.\n\nThe secret goes to standard output and the entry, which holds only \
        its SHA-256, to standard error. With --secret-file the secret goes to a new file and the \
        entry to standard output:\n\n  vanta-cli client hash ci --secret-file ci.secret >> \
        clients.yaml")]
    Hash(Hash),
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli token generate [OPTIONS] --environment <ENVIRONMENT> \
    --key-pattern <PATTERN>")]
pub(super) struct Generate {
    /// The environment
    #[arg(long, short)]
    pub(super) environment: Environment,
    /// The keys, as a glob: *, ?, [a-z], {A,B}
    #[arg(long, short, value_name = "PATTERN")]
    pub(super) key_pattern: KeyPattern,
    /// The life, in minutes; the longest that the grants allow when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) ttl_minutes: Option<u32>,
    /// The most answers that carry a value; as many as the grants allow when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) usage_limit: Option<u32>,
    /// What the token is for; for both: read,list, or the option twice
    #[arg(long, value_delimiter = ',', value_name = "read|list", default_value = "read")]
    #[arg(value_parser = permission)]
    pub(super) permission: Vec<Permission>,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli token revoke [OPTIONS]")]
pub(super) struct Revoke {
    /// The identifier of the token to end, in place of a token
    #[arg(long, conflicts_with = "subject")]
    pub(super) jti: Option<TokenId>,
    /// Whose tokens of this moment all end: client:NAME, system:serviceaccount:NAMESPACE:NAME or
    /// oidc:ISSUER:SUBJECT
    #[arg(long)]
    pub(super) subject: Option<Subject>,
    /// Let the subject have no new ones either
    #[arg(long, requires = "subject")]
    pub(super) block: bool,
    /// Let the subject have new ones again
    #[arg(long, requires = "subject", conflicts_with = "block")]
    pub(super) unblock: bool,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli explain [OPTIONS] <ENVIRONMENT> [KEY]")]
pub(super) struct Explain {
    /// The environment
    pub(super) environment: Environment,
    /// The key; the names of all keys when neither it nor --key-pattern is given
    pub(super) key: Option<Key>,
    /// What a token would be asked for, in place of a key
    #[arg(long, short, value_name = "PATTERN", conflicts_with = "key")]
    pub(super) key_pattern: Option<KeyPattern>,
    /// What would be done
    #[arg(long, value_name = "read|list", default_value = "read", value_parser = permission)]
    pub(super) permission: Permission,
    /// Of whom; of yourself when left out. Of others, administrators may ask
    #[arg(long)]
    pub(super) subject: Option<Subject>,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli who [OPTIONS] <ENVIRONMENT> [KEY]")]
pub(super) struct Who {
    /// The environment
    pub(super) environment: Environment,
    /// The key that they were given; any when left out
    pub(super) key: Option<Key>,
    /// One subject
    #[arg(long)]
    pub(super) subject: Option<Subject>,
    /// How many at the most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[arg(default_value = "100")]
    pub(super) limit: u32,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli get [OPTIONS] <ENVIRONMENT> <KEY>")]
pub(super) struct Get {
    /// The environment
    pub(super) environment: Environment,
    /// The key
    pub(super) key: Key,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli list [OPTIONS] <ENVIRONMENT>")]
pub(super) struct List {
    /// The environment
    pub(super) environment: Environment,
    /// The keys, as a glob: *, ?, [a-z], {A,B}
    #[arg(long, short, value_name = "PATTERN", default_value = "*")]
    pub(super) key_pattern: KeyPattern,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli run-with-secrets [OPTIONS] --environment <ENVIRONMENT> \
    --key-pattern <PATTERN> --inject-as <FORM> -- <COMMAND>...")]
#[command(after_help = "\
With --inject-as env each key is a variable of the command: '.' and '-' in its name become '_'.
With --inject-as file VANTA_SECRETS_FILE holds the path of a file in memory with mode 0600, which
is gone when vanta-cli is, however it ends.

Signals are passed on, and the exit code is the command's own (126, 127, 128+n as in a shell).")]
pub(super) struct RunWithSecrets {
    /// The environment
    #[arg(long, short)]
    pub(super) environment: Environment,
    /// The keys, as a glob: *, ?, [a-z], {A,B}
    #[arg(long, short, value_name = "PATTERN")]
    pub(super) key_pattern: KeyPattern,
    /// How the command gets the values
    #[arg(long, value_name = "FORM")]
    pub(super) inject_as: InjectAs,
    /// The form of the file, with --inject-as file [default: dotenv]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,
    /// The life of the token that is asked for, in minutes; it is revoked before the command runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(default_value = "1")]
    pub(super) ttl_minutes: u32,
    /// The most answers that the token that is asked for may carry a value in; one is needed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(default_value = "1")]
    pub(super) usage_limit: u32,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

/// The name of the command that `run-with-secrets` becomes; not for people.
pub(super) const HOLD: &str = "hold";

#[derive(clap::Args)]
pub(super) struct Hold {
    /// The number under which the file is open
    #[arg(long)]
    pub(super) descriptor: i32,
    /// What is in it: the variables of the command, or the file for it
    #[arg(long)]
    pub(super) inject_as: InjectAs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum InjectAs {
    /// Variables of the command's environment
    Env,
    /// A file in memory
    File,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Dotenv,
    Json,
    Yaml,
}

impl From<Format> for FileFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Dotenv => Self::Dotenv,
            Format::Json => Self::Json,
            Format::Yaml => Self::Yaml,
        }
    }
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli client hash [OPTIONS] <NAME>")]
pub(super) struct Hash {
    /// The client's name
    pub(super) name: Label,
    /// Which of the client's credentials it is, as the audit names it; made up when left out
    #[arg(long)]
    pub(super) id: Option<Label>,
    /// Let whoever has it administer the vault: end tokens, look into them, see who may and does
    /// hold what, read the audit
    #[arg(long)]
    pub(super) administrator: bool,
    /// Write the secret to this new file, with mode 0600, in place of standard output
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
}

fn permission(text: &str) -> Result<Permission, &'static str> {
    match text {
        "read" => Ok(Permission::Read),
        "list" => Ok(Permission::List),
        _ => Err("a permission is read or list"),
    }
}
