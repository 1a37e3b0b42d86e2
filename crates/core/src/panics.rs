//! What a caught panic said.

use std::any::Any;

/// The message in the payload of a caught panic; none when it carries no text.
pub fn panic_text(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_text_are_found() {
        assert_eq!(panic_text(&"as it stands"), Some("as it stands"));
        assert_eq!(panic_text(&format!("with {}", 1)), Some("with 1"));
        assert_eq!(panic_text(&7), None);
    }
}
