//! `token generate`, `token revoke` and `token inspect`

use jiff::Timestamp;

use crate::adapters::client::AccessToken;
use crate::adapters::process::Status;
use crate::contract::api::tokens::{GenerateRequest, GenerateResponse};
use crate::domain::pattern::GrantedPattern;
use crate::programs::cli::args::{Generate, Revoke};
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
    for fact in facts(&issued) {
        Printer::note(&fact);
    }
    if !issued.clamped.is_empty() {
        Printer::warning(&format!(
            "the grants allow less than was asked for; made smaller: {}",
            issued.clamped.join(", ")
        ));
    }
    Printer::raw(format!("{}\n", token.expose()).as_bytes())
}

pub(in crate::programs::cli) fn revoke(
    config: &Config,
    args: Revoke,
    printer: &Printer,
) -> Result<(), Failure> {
    let told = match (args.jti, args.subject) {
        (Some(jti), _) => {
            config.client.revoke_token_of(config.identity()?, &jti)?;
            format!("token {jti} is revoked")
        }
        (None, Some(subject)) => {
            let block = (args.block || args.unblock).then_some(args.block);
            config.client.revoke_all_of(config.identity()?, &subject, block)?;
            let new = match block {
                Some(true) => ", and it gets no new ones",
                Some(false) => ", and it may have new ones again",
                None => "",
            };
            // The vault knows no list of subjects to compare with.
            format!("all tokens that {subject} has, if any, are revoked{new}")
        }
        (None, None) => {
            config.client.revoke(config.given_token()?)?;
            "revoked".to_owned()
        }
    };
    if printer.for_people() {
        Printer::note(&told);
        return Ok(());
    }
    printer.document(&serde_json::json!({ "revoked": true }))
}

/// Shows what an administrator is told of a token. One that is not good is no failure: that is
/// what was asked.
pub(in crate::programs::cli) fn inspect(config: &Config, printer: &Printer) -> Result<(), Failure> {
    let said = config.client.introspect(config.identity()?, config.given_token()?)?;
    if !printer.for_people() {
        return printer.document(&said);
    }
    let Some(token) = said.token.filter(|_| said.active) else {
        return Printer::line("not active");
    };
    let uses = match (token.usage_limit, token.uses_left) {
        (Some(limit), Some(left)) => format!("{left} of {limit} left"),
        _ => "not counted".to_owned(),
    };
    let end = Timestamp::from_second(token.exp).map_or(token.exp.to_string(), |at| at.to_string());
    let mut lines = vec![
        "active".to_owned(),
        format!("jti          {}", token.jti),
        format!("subject      {}", token.sub),
    ];
    lines.extend(token.pod.map(|pod| format!("pod          {}/{}", pod.namespace, pod.name)));
    lines.extend([
        format!("environment  {}", token.vanta_scope.environment),
        format!("keys         {}", token.vanta_scope.key_pattern),
        format!("permissions  {}", token.scope),
        format!("expires      {end}"),
        format!("uses         {uses}"),
    ]);
    lines.iter().try_for_each(|line| Printer::line(line))
}

/// The token of an answer, where it is one.
pub(in crate::programs::cli) fn usable(issued: &GenerateResponse) -> Result<AccessToken, Failure> {
    AccessToken::new(&issued.token).map_err(|why| {
        Failure::new(Status::Software, format!("the vault's answer holds no usable token: {why}"))
    })
}

fn facts(issued: &GenerateResponse) -> [String; 8] {
    let scope = &issued.scope;
    let joined = |patterns: &[GrantedPattern]| match patterns {
        [] => "nothing".to_owned(),
        patterns => patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let uses = issued.usage_limit.map_or_else(|| "not counted".to_owned(), |uses| uses.to_string());
    [
        format!("jti          {}", issued.jti),
        format!("subject      {}", issued.subject),
        format!("environment  {}", scope.environment),
        format!("keys         {}", scope.key_pattern),
        format!("may read     {}", joined(&scope.granted.read)),
        format!("may list     {}", joined(&scope.granted.list)),
        format!("expires      {}", issued.expires_at),
        format!("uses         {uses}"),
    ]
}
