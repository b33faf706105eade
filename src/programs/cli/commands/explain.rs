//! `explain`

use crate::contract::api::explanation::{ExplainRequest, Explanation};
use crate::domain::pattern::GrantedPattern;
use crate::programs::cli::args::Explain;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

/// Shows the decision. A refusal is no failure: it is what was asked for.
pub(in crate::programs::cli) fn run(
    config: &Config,
    args: Explain,
    printer: &Printer,
) -> Result<(), Failure> {
    let request = ExplainRequest {
        subject: args.subject,
        environment: args.environment,
        permission: args.permission,
        key: args.key,
        key_pattern: args.key_pattern,
    };
    let explanation = config.client.explain(config.identity()?, &request)?;
    if !printer.for_people() {
        return printer.document(&explanation);
    }
    lines(&explanation).iter().try_for_each(|line| Printer::line(line))
}

fn lines(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |line: std::fmt::Arguments<'_>| lines.push(line.to_string());
    let decision = if explanation.allowed { "allowed" } else { "refused" };
    line(format_args!("{decision} for {}: {}", explanation.subject, explanation.reason));
    if let Some(bounds) = &explanation.bounds {
        let uses = bounds.usage_limit.map_or("not counted".to_owned(), |uses| uses.to_string());
        line(format_args!("token        {} minutes, uses {uses}", bounds.ttl_minutes));
        let keys = explanation.granted.iter().map(GrantedPattern::to_string);
        line(format_args!("keys         {}", keys.collect::<Vec<_>>().join(", ")));
    }
    for access in &explanation.accesses {
        let obstacle = access.obstacle.as_deref().unwrap_or("it covers this");
        line(format_args!("SecretAccess {}: {obstacle}", access.name));
        for policy in &access.policies {
            let obstacle = policy.obstacle.as_deref().unwrap_or("it allows this");
            let pod = if policy.requires_pod { ", to pod-bound tokens" } else { "" };
            line(format_args!("  SecretPolicy {}: {obstacle}{pod}", policy.name));
        }
    }
    lines
}
