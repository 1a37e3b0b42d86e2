//! The nearest name to one that is unknown.

/// How alike two names must be. Measure and bound are clap's, so that flags and verbs, which it answers, and all other
/// names are answered alike.
const ALIKE: f64 = 0.7;

/// How alike names are when one letter is wrong, missing, too much or in its neighbor's place. That measure thinks
/// little of it in a short name: `dni` is not like `din`.
const A_LETTER: f64 = 0.95;

fn alike(given: &str, name: &str) -> f64 {
    let jaro = strsim::jaro(given, name);
    let slip = given.len() > 2 && strsim::osa_distance(given, name) == 1;
    if slip { jaro.max(A_LETTER) } else { jaro }
}

/// The known name most like the one given.
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let known = known.into_iter().map(|name| (alike(given, name), name));
    let near = known.filter(|&(alike, _)| alike > ALIKE);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// "; did you mean `x`?", or nothing where no known name is like the one given.
pub fn did_you_mean<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(given, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The same for what serde says of an unknown field or variant: it names what it has, in backticks, after what it
/// was given.
pub fn in_message(message: &str) -> String {
    let Some(begin) = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|begin| message.find(begin).map(|at| at + begin.len()))
    else {
        return String::new();
    };
    // Odd pieces lie between the words.
    let mut words = message[begin..].split('`').step_by(2);
    let given = words.next().unwrap_or_default();
    did_you_mean(given, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn the_nearest_is_named_when_it_is_near() {
        assert_eq!(did_you_mean("dinn", ["lr", "din", "din_dice"]), "; did you mean `din`?");
        assert_eq!(
            nearest("amazon-beuty", ["amazon-books", "amazon-beauty"]),
            Some("amazon-beauty")
        );
        assert_eq!(nearest("dni", ["lr", "pnn", "din"]), Some("din"));
        assert_eq!(did_you_mean("xyz", ["lr", "din"]), "");
        assert_eq!(did_you_mean("x", []), "");
    }

    #[test]
    fn what_serde_says_is_understood() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "snake_case")]
        #[allow(dead_code)]
        enum Kind {
            Dropout { rate: f64, vocabularies: f64 },
            Filter,
        }
        let told =
            |text: &str| in_message(&serde_json::from_str::<Kind>(text).unwrap_err().to_string());
        assert_eq!(told(r#"{"dropuot": {}}"#), "; did you mean `dropout`?");
        assert_eq!(told(r#"{"dropout": {"rat": 1}}"#), "; did you mean `rate`?");
        assert_eq!(told(r#"{"dropout": {"x": 1}}"#), "");
        assert_eq!(told(r#"{"dropout": 1}"#), "");
    }
}
