//! GitHub Markdown.

use crate::table::Table;

/// A whole file of tables under one heading.
pub(crate) fn document(title: &str, tables: &[Table], notes: &[String]) -> String {
    let mut text = format!("# {}\n", escape(title));
    for table in tables {
        text.push('\n');
        text.push_str(&render(table));
    }
    if !notes.is_empty() {
        text.push_str("\n## Notes\n\n");
        for note in notes {
            text.push_str(&format!("- {}\n", escape(note)));
        }
    }
    text
}

fn render(table: &Table) -> String {
    let mut text = String::new();
    if let Some(alert) = &table.alert {
        text.push_str(&format!("> **{}**\n\n", escape(alert)));
    }
    text.push_str(&format!("{}\n\n", escape(&table.caption)));
    let headings: Vec<String> =
        table.columns.iter().map(|column| cell(&column.full_title())).collect();
    let rules: Vec<&str> =
        table.columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    text.push_str(&format!("| {} |\n| {} |\n", headings.join(" | "), rules.join(" | ")));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|entry| cell(&entry.text)).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if !table.notes.is_empty() {
        text.push('\n');
        for note in &table.notes {
            text.push_str(&format!("- {}\n", escape(note)));
        }
    }
    if !table.sources.is_empty() {
        text.push_str("\nRuns behind each number:\n\n");
        for source in &table.sources {
            let runs: Vec<String> = source.runs.iter().map(|run| escape(run)).collect();
            text.push_str(&format!("- {}: {}\n", escape(&source.title), runs.join(", ")));
        }
    }
    text
}

/// Text that Markdown and the HTML inside it show as it is. What is harmless where it stands is kept,
/// because the file is also read as plain text.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    let mut before = ' ';
    for (position, c) in text.char_indices() {
        let after = &text[position + c.len_utf8()..];
        match c {
            '\\' | '`' | '*' | '[' | ']' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            // Inside a word it is no emphasis.
            '_' if !(before.is_alphanumeric() && after.starts_with(char::is_alphanumeric)) => {
                escaped.push_str("\\_");
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' if is_entity(after) => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
        before = c;
    }
    escaped
}

/// The same inside a table, where a bar would end the cell.
fn cell(text: &str) -> String {
    escape(text).replace('|', "\\|")
}

/// Whether the text after an ampersand makes it an entity.
fn is_entity(after: &str) -> bool {
    after.split_once(';').is_some_and(|(name, _)| {
        let name = name.strip_prefix('#').unwrap_or(name);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_table() {
        assert_eq!(cell("a|b_<script>\n"), "a\\|b\\_&lt;script&gt; ");
        assert_eq!(escape("Wide&Deep wide_deep a|b"), "Wide&Deep wide_deep a|b");
        assert_eq!(escape("&lt;b&#x3e; *x* [y](z)"), "&amp;lt;b&amp;#x3e; \\*x\\* \\[y\\](z)");
    }
}
