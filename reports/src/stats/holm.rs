//! Many comparisons at once: Holm's step-down correction.
//!
//! Source: Holm (1979), "A simple sequentially rejective multiple test procedure". The chance of one or more
//! false alarms among all comparisons stays at the level, whatever their dependence.

/// Adjusted p-values, in the order given. A value that is not a number stays one, and counts as no comparison.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&i| !p_values[i].is_nan()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut highest: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        highest = highest.max(p_values[i] * (order.len() - rank) as f64).min(1.0);
        adjusted[i] = highest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_example_comes_out_as_published() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") of R.
        let got = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, expected) in got.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn what_cannot_be_compared_does_not_count() {
        let got = holm(&[0.02, f64::NAN]);
        assert!((got[0] - 0.02).abs() < 1e-12 && got[1].is_nan());
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn a_correction_never_makes_anything_more_significant(p in prop::collection::vec(0.0f64..=1.0, 0..30)) {
            for (before, after) in p.iter().zip(holm(&p)) {
                prop_assert!(after >= *before && after <= 1.0);
            }
        }
    }
}
