//! Numbers as text.

use crate::stats::Summary;

/// A gAUC: four digits.
pub(crate) fn gauc(value: f64) -> String {
    format!("{value:.4}")
}

/// A percentage with its sign: `+1.52%`.
pub(crate) fn percent(value: f64) -> String {
    format!("{}%", signed(value, 2))
}

/// A difference with its sign.
pub(crate) fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:+.digits$}");
    // What rounds to zero has no sign worth printing but needs one for the column's form.
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
        text.replacen('-', "+", 1)
    } else {
        text
    }
}

/// A p-value; resampling tells no small ones apart.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.0005 { "<0.0005".into() } else { format!("{p:.4}") }
}

/// A mean gAUC with its spread and number of seeds: `0.8698 ± 0.0006 (n=5)`, `0.8698 (n=1)`.
pub(crate) fn gauc_summary(summary: &Summary) -> String {
    match summary.std {
        Some(std) => format!("{} ± {} (n={})", gauc(summary.mean), gauc(std), summary.n),
        None => format!("{} (n={})", gauc(summary.mean), summary.n),
    }
}

/// A whole number with commas: `1,689,188`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in the unit a reader would choose.
pub(crate) fn seconds(value: f64) -> String {
    match value {
        value if value < 60.0 => format!("{value:.1} s"),
        value if value < 3600.0 => format!("{:.1} min", value / 60.0),
        value => format!("{:.1} h", value / 3600.0),
    }
}

/// Memory in MiB or GiB.
pub(crate) fn bytes(value: u64) -> String {
    let mebibytes = value as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.2} GiB", mebibytes / 1024.0)
    }
}

/// The value cut to a number of decimals.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// A name for files: letters, digits, dots and dashes stay, all else becomes `-`.
pub(crate) fn file_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "unnamed".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_forms_of_the_paper() {
        assert_eq!(gauc(0.869_84), "0.8698");
        assert_eq!(percent(1.519), "+1.52%");
        assert_eq!(percent(-24.339), "-24.34%");
        assert_eq!(percent(-0.001), "+0.00%");
        assert_eq!(signed(-0.0012, 4), "-0.0012");
        assert_eq!(count(1_689_188), "1,689,188");
        assert_eq!(count(801), "801");
        assert_eq!(count(0), "0");
        assert_eq!(gauc_summary(&Summary { n: 1, mean: 0.5, std: None }), "0.5000 (n=1)");
        assert_eq!(
            gauc_summary(&Summary { n: 3, mean: 0.87, std: Some(0.000_56) }),
            "0.8700 ± 0.0006 (n=3)"
        );
        assert_eq!(seconds(90.0), "1.5 min");
        assert_eq!(bytes(3 << 29), "1.50 GiB");
    }

    #[test]
    fn file_names_cannot_leave_the_folder() {
        assert_eq!(file_name("../../etc/x<script>"), "etc-x-script");
        assert_eq!(file_name(".."), "unnamed");
        assert_eq!(file_name("amazon-beauty-held-out"), "amazon-beauty-held-out");
    }
}
