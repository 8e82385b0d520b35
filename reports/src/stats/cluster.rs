//! How much less a clustered sample says than an independent one of the same size.

/// Design effect of the share of samples over a threshold, with one cluster per `(n, over)`: the
/// variance of the share with clusters left whole ÷ its variance were all samples independent.
/// `n ÷ design effect` independent samples would say as much as the n at hand. At least 1.
///
/// Slow operations come together (a pause, a checkpoint, a full queue), so seconds are the
/// clusters: operations within a second may depend on each other in any way, and only seconds are
/// taken as independent. The variance is the ratio estimator's for clusters of unequal size,
/// m ÷ (m − 1) · Σ (overᵢ − p nᵢ)² ÷ N², with m clusters, N = Σ nᵢ and p = Σ overᵢ ÷ N, against
/// p (1 − p) ÷ N. Sources: Cochran, *Sampling Techniques*, 3rd ed. (1977), ch. 9A (single-stage
/// sampling of clusters of unequal sizes, ratio-to-size estimate); Kish, *Survey Sampling* (1965),
/// ch. 5 and 8, for the design effect.
///
/// 1 where it cannot be told: no sample, or every sample, over the threshold, or fewer than two
/// clusters with samples. Clusters without samples are passed over; an `over` above its `n` counts
/// as `n`.
#[must_use]
pub fn design_effect(clusters: &[(u64, u64)]) -> f64 {
    let filled = || {
        let some = clusters.iter().filter(|(n, _)| *n > 0);
        some.map(|(n, over)| (*n as f64, (*over).min(*n) as f64))
    };
    let (m, n, over) = filled().fold((0.0, 0.0, 0.0), |(m, sum_n, sum_over), (n, over)| {
        (m + 1.0, sum_n + n, sum_over + over)
    });
    if m < 2.0 || over <= 0.0 || over >= n {
        return 1.0;
    }
    let share = over / n;
    let squares: f64 = filled().map(|(n, over)| (over - share * n).powi(2)).sum();
    let clustered = m / (m - 1.0) * squares / (n * n);
    let independent = share * (1.0 - share) / n;
    (clustered / independent).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// `seconds` clusters of about `n` samples, each over the threshold with its second's chance.
    fn clusters(
        seed: u64,
        seconds: u32,
        chance: impl Fn(&mut ChaCha8Rng) -> f64,
    ) -> Vec<(u64, u64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..seconds)
            .map(|_| {
                let n = rng.random_range(900..1100u64);
                let p = chance(&mut rng);
                (n, (0..n).filter(|_| rng.random::<f64>() < p).count() as u64)
            })
            .collect()
    }

    #[test]
    fn independent_samples_have_an_effect_near_one() {
        for seed in 0..20 {
            let effect = design_effect(&clusters(seed, 300, |_| 0.01));
            assert!((1.0..1.35).contains(&effect), "seed {seed}: {effect}");
        }
    }

    #[test]
    fn samples_that_are_slow_together_count_as_few() {
        // Every twentieth second is slow as a whole: a second then says as much as one sample,
        // so the effect is about the samples of a second.
        let whole = clusters(5, 2_000, |rng| if rng.random::<f64>() < 0.05 { 1.0 } else { 0.0 });
        let effect = design_effect(&whole);
        assert!((900.0..1100.0).contains(&effect), "{effect}");
        // Intraclass correlation ρ = Var(pᵢ) ÷ (p (1 − p)) gives 1 + (n − 1) ρ (Kish 1965, ch. 5).
        let mixed = clusters(6, 20_000, |rng| if rng.random::<bool>() { 0.0 } else { 0.02 });
        let expected = 1.0 + 999.0 * (0.01 * 0.01) / (0.01 * 0.99);
        let effect = design_effect(&mixed);
        assert!((effect / expected - 1.0).abs() < 0.1, "{effect} against {expected}");
    }

    #[test]
    fn an_effect_that_cannot_be_told_is_one() {
        assert_eq!(design_effect(&[]), 1.0);
        assert_eq!(design_effect(&[(100, 5)]), 1.0);
        assert_eq!(design_effect(&[(100, 0), (100, 0)]), 1.0);
        assert_eq!(design_effect(&[(100, 100), (50, 50)]), 1.0);
        assert_eq!(design_effect(&[(100, 5), (0, 0)]), 1.0);
    }

    proptest! {
        #[test]
        fn any_clusters_give_a_finite_effect_of_at_least_one(
            clusters in prop::collection::vec((any::<u64>(), any::<u64>()), 0..50),
        ) {
            let effect = design_effect(&clusters);
            prop_assert!(effect.is_finite() && effect >= 1.0, "{}", effect);
        }
    }
}
