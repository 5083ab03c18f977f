//! Medians and quartiles.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Quartiles {
    pub(crate) lower: f64,
    pub(crate) median: f64,
    pub(crate) upper: f64,
}

impl Quartiles {
    pub(crate) fn of(sample: &[f64]) -> Self {
        let [lower, median, upper] = [0.25, 0.5, 0.75].map(|share| percentile(sample, share));
        Self { lower, median, upper }
    }
}

/// The smallest value of the sample that at least this share of it does not exceed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a sample of hundreds"
)]
pub(crate) fn percentile(sample: &[f64], share: f64) -> f64 {
    let mut sample = sample.to_vec();
    sample.sort_by(f64::total_cmp);
    let place = (sample.len() as f64 * share).ceil() as usize;
    sample.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_of_the_sample() {
        let sample: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert!((percentile(&sample, 0.99) - 99.0).abs() < f64::EPSILON);
        assert_eq!(Quartiles::of(&sample), Quartiles { lower: 25.0, median: 50.0, upper: 75.0 });
        assert_eq!(Quartiles::of(&[2.0]), Quartiles { lower: 2.0, median: 2.0, upper: 2.0 });
    }
}
