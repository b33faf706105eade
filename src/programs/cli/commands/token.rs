//! `token generate` and `token revoke`

use crate::adapters::client::AccessToken;
use crate::adapters::process::Status;
use crate::contract::api::tokens::{GenerateRequest, GenerateResponse};
use crate::domain::pattern::GrantedPattern;
use crate::programs::cli::args::Generate;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

/// Prints the bare token on standard output, so that `TOKEN=$(vanta-cli token generate …)` holds
/// it, and what it may do on standard error. As JSON or YAML it is all one document.
pub(in crate::programs::cli) fn generate(
    config: &Config,
    args: Generate,
    printer: &Printer,
) -> Result<(), Failure> {
    let request = GenerateRequest {
        subject: None,
        environment: args.environment,
        key_pattern: args.key_pattern,
        ttl_minutes: args.ttl_minutes,
        usage_limit: args.usage_limit,
        permissions: args.permission,
    };
    let issued = config.client.generate(config.identity()?, &request)?;
    if !printer.for_people() {
        return printer.document(&issued);
    }
    let token = usable(&issued)?;
    Printer::note(&facts(&issued));
    if !issued.clamped.is_empty() {
        Printer::warning(&format!(
            "the grants allow less than was asked for; made smaller: {}",
            issued.clamped.join(", ")
        ));
    }
    Printer::raw(format!("{}\n", token.expose()).as_bytes())
}

pub(in crate::programs::cli) fn revoke(config: &Config, printer: &Printer) -> Result<(), Failure> {
    config.client.revoke(config.given_token()?)?;
    if printer.for_people() {
        Printer::note("revoked");
        return Ok(());
    }
    printer.document(&serde_json::json!({ "revoked": true }))
}

/// The token of an answer, where it is one.
pub(in crate::programs::cli) fn usable(issued: &GenerateResponse) -> Result<AccessToken, Failure> {
    AccessToken::new(&issued.token).map_err(|why| {
        Failure::new(Status::Software, format!("the vault's answer holds no usable token: {why}"))
    })
}

fn facts(issued: &GenerateResponse) -> String {
    let scope = &issued.scope;
    let joined = |patterns: &[GrantedPattern]| match patterns {
        [] => "nothing".to_owned(),
        patterns => patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let uses = issued.usage_limit.map_or_else(|| "not counted".to_owned(), |uses| uses.to_string());
    format!(
        "jti          {}\n\
         subject      {}\n\
         environment  {}\n\
         keys         {}\n\
         may read     {}\n\
         may list     {}\n\
         expires      {}\n\
         uses         {uses}",
        issued.jti,
        issued.subject,
        scope.environment,
        scope.key_pattern,
        joined(&scope.granted.read),
        joined(&scope.granted.list),
        issued.expires_at,
    )
}
