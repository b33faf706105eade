//! How a vault connects to PostgreSQL, whatever it keeps there.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The parameters that a URL may have. The driver would only warn of others, with their values.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// The URL is not one to connect by. It may hold a password, so it is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is not one of PostgreSQL.
    #[error("the URL of the database is not postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Form,
    /// It has a parameter that is not known, whose value may be a password.
    #[error("the URL of the database has the parameter {name}, which is not one of {known}")]
    Parameter {
        /// The parameter.
        name: String,
        /// Those that there are.
        known: String,
    },
}

fn check_parameters(url: &str) -> Result<(), InvalidUrl> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| InvalidUrl::Form)?;
    match pairs.into_iter().find(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        Some((name, _)) => Err(InvalidUrl::Parameter { name, known: PARAMETERS.join(", ") }),
        None => Ok(()),
    }
}

/// Connections to the database of a URL, under a name by which its administrator knows them. The
/// server gives up a statement after so many milliseconds, also where nobody waits for it any more.
pub fn connect_options(
    url: &str,
    name: &str,
    statement_timeout: u32,
) -> Result<PgConnectOptions, InvalidUrl> {
    check_parameters(url)?;
    let options = PgConnectOptions::from_str(url).map_err(|_| InvalidUrl::Form)?;
    // `synchronous_commit`: what was answered on is not forgotten when the server fails. The
    // others let a server find out in time that a vault is gone whose connection nobody closed.
    Ok(options.application_name(name).options([
        ("statement_timeout", statement_timeout.to_string().as_str()),
        ("synchronous_commit", "on"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ]))
}
