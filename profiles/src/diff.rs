//! What differs between two profiles.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Profile;
use crate::rows::Row;

/// One figure that two profiles state differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Path of the figure (`resources.vcpu`).
    pub path: String,
    /// Value in the first profile; absent where it states none.
    pub a: Option<String>,
    /// Value in the second profile; absent where it states none.
    pub b: Option<String>,
}

/// Every figure that differs, in the order of `b`'s file with what only `a` states at the end.
/// Name and lineage are left out: they differ by nature.
pub fn diff(a: &Profile, b: &Profile) -> Vec<Difference> {
    let by_path = |rows: &[Row]| -> BTreeMap<String, String> {
        rows.iter().map(|row| (row.path.clone(), row.value.clone())).collect()
    };
    let (in_a, in_b) = (by_path(a.sections()), by_path(b.sections()));
    let of_b = b.sections().iter();
    let only_a = a.sections().iter().filter(|row| !in_b.contains_key(&row.path));
    of_b.chain(only_a)
        .filter(|row| row.section != "name")
        .map(|row| Difference {
            path: row.path.clone(),
            a: in_a.get(&row.path).cloned(),
            b: in_b.get(&row.path).cloned(),
        })
        .filter(|difference| difference.a != difference.b)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str) -> Profile {
        Profile::load(name).unwrap()
    }

    fn find<'a>(differences: &'a [Difference], path: &str) -> &'a Difference {
        differences.iter().find(|d| d.path == path).unwrap()
    }

    #[test]
    fn a_profile_does_not_differ_from_itself() {
        assert_eq!(diff(&load("large"), &load("large")), []);
    }

    #[test]
    fn differences_carry_both_values_for_people() {
        let found = diff(&load("small"), &load("medium"));
        let vcpu = find(&found, "resources.vcpu");
        assert_eq!((vcpu.a.as_deref(), vcpu.b.as_deref()), (Some("16"), Some("64")));
        let qdrant = find(&found, "components.qdrant");
        assert_eq!((qdrant.a.as_deref(), qdrant.b.as_deref()), (Some("absent"), Some("present")));
        let selector = "services.data-expert.node_selector.cloud.google.com/gke-accelerator";
        assert_eq!(find(&found, selector).a, None);
        assert!(found.iter().all(|d| d.path != "components.kafka" && d.path != "name"));
    }

    #[test]
    fn swapping_the_profiles_swaps_the_values_and_nothing_else() {
        let mut there: Vec<_> =
            diff(&load("dev"), &load("large")).into_iter().map(|d| (d.path, d.a, d.b)).collect();
        let mut back: Vec<_> =
            diff(&load("large"), &load("dev")).into_iter().map(|d| (d.path, d.b, d.a)).collect();
        there.sort();
        back.sort();
        assert_eq!(there, back);
    }
}
