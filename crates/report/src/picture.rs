//! Drawing into memory and encoding as PNG, equal on every machine.

use crate::{Error, Result};
use plotters::backend::BitMapBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::style::{FontStyle, WHITE, register_font};

/// Name under which the embedded DejaVu Sans is known to plotters.
pub(crate) const FONT: &str = "DejaVu Sans";

/// Pictures are drawn this many times larger in each direction and then averaged, because the bitmap
/// backend draws lines without smoothing. All sizes given to it are multiplied by this.
pub(crate) const SCALE: u32 = 2;

/// The canvas of a picture.
pub(crate) type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Draws on a white canvas of `width` × `height` final pixels and returns the PNG file.
///
/// # Errors
/// What the drawing or the encoder said, with the picture's name.
pub(crate) fn png(
    name: &str,
    width: u32,
    height: u32,
    draw: impl FnOnce(&Canvas) -> std::result::Result<(), Box<dyn std::error::Error>>,
) -> Result<Vec<u8>> {
    let fail = |reason: String| Error::Picture { name: name.into(), reason };
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| fail("the embedded font cannot be read".into()))?;
    let (wide, high) = (width * SCALE, height * SCALE);
    let mut pixels = vec![0u8; (wide * high * 3) as usize];
    {
        let canvas = BitMapBackend::with_buffer(&mut pixels, (wide, high)).into_drawing_area();
        canvas.fill(&WHITE).map_err(|error| fail(error.to_string()))?;
        draw(&canvas).map_err(|error| fail(error.to_string()))?;
        canvas.present().map_err(|error| fail(error.to_string()))?;
    }
    encode(&shrink(&pixels, wide as usize), width, height).map_err(|error| fail(error.to_string()))
}

/// Averages squares of [`SCALE`]² pixels.
fn shrink(pixels: &[u8], wide: usize) -> Vec<u8> {
    let scale = SCALE as usize;
    let mut small = Vec::with_capacity(pixels.len() / (scale * scale));
    for rows in pixels.chunks_exact(wide * 3 * scale) {
        for x in 0..wide / scale {
            for channel in 0..3 {
                let mut sum = 0usize;
                for row in rows.chunks_exact(wide * 3) {
                    sum += (0..scale)
                        .map(|i| row[(x * scale + i) * 3 + channel] as usize)
                        .sum::<usize>();
                }
                small.push((sum / (scale * scale)) as u8);
            }
        }
    }
    small
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

    #[test]
    fn shrinking_averages_squares() {
        // Two by two pixels of one color each, twice beside one another.
        let row = [[0u8, 10, 20], [4, 10, 20], [100, 0, 0], [100, 0, 0]].concat();
        let pixels = [row.clone(), row].concat();
        assert_eq!(shrink(&pixels, 4), [2, 10, 20, 100, 0, 0]);
    }
}
