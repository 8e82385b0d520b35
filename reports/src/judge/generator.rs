//! Whether the generator's own figures let a measurement be trusted.

use crate::record::{GeneratorSummary, OperationSummary};
use crate::units::{count, percent, rate};

/// Share of the schedule that must have been handed over.
const HELD_AT_LEAST: f64 = 0.99;
/// Share of its own ceiling beyond which the generator may be what was measured.
const UTILISATION_AT_MOST: f64 = 0.8;

/// Why the generator's own figures make the measurement untrustworthy; empty where they do not.
///
/// Faults are: a dropped arrival, less than 99 % of the schedule handed over, an offered rate over
/// 80 % of the generator's ceiling, and Little's law broken on any operation.
#[must_use]
pub fn generator_faults(
    generator: &GeneratorSummary,
    operations: &[OperationSummary],
) -> Vec<String> {
    let mut faults = Vec::new();
    if generator.dropped > 0 {
        faults.push(format!(
            "the generator dropped {} arrivals whose lane was full; lower --scale",
            count(generator.dropped)
        ));
    }
    // `held` is 0 ÷ 0 in a run that scheduled nothing; that is inconclusive, not invalid.
    if generator.scheduled > 0 && generator.held < HELD_AT_LEAST {
        faults.push(format!(
            "the generator held only {} of its schedule; lower --scale",
            percent(generator.held)
        ));
    }
    if generator.utilisation > UTILISATION_AT_MOST {
        faults.push(format!(
            "the offered rate is {} of the generator's own ceiling of {}/s; lower --scale or use a \
             faster machine",
            percent(generator.utilisation),
            rate(generator.ceiling_events_per_s)
        ));
    }
    for operation in operations {
        if let Some(law) = &operation.littles_law
            && law.holds == Some(false)
        {
            faults.push(format!(
                "Little's law does not hold for {}: {} in flight, {} expected; this is a bug in \
                 odg-bench",
                operation.name,
                rate(law.measured_in_flight),
                rate(law.expected_in_flight)
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LittlesLaw;

    #[test]
    fn each_fault_of_the_generator_is_named() {
        let good = GeneratorSummary {
            scheduled: 100,
            dispatched: 100,
            held: 1.0,
            utilisation: 0.2,
            ..GeneratorSummary::default()
        };
        assert!(generator_faults(&good, &[]).is_empty());
        assert!(generator_faults(&GeneratorSummary::default(), &[]).is_empty());
        let bad = GeneratorSummary { dropped: 1, held: 0.98, utilisation: 0.9, ..good.clone() };
        let operation = OperationSummary {
            name: "s3.put".into(),
            littles_law: Some(LittlesLaw { holds: Some(false), ..LittlesLaw::default() }),
            ..OperationSummary::default()
        };
        assert_eq!(generator_faults(&bad, &[operation]).len(), 4);
    }
}
