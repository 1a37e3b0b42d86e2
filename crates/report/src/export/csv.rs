//! Comma-separated values (RFC 4180), with `\n` between lines.

/// A header and lines, quoted where needed.
pub(crate) fn render(header: &[&str], lines: &[Vec<String>]) -> String {
    let mut text = header.join(",");
    text.push('\n');
    for line in lines {
        let cells: Vec<String> = line.iter().map(|cell| quote(cell)).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_string()
    }
}

/// A number with all its digits, empty for none.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_is_quoted() {
        let text = render(&["a", "b"], &[vec!["x, \"y\"".into(), "z".into()]]);
        assert_eq!(text, "a,b\n\"x, \"\"y\"\"\",z\n");
        assert_eq!(number(Some(0.1 + 0.2)), "0.30000000000000004");
        assert_eq!(number(None), "");
    }
}
