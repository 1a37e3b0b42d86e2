//! One drawing as SVG and as PNG, equal on every machine.

use crate::hover::Plot;
use crate::{Error, Result};
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::style::{FontStyle, WHITE, register_font};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, WriteOptions, fontdb::Database};
use std::sync::Arc;

/// Name under which the embedded DejaVu Sans is known.
pub(crate) const FONT: &str = "DejaVu Sans";

/// Pictures are drawn this many times larger in each direction, because plotters places everything on whole
/// pixels. All sizes given to it are multiplied by this.
pub(crate) const SCALE: u32 = 2;

/// The canvas of a picture.
pub(crate) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The files of a picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    /// Letters are outlines, so that no font is needed to show it.
    pub svg: Vec<u8>,
    pub png: Vec<u8>,
    /// The axes in it.
    pub plots: Vec<Plot>,
}

/// What painting on a canvas gives: the axes that the page's pointer knows.
pub(crate) type Painted = std::result::Result<Vec<Plot>, Box<dyn std::error::Error>>;

/// Draws on a white canvas of `width` × `height` final pixels.
///
/// # Errors
/// What the drawing or an encoder said, with the picture's name.
pub(crate) fn draw(
    name: &str,
    (width, height): (u32, u32),
    paint: impl FnOnce(&Canvas) -> Painted,
) -> Result<Drawing> {
    let fail = |reason: String| Error::Picture { name: name.into(), reason };
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| fail("the embedded font cannot be read".into()))?;
    let (wide, high) = (width * SCALE, height * SCALE);
    let mut drawn = String::new();
    let plots = {
        let canvas = SVGBackend::with_string(&mut drawn, (wide, high)).into_drawing_area();
        canvas.fill(&WHITE).map_err(|error| fail(error.to_string()))?;
        let plots = paint(&canvas).map_err(|error| fail(error.to_string()))?;
        canvas.present().map_err(|error| fail(error.to_string()))?;
        plots
    };
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    let options =
        Options { fontdb: Arc::new(fonts), font_family: FONT.into(), ..Options::default() };
    let tree = Tree::from_str(&drawn, &options).map_err(|error| fail(error.to_string()))?;
    let png = pixels(&tree, width, height).ok_or_else(|| fail("it has no pixels".into()))?;
    let png = encode(&png, width, height).map_err(|error| fail(error.to_string()))?;
    let outlines = WriteOptions {
        coordinates_precision: 2,
        transforms_precision: 4,
        ..WriteOptions::default()
    };
    let svg = shown_at(&tree.to_string(&outlines), (width, height), (wide, high));
    Ok(Drawing { svg: svg.into_bytes(), png, plots })
}

/// The image in its final size, red, green and blue a pixel.
fn pixels(tree: &Tree, width: u32, height: u32) -> Option<Vec<u8>> {
    let mut image = Pixmap::new(width, height)?;
    let smaller = 1.0 / SCALE as f32;
    resvg::render(tree, Transform::from_scale(smaller, smaller), &mut image.as_mut());
    // The canvas is white all over, so that nothing shines through.
    Some(image.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
}

/// The drawing with its final size, at the coordinates that it was drawn in.
fn shown_at(svg: &str, (width, height): (u32, u32), (wide, high): (u32, u32)) -> String {
    let drawn = format!("width=\"{wide}\" height=\"{high}\"");
    let shown = format!("width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {wide} {high}\"");
    svg.replacen(&drawn, &shown, 1)
}

fn encode(
    pixels: &[u8],
    width: u32,
    height: u32,
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::prelude::*;

    #[test]
    fn both_files_show_the_drawing_and_need_no_font() {
        let paint = |canvas: &Canvas| -> Painted {
            let left = Rectangle::new([(0, 0), (100, 80)], RGBColor(213, 94, 0).filled());
            canvas.draw(&left)?;
            let style = (FONT, 40.0).into_font().color(&BLACK);
            canvas.draw(&Text::new("a <b> & c", (110, 20), style))?;
            Ok(Vec::new())
        };
        let drawing = draw("test", (200, 40), paint).unwrap();
        assert_eq!(drawing, draw("test", (200, 40), paint).unwrap());
        let svg = String::from_utf8(drawing.svg).unwrap();
        assert!(svg.contains("width=\"200\" height=\"40\" viewBox=\"0 0 400 80\""), "{svg}");
        assert!(svg.contains("#d55e00") && svg.contains("<path"), "{svg}");
        assert!(!svg.contains("<text") && !svg.contains("font-family"), "{svg}");

        let mut reader =
            png::Decoder::new(std::io::Cursor::new(&drawing.png[..])).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (200, 40));
        let at = |x: usize, y: usize| &pixels[(y * 200 + x) * 3..][..3];
        assert_eq!(at(25, 20), [213, 94, 0]);
        assert_eq!(at(198, 38), [255, 255, 255]);
        // Letters: dark pixels to the right of the rectangle.
        let dark = (0..40).flat_map(|y| (52..200).map(move |x| (x, y)));
        assert!(dark.filter(|&(x, y)| at(x, y)[0] < 100).count() > 50);
    }
}
