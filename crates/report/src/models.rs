//! Names, order and colors of the models, the same in every table and picture.

/// Color-blind-safe colors of Okabe and Ito (2002), without yellow, which is too light for lines.
pub(crate) type Color = (u8, u8, u8);

/// Color of models unknown here.
const OTHER: Color = (110, 110, 110);

struct Known {
    id: &'static str,
    title: &'static str,
    color: Color,
}

/// How many of [`KNOWN`] are the paper's.
const PAPERS: usize = 7;

/// In the order of the paper's table 3, then sequence models that it does not have, in colors of Tol's
/// palette "muted" (2021).
const KNOWN: [Known; 9] = [
    Known { id: "lr", title: "LR", color: (0, 0, 0) },
    Known { id: "base_model", title: "BaseModel", color: (230, 159, 0) },
    Known { id: "wide_deep", title: "Wide&Deep", color: (86, 180, 233) },
    Known { id: "pnn", title: "PNN", color: (0, 158, 115) },
    Known { id: "deepfm", title: "DeepFM", color: (0, 114, 178) },
    Known { id: "din", title: "DIN", color: (213, 94, 0) },
    Known { id: "din_dice", title: "DIN with Dice", color: (204, 121, 167) },
    Known { id: "gru", title: "GRU", color: (153, 153, 51) },
    Known { id: "bst", title: "BST", color: (136, 34, 85) },
];

/// The model that RelaImpr is over.
pub(crate) const BASE: &str = "base_model";

/// Identifiers of the paper's models in the order of its table 3.
pub(crate) fn paper_models() -> impl Iterator<Item = &'static str> {
    KNOWN[..PAPERS].iter().map(|known| known.id)
}

/// Identifiers of the models known here that the paper does not have.
pub(crate) fn other_models() -> impl Iterator<Item = &'static str> {
    KNOWN[PAPERS..].iter().map(|known| known.id)
}

/// Place in tables: the paper's order, then the other known ones, then all others by name.
pub(crate) fn rank(id: &str) -> (usize, &str) {
    (KNOWN.iter().position(|known| known.id == id).unwrap_or(KNOWN.len()), id)
}

/// The name that tables print; an unknown model keeps its identifier.
pub(crate) fn title(id: &str) -> &str {
    KNOWN.iter().find(|known| known.id == id).map_or(id, |known| known.title)
}

/// The color of lines and marks.
pub(crate) fn color(id: &str) -> Color {
    KNOWN.iter().find(|known| known.id == id).map_or(OTHER, |known| known.color)
}

/// Colors for datasets side by side in one picture: those farthest apart first.
pub(crate) fn series_color(index: usize) -> Color {
    const ORDER: [&str; 6] = ["deepfm", "din", "pnn", "base_model", "din_dice", "wide_deep"];
    color(ORDER[index % ORDER.len()])
}

/// The color as CSS; black becomes the text's color, so that it is seen on a dark page.
pub(crate) fn css_color(id: &str) -> String {
    css(color(id))
}

/// The same for any color.
pub(crate) fn css((red, green, blue): Color) -> String {
    if (red, green, blue) == (0, 0, 0) {
        return "currentColor".into();
    }
    format!("#{red:02x}{green:02x}{blue:02x}")
}
