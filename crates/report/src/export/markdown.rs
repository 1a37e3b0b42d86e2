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
        table.columns.iter().map(|column| escape(&column.full_title())).collect();
    let rules: Vec<&str> =
        table.columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    text.push_str(&format!("| {} |\n| {} |\n", headings.join(" | "), rules.join(" | ")));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|entry| escape(&entry.text)).collect();
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

/// Text that Markdown and the HTML inside it show as it is.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_table() {
        assert_eq!(escape("a|b_<script>\n"), "a\\|b\\_&lt;script&gt; ");
    }
}
