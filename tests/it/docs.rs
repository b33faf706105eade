//! The documents say what the code does: each kind of problem has its heading, each variable its
//! line, each path in a document its file.

use std::collections::BTreeSet;
use std::path::Path;

use vanta::contract::api::problem::ProblemKind;

#[test]
fn every_problem_has_its_heading_and_no_heading_is_left_over() {
    let text = include_str!("../../docs/problems.md");
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let names: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(headings, names, "docs/problems.md has one ### heading a kind, in their order");
}

#[test]
fn every_problem_says_its_status_and_title() {
    let text = include_str!("../../docs/problems.md");
    for kind in ProblemKind::ALL {
        let heading = format!("### {}\n\n{} · {}.", kind.name(), kind.status(), kind.title());
        assert!(text.contains(&heading), "docs/problems.md lacks {heading:?}");
    }
}

/// The names of VANTA's variables in a text.
fn variables(text: &str) -> BTreeSet<&str> {
    let upper = |sign: char| sign.is_ascii_uppercase() || sign == '_';
    let starts = text.match_indices("VANTA_").map(|(start, _)| &text[start..]);
    let names = starts.map(|rest| rest.split(|sign| !upper(sign)).next().unwrap_or_default());
    names.filter(|name| !name.ends_with('_')).collect()
}

#[test]
fn every_variable_of_the_source_is_documented() {
    let documented = variables(include_str!("../../docs/configuration.md"));
    assert!(documented.contains("VANTA_ADDR") && documented.contains("VANTA_STATE_PATH"));
    for (file, text) in crate::tree::sources() {
        for name in variables(&text) {
            let known = documented.contains(name);
            assert!(known, "src/{}: docs/configuration.md lacks {name}", file.display());
        }
    }
}

#[test]
fn variables_are_found_in_a_text() {
    let found = variables("\"VANTA_ADDR\", VANTA_*, VANTA_TOKEN(_FILE) VANTA_A_B=1");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["VANTA_ADDR", "VANTA_A_B", "VANTA_TOKEN"]);
}

/// The names of VANTA's metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let lower = |sign: char| sign.is_ascii_lowercase() || sign == '_';
    let starts = text.match_indices("vanta_").map(|(start, _)| &text[start..]);
    starts.map(|rest| rest.split(|sign| !lower(sign)).next().unwrap_or_default()).collect()
}

#[test]
fn every_metric_of_the_alerts_and_the_dashboard_is_one_that_is_documented() {
    // That the document and the programs agree is tested beside their registries.
    let text = include_str!("../../docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `vanta_"));
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let suffixes: &[&str] =
            if cells[2] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        documented.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    for (place, text) in [
        ("alerts.yaml", include_str!("../../charts/vanta/files/alerts.yaml")),
        ("dashboard.json", include_str!("../../charts/vanta/files/dashboard.json")),
    ] {
        let used = metrics(text);
        assert!(used.len() > 5, "{place} has metrics");
        for name in used {
            assert!(documented.contains(name), "{place} has {name}, which docs/metrics.md lacks");
        }
    }
}

/// What is written for people.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/access.md",
    "docs/agent.md",
    "docs/api.md",
    "docs/audit.md",
    "docs/authorship.md",
    "docs/configuration.md",
    "docs/injection.md",
    "docs/install.md",
    "docs/keys.md",
    "docs/metrics.md",
    "docs/oidc.md",
    "docs/problems.md",
    "docs/sops.md",
    "docs/testing.md",
    "docs/tracing.md",
];

/// The files that a document links to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
}

#[test]
fn every_link_of_a_document_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in DOCUMENTS {
        let file = root.join(document);
        let text = std::fs::read_to_string(&file).unwrap();
        for link in links(&text) {
            let target = file.parent().unwrap().join(link);
            assert!(target.exists(), "{document} links to {link}, which is not there");
        }
    }
}

/// A shell makes the file empty before sops has written anything, and a vault may see that.
#[test]
fn no_recipe_has_a_shell_write_into_a_sops_file() {
    for document in DOCUMENTS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = std::fs::read_to_string(file).unwrap();
        for writes in [">", "tee "] {
            for target in text.split(writes).skip(1) {
                let target = target.trim_start_matches(' ').split([' ', '`', '\n']).next().unwrap();
                assert!(!target.contains(".enc."), "{document} writes into {target} itself");
            }
        }
    }
}

#[test]
fn no_table_of_a_document_is_cut_in_two() {
    for document in DOCUMENTS {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, pair) in lines.windows(3).enumerate() {
            let begins = pair[0].is_empty() && pair[1].starts_with('|');
            assert!(
                !begins || pair[2].starts_with("| ---"),
                "{document}:{}: a table begins without a head",
                at + 2
            );
        }
    }
}
