//! Series made short enough to draw.

/// Most points of a drawn line.
pub(super) const MOST_POINTS: usize = 600;
/// Most rows of the table behind a chart.
pub(super) const MOST_ROWS: usize = 30;

/// How the points of a bucket become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// For rates.
    Mean,
    /// For latencies and backlogs: a spike must stay visible.
    Max,
}

/// A point: time in seconds and value.
pub(super) type Point = (f64, f64);

/// At most `most` points: consecutive ones are folded in buckets of equal size, each at the time of
/// its last. Returns the bucket's size too (1: nothing was folded).
pub(super) fn decimate(points: &[Point], most: usize, fold: Fold) -> (Vec<Point>, usize) {
    let size = points.len().div_ceil(most.max(1)).max(1);
    if size == 1 {
        return (points.to_vec(), 1);
    }
    let folded = points
        .chunks(size)
        .filter_map(|bucket| {
            let t = bucket.last()?.0;
            let values = bucket.iter().map(|p| p.1);
            let value = match fold {
                Fold::Mean => values.sum::<f64>() / bucket.len() as f64,
                Fold::Max => values.fold(f64::NEG_INFINITY, f64::max),
            };
            Some((t, value))
        })
        .collect();
    (folded, size)
}

/// Says how the points of a chart were folded.
pub(super) fn fold_note(size: usize, fold: Fold) -> String {
    let how = match fold {
        Fold::Mean => "mean",
        Fold::Max => "largest",
    };
    if size <= 1 {
        "One point per interval.".to_owned()
    } else {
        format!("Each point is the {how} of {size} intervals.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spike_survives_folding_by_maximum() {
        let mut points: Vec<Point> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        points[7_777].1 = 99.0;
        let (folded, size) = decimate(&points, 600, Fold::Max);
        assert!(folded.len() <= 600 && size > 1);
        assert!(folded.iter().any(|p| p.1 == 99.0));
    }

    proptest! {
        #[test]
        fn folding_keeps_order_bounds_and_the_last_time(n in 0usize..3000, most in 1usize..700) {
            let points: Vec<Point> = (0..n).map(|i| (i as f64, (i % 7) as f64)).collect();
            for fold in [Fold::Mean, Fold::Max] {
                let (folded, _) = decimate(&points, most, fold);
                prop_assert!(folded.len() <= most);
                prop_assert!(folded.windows(2).all(|w| w[0].0 < w[1].0));
                prop_assert_eq!(folded.last().map(|p| p.0), points.last().map(|p| p.0));
                prop_assert!(folded.iter().all(|p| (0.0..=6.0).contains(&p.1)));
            }
        }
    }
}
