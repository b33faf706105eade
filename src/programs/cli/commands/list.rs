//! `list`

use crate::contract::api::tokens::GenerateRequest;
use crate::domain::grants::Permission;
use crate::programs::cli::args::List;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;
use crate::programs::cli::session::with_token;

pub(in crate::programs::cli) fn run(
    config: &Config,
    args: &List,
    printer: &Printer,
) -> Result<(), Failure> {
    let request = || GenerateRequest {
        subject: None,
        environment: args.environment.clone(),
        key_pattern: args.key_pattern.clone(),
        ttl_minutes: Some(1),
        usage_limit: None,
        permissions: vec![Permission::List],
    };
    let mut listed =
        with_token(config, request, |client, token| Ok(client.keys(token, &args.environment)?))?;
    // A token that was given may reach further than what is asked for here.
    listed.keys.retain(|key| args.key_pattern.matches(key));
    if !printer.for_people() {
        return printer.document(&listed);
    }
    if listed.keys.is_empty() {
        Printer::note(&format!(
            "no key of {} that you may list matches {}",
            args.environment, args.key_pattern
        ));
    }
    listed.keys.iter().try_for_each(|key| Printer::line(key.as_str()))
}
