//! Sums against the machine that is promised, and connections against the database.

use odg_profiles::Profile;
use odg_profiles::values::{Amounts, Demand, Fact, PoolUse, Quantity, Unit};
use odg_reports::conformance::{Finding, Level, Relation};
use odg_reports::record::Verdict;

use super::compare::finding;
use super::requirement::{self, Requirement};
use super::row::Row;

/// One sum.
struct Sum {
    requirement: &'static Requirement,
    subject: &'static str,
    unit: Unit,
    promised: Quantity,
    of: fn(&Demand) -> Quantity,
    /// Whether a workload does not state it.
    silent: fn(&Demand) -> bool,
    /// Whether the exit code depends on it.
    counts: bool,
}

fn each(amount: fn(&Amounts) -> Option<Quantity>, amounts: &Amounts, replicas: u64) -> Quantity {
    amount(amounts).unwrap_or(Quantity::ZERO).times(replicas)
}

/// Compares the sums of what is taken with what is promised.
pub(super) fn totals(profile: &Profile, demands: &[Demand], level: Level) -> Vec<Finding> {
    let r = &profile.resources;
    let cpu = Quantity::whole(u64::from(r.vcpu));
    let memory = Quantity::whole(r.memory.bytes());
    let (requests, limits) = (&requirement::SUM_REQUESTS, &requirement::SUM_LIMITS);
    let (cores, bytes) = (Unit::Cores, Unit::Bytes);
    let sum = |requirement, subject, unit, promised, of, silent, counts| Sum {
        requirement,
        subject,
        unit,
        promised,
        of,
        silent,
        counts,
    };
    let requests_cpu = |d: &Demand| d.silent_requests.cpu && d.replicas > 0;
    let requests_memory = |d: &Demand| d.silent_requests.memory && d.replicas > 0;
    let limits_cpu = |d: &Demand| d.silent_limits.cpu && d.most > 0;
    let limits_memory = |d: &Demand| d.silent_limits.memory && d.most > 0;
    let gpus = Quantity::whole(u64::from(r.gpu));
    let storage = Quantity::whole(r.storage.bytes());
    let sums = [
        sum(
            requests,
            "cpu",
            cores,
            cpu,
            |d| each(|a| a.cpu, &d.requests, d.replicas),
            requests_cpu,
            true,
        ),
        sum(
            requests,
            "memory",
            bytes,
            memory,
            |d| each(|a| a.memory, &d.requests, d.replicas),
            requests_memory,
            true,
        ),
        sum(
            limits,
            "cpu",
            cores,
            cpu,
            |d| each(|a| a.cpu, &d.limits, d.replicas),
            limits_cpu,
            false,
        ),
        sum(
            limits,
            "memory",
            bytes,
            memory,
            |d| each(|a| a.memory, &d.limits, d.replicas),
            limits_memory,
            false,
        ),
        sum(
            limits,
            "cpu autoscaled",
            cores,
            cpu,
            |d| each(|a| a.cpu, &d.limits, d.most),
            limits_cpu,
            false,
        ),
        sum(
            limits,
            "memory autoscaled",
            bytes,
            memory,
            |d| each(|a| a.memory, &d.limits, d.most),
            limits_memory,
            false,
        ),
        sum(
            &requirement::SUM_GPU,
            "",
            Unit::Count,
            gpus,
            |d| each(|a| a.gpu, &d.requests.or(d.limits), d.replicas),
            // No GPU is asked for by saying nothing of it.
            |_| false,
            true,
        ),
        sum(
            &requirement::SUM_STORAGE,
            "",
            bytes,
            storage,
            |d| d.volume.times(d.replicas),
            |d| d.silent_volume && d.replicas > 0,
            true,
        ),
    ];
    sums.iter().map(|sum| judge(profile, sum, demands, level)).collect()
}

fn judge(profile: &Profile, sum: &Sum, demands: &[Demand], level: Level) -> Finding {
    let total = demands.iter().map(sum.of).fold(Quantity::ZERO, Quantity::plus);
    let at_least = profile.resources.at_least;
    let mut made = finding(sum.requirement, sum.subject, Row::Totals, level);
    // A bound with a `+` leaves room above it, but nobody has promised that room.
    made.required = sum.counts && !at_least;
    let plus = if at_least { "+" } else { "" };
    made.promised = format!("{}{plus}", Fact::Amount(sum.promised, sum.unit));
    made.source = "documented: Profile Comparison".to_owned();
    made.found = shown(total, sum.unit);
    made.place = largest(demands, sum.of);
    let counted = demands.iter().filter(|d| (sum.of)(d) > Quantity::ZERO).count();
    made.evidence = format!("over {counted} of {} workloads and volumes", demands.len());
    if level == Level::Declared {
        made.evidence.push_str("; what the values state no resources of is not in it");
    }
    let silent = demands.iter().filter(|d| (sum.silent)(d)).count();
    if counted == 0 {
        made.verdict = Verdict::NotVerified;
        made.relation = Relation::Missing;
        made.evidence = "nothing states any".to_owned();
        // No GPU where none is promised is as promised.
        if sum.promised == Quantity::ZERO {
            made.verdict = Verdict::Pass;
            made.relation = Relation::Equal;
        }
    } else if total > sum.promised {
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
        if at_least {
            made.evidence
                .push_str("; the + leaves room for it, but the bill pays for the lower bound only");
        }
    } else if silent > 0 {
        // A sum with gaps that fits shows nothing; one that is too large is so with the gaps as well.
        made.verdict = Verdict::NotVerified;
        made.relation = Relation::Missing;
        made.found = format!("at least {}; {silent} state nothing", shown(total, sum.unit));
    } else if total < sum.promised {
        made.relation = Relation::Less;
    }
    made
}

/// An amount, with memory and volumes in the unit that people read.
fn shown(total: Quantity, unit: Unit) -> String {
    match (unit, total.to_whole()) {
        (Unit::Bytes, Some(bytes)) => odg_profiles::format_bytes(bytes),
        _ => Fact::Amount(total, unit).to_string(),
    }
}

/// The workload that takes most.
fn largest(demands: &[Demand], of: fn(&Demand) -> Quantity) -> String {
    let most = demands.iter().filter(|d| of(d) > Quantity::ZERO).max_by_key(|d| of(d));
    most.map_or_else(String::new, |d| format!("most by {} ({})", d.what, d.place))
}

/// Compares a service's connections with what the database takes.
pub(super) fn connections(used: &PoolUse, place: String, level: Level) -> Finding {
    let mut made =
        finding(&requirement::CONNECTIONS, used.service.as_str(), Row::Connections, level);
    let limit = match &used.limit_place {
        Some(place) => format!("max_connections {} ({place})", used.limit),
        None => format!("PostgreSQL's default of {}, as nothing states another", used.limit),
    };
    made.promised = format!("{} connections or less", used.usable());
    made.found = format!("{} connections", used.wanted());
    made.place = place;
    made.evidence = format!(
        "{} processes at the most × {} of each; {limit}, less three that only its superuser gets",
        used.processes, used.each
    );
    if used.wanted() > used.usable() {
        made.verdict = Verdict::Fail;
        made.relation = Relation::Contradictory;
    } else if used.wanted() < used.usable() {
        made.relation = Relation::Less;
    }
    made
}
