//! The documents say what the code does: each kind of problem has its heading.

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
