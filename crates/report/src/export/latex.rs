//! LaTeX with the package booktabs.

use crate::table::{NONE, Table};

/// A file of tables to `\input`, with a paragraph of notes on all of them.
pub(crate) fn document(tables: &[Table], notes: &[String]) -> String {
    let mut text = String::from("% Needs \\usepackage{booktabs} and \\usepackage{graphicx}.\n");
    for table in tables {
        text.push('\n');
        text.push_str(&render(table));
    }
    if !notes.is_empty() {
        let notes: Vec<String> = notes.iter().map(|note| escape(note)).collect();
        text.push_str(&format!("\n{{\\footnotesize\\noindent {}\\par}}\n", notes.join("\n")));
    }
    text
}

fn render(table: &Table) -> String {
    let alert = table
        .alert
        .as_ref()
        .map_or_else(String::new, |alert| format!("\\textbf{{{}}} ", escape(alert)));
    let form: String =
        table.columns.iter().map(|column| if column.number { 'r' } else { 'l' }).collect();
    let mut text = format!(
        "\\begin{{table*}}[t]\n\\caption{{{alert}{}}}\n\\label{{tab:{}}}\n\\centering\n\
         \\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n\
         \\begin{{tabular}}{{{form}}}\n\\toprule\n",
        escape(&table.caption),
        table.id
    );
    if table.columns.iter().any(|column| !column.group.is_empty()) {
        text.push_str(&group_headings(table));
    }
    let titles: Vec<String> = table.columns.iter().map(|column| escape(&column.title)).collect();
    text.push_str(&format!("{} \\\\\n\\midrule\n", titles.join(" & ")));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|entry| escape(&entry.text)).collect();
        text.push_str(&format!("{} \\\\\n", cells.join(" & ")));
    }
    text.push_str("\\bottomrule\n\\end{tabular}}\n");
    if !table.notes.is_empty() {
        let notes: Vec<String> = table.notes.iter().map(|note| escape(note)).collect();
        text.push_str(&format!(
            "\\par\\smallskip\\footnotesize\\raggedright {}\n",
            notes.join(" ")
        ));
    }
    for source in &table.sources {
        text.push_str(&format!(
            "% {}: {}\n",
            comment(&source.title),
            comment(&source.runs.join(", "))
        ));
    }
    text.push_str("\\end{table*}\n");
    text
}

/// The upper of two lines of headings, with a rule under each group.
fn group_headings(table: &Table) -> String {
    let (mut cells, mut rules, mut first) = (Vec::new(), String::new(), 0);
    for chunk in table.columns.chunk_by(|a, b| a.group == b.group) {
        let last = first + chunk.len();
        match chunk.first() {
            Some(column) if !column.group.is_empty() => {
                let group = escape(&column.group);
                cells.push(format!("\\multicolumn{{{}}}{{c}}{{{group}}}", chunk.len()));
                rules.push_str(&format!("\\cmidrule(lr){{{}-{last}}}", first + 1));
            }
            _ => cells.push("&".repeat(chunk.len() - 1)),
        }
        first = last;
    }
    format!("{} \\\\\n{rules}\n", cells.join(" & "))
}

/// A comment ends with its line.
fn comment(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Text that LaTeX prints as it is.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            // Signatures are long and have no other place to break.
            '|' => escaped.push_str("\\textbar\\allowbreak{}"),
            '"' => escaped.push_str("''"),
            '±' => escaped.push_str("$\\pm$"),
            '−' => escaped.push_str("$-$"),
            'λ' => escaped.push_str("$\\lambda$"),
            '⊙' => escaped.push_str("$\\odot$"),
            '√' => escaped.push_str("$\\surd$"),
            '→' => escaped.push_str("$\\rightarrow$"),
            '†' => escaped.push_str("\\dag{}"),
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped.replace(NONE, "---")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(
            escape("Wide&Deep +1.52% a_b 1 ± 2 — λ → 3"),
            "Wide\\&Deep +1.52\\% a\\_b 1 $\\pm$ 2 --- $\\lambda$ $\\rightarrow$ 3"
        );
        assert_eq!(escape("\\x{~}"), "\\textbackslash{}x\\{\\textasciitilde{}\\}");
    }

    #[test]
    fn groups_span_their_columns() {
        let table = Table {
            columns: vec![
                Column::text("model"),
                Column::number("paper", "gAUC"),
                Column::number("paper", "RelaImpr"),
                Column::number("ours", "gAUC"),
            ],
            ..Table::default()
        };
        assert_eq!(
            group_headings(&table),
            " & \\multicolumn{2}{c}{paper} & \\multicolumn{1}{c}{ours} \\\\\n\
             \\cmidrule(lr){2-3}\\cmidrule(lr){4-4}\n"
        );
    }
}
