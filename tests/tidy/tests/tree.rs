//! Every rule of style, on the repository itself.

use telpher_tidy::{Finding, Tree, banned, floors, sizes, unsafety, unused, words};

fn none_of(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n\n{}\n\nThe reasons are in docs/style.md.\n", lines.join("\n"));
}

#[test]
fn no_line_is_wider_than_100_columns() {
    none_of(sizes::width(&Tree::of_repository()));
}

#[test]
fn no_file_is_longer_than_500_lines_without_a_reason() {
    none_of(sizes::files(&Tree::of_repository(), sizes::LONG_FILES));
}

#[test]
fn no_function_is_longer_than_60_lines() {
    none_of(sizes::function_lines(&Tree::of_repository()));
}

#[test]
fn no_part_imports_from_the_wrong_floor() {
    none_of(floors::check(&Tree::of_repository()));
}

#[test]
fn no_banned_name_is_used() {
    none_of(banned::check(&Tree::of_repository()));
}

#[test]
fn no_unsafe_stands_outside_the_named_files() {
    none_of(unsafety::check(&Tree::of_repository(), unsafety::FORBIDDING, unsafety::PERMITTED));
}

#[test]
fn no_file_is_there_that_nothing_uses() {
    none_of(unused::check(&Tree::of_repository()));
}

#[test]
fn no_note_to_oneself_and_no_path_of_one_machine_is_left() {
    none_of(words::check(&Tree::of_repository()));
}
