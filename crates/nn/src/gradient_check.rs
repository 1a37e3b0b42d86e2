//! Gradients against central differences: the check that every layer and model must pass.

use crate::{Network, Result};
use ctr_core::{Batch, RandomStream};

/// The largest disagreement found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disagreement {
    /// Weight and index of the worst.
    pub place: String,
    /// |analytic − numeric| / max(|analytic|, |numeric|, floor).
    pub relative: f64,
    /// The gradient of the backward pass there.
    pub analytic: f64,
    /// The central difference there.
    pub numeric: f64,
    /// Number of weights compared.
    pub compared: usize,
    /// Number of weights left out, because a kink (of PReLU) lies within `h` of them: there the
    /// differences of step `h` and `h / 2` disagree with each other, or the slopes above and below do.
    pub kinks: usize,
}

/// Compares up to `per_weight` entries of every parameter and of every table of `network` with central
/// differences of the training loss, step `h`, and gives the worst. Gradients below `floor` are compared
/// absolutely: the loss is a mean of f32 logits, so a difference carries noise of about 1e-7 / h.
///
/// # Errors
/// Those of [`Network::gradients`].
pub fn worst_disagreement(
    network: &mut Network,
    batch: &Batch,
    stream: &mut RandomStream,
    per_weight: usize,
    h: f32,
    floor: f64,
) -> Result<Disagreement> {
    let gradients = network.gradients(batch)?;
    let mut worst = Disagreement::default();
    let mut compare = |name: &str, index: usize, analytic: f32, [whole, half]: [Slope; 2]| {
        let analytic = f64::from(analytic);
        let numeric = whole.central;
        let size = analytic.abs().max(numeric.abs()).max(floor);
        // A kink right at the weight is the same to both steps, but the bend of a smooth loss grows with
        // the step.
        let sharp = (whole.bend - 2.0 * half.bend).abs() > 0.01 * size;
        if (numeric - half.central).abs() > 0.003 * size || sharp {
            worst.kinks += 1;
            return;
        }
        let relative = (analytic - numeric).abs() / size;
        worst.compared += 1;
        if relative.is_nan() || relative > worst.relative || worst.place.is_empty() {
            worst.relative = relative;
            worst.place = format!("{name}[{index}]");
            (worst.analytic, worst.numeric) = (analytic, numeric);
        }
    };
    for parameter in 0..network.weights.parameters.len() {
        let name = network.weights.parameters[parameter].name.clone();
        let count = network.weights.parameters[parameter].values().len();
        for index in sample(count, per_weight, stream) {
            let numeric = slopes(network, batch, h, gradients.loss, |network, value| {
                let place = &mut network.weights.parameters[parameter].values_mut()[index];
                std::mem::replace(place, value.unwrap_or(*place))
            })?;
            compare(&name, index, gradients.parameters[parameter][index], numeric);
        }
    }
    for table in 0..network.weights.tables.len() {
        let name = network.weights.tables[table].name.clone();
        let dim = network.weights.tables[table].dim;
        let found = &gradients.tables[table];
        for index in sample(found.values.len(), per_weight, stream) {
            let place = found.rows[index / dim] as usize * dim + index % dim;
            let numeric = slopes(network, batch, h, gradients.loss, |network, value| {
                let place = &mut network.weights.tables[table].values_mut()[place];
                std::mem::replace(place, value.unwrap_or(*place))
            })?;
            compare(&name, place, found.values[index], numeric);
        }
    }
    Ok(worst)
}

/// Up to `most` indices below `count`, without repetition.
fn sample(count: usize, most: usize, stream: &mut RandomStream) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..count).collect();
    stream.shuffle(&mut indices);
    indices.truncate(most);
    indices
}

/// What the loss does around a weight.
struct Slope {
    /// Central difference.
    central: f64,
    /// Slope above less slope below.
    bend: f64,
}

/// Slopes of the loss with step `h` and with half of it.
fn slopes(
    network: &mut Network,
    batch: &Batch,
    h: f32,
    loss: f64,
    exchange: impl Fn(&mut Network, Option<f32>) -> f32,
) -> Result<[Slope; 2]> {
    let value = exchange(network, None);
    let mut slope = |h: f32| -> Result<Slope> {
        exchange(network, Some(value + h));
        let above = network.gradients(batch)?.loss;
        exchange(network, Some(value - h));
        let below = network.gradients(batch)?.loss;
        // What became of the step in f32.
        let up = f64::from(value + h) - f64::from(value);
        let down = f64::from(value) - f64::from(value - h);
        Ok(Slope {
            central: (above - below) / (up + down),
            bend: (above - loss) / up - (loss - below) / down,
        })
    };
    let both = [slope(h)?, slope(h / 2.0)?];
    exchange(network, Some(value));
    Ok(both)
}
