//! `get`

use crate::adapters::process::Status;
use crate::contract::api::secrets::Value;
use crate::contract::api::tokens::GenerateRequest;
use crate::domain::grants::Permission;
use crate::domain::pattern::KeyPattern;
use crate::programs::cli::args::Get;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;
use crate::programs::cli::session::with_token;

pub(in crate::programs::cli) fn run(
    config: &Config,
    args: &Get,
    printer: &Printer,
) -> Result<(), Failure> {
    let request = || GenerateRequest {
        subject: None,
        environment: args.environment.clone(),
        key_pattern: KeyPattern::only(&args.key),
        ttl_minutes: Some(1),
        usage_limit: Some(1),
        permissions: vec![Permission::Read],
    };
    let value = with_token(config, request, |client, token| {
        Ok(client.value(token, &args.environment, &args.key)?)
    })?;
    if printer.for_people() {
        Printer::raw(value.expose())?;
        // A person's prompt begins on a line of its own; a script gets the very bytes.
        if Printer::on_a_terminal() && !value.expose().ends_with(b"\n") {
            Printer::raw(b"\n")?;
        }
        return Ok(());
    }
    let text = value.expose_str().ok_or_else(|| {
        Failure::new(
            Status::Configuration,
            format!("the value of {} is not UTF-8 text, so it has no JSON or YAML", args.key),
        )
        .advise("leave out --output to get its bytes")
    })?;
    printer.document(&Value {
        environment: args.environment.clone(),
        key: args.key.clone(),
        value: text.to_owned(),
    })
}
