//! Marks on lines, so that color is not all that tells them apart.

use crate::picture::{Canvas, SCALE};
use crate::plot::Drawn;
use plotters::prelude::*;

/// The mark of a number; there are six.
pub(crate) fn draw_mark(
    area: &Canvas,
    number: usize,
    color: RGBColor,
    place: (i32, i32),
    size: i32,
) -> Drawn {
    let fill = color.filled();
    let polygon = |corners: &[(i32, i32)]| {
        let at = |&(x, y): &(i32, i32)| (place.0 + x * size / 2, place.1 + y * size / 2);
        Polygon::new(corners.iter().map(at).collect::<Vec<_>>(), fill)
    };
    match number % 6 {
        0 => area.draw(&Circle::new(place, size, fill))?,
        1 => area.draw(&TriangleMarker::new(place, size * 2, fill))?,
        2 => area.draw(&Cross::new(place, size, color.stroke_width(2 * SCALE)))?,
        3 => area.draw(&polygon(&[(-2, -2), (2, -2), (2, 2), (-2, 2)]))?,
        4 => area.draw(&polygon(&[(0, -3), (3, 0), (0, 3), (-3, 0)]))?,
        _ => area.draw(&polygon(&[(-3, -2), (3, -2), (0, 3)]))?,
    }
    Ok(())
}
