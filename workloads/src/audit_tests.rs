use proptest::prelude::*;
use serde_json::json;

use super::*;

const DAY_US: i64 = 1_770_465_600_000_000; // 2026-02-07T12:00:00Z

fn draft(event_type: &str, description: &str, details: Value) -> Draft {
    let Value::Object(details) = details else { panic!("details must be an object") };
    Draft {
        event_type: event_type.to_owned(),
        entity_type: "decision".to_owned(),
        entity_id: "b70f84d8-d480-4d68-817d-a6184afeb3c2".to_owned(),
        actor_id: "u1".to_owned(),
        description: description.to_owned(),
        details,
    }
}

#[test]
fn the_platforms_own_three_test_vectors_come_out() {
    let mut chain = ChainAppender::default();
    let v1 = draft("decision_created", "Decision created: Promote sales — ção ✓ 😀", json!({}));
    let v2 = draft(
        "approval_cast",
        "Vote approve cast by u1 (role: responsible)",
        json!({"b": true, "comment": "a/b \"q\" \\ \t\u{7f}", "i": 7, "n": 1.0,
               "role": "responsible", "vote": "approve", "z": null}),
    );
    let v3 = draft("decision_approved", "x", json!({"e": 1e-07, "f": 0.1}));
    let events = [
        chain.append(v1, DAY_US + 123_456).unwrap(),
        chain.append(v2, DAY_US + 1_000_000).unwrap(),
        chain.append(v3, DAY_US + 2_500_000).unwrap(),
    ];
    assert_eq!(
        events[0].event_hash,
        "34635387a182034fc4afa2299ae4b6237e29b39f4c41609fc512de6883254734"
    );
    assert_eq!(
        events[1].event_hash,
        "3b3a8b30f2e8a4e91b295d1ad9b0dc4e84e3cf9f9683f3da35d982aac59ee72b"
    );
    assert_eq!(
        events[2].event_hash,
        "9498b3d7917c1c7d0cb1c24ab5ff31faf411169d877aa1effa41a55cd92f11a8"
    );
    assert_eq!(verify(&events), Ok(Verified { count: 3 }));
}

#[test]
fn floats_are_printed_as_python_prints_them() {
    for (float, python) in [
        (1.0, "1.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1e-07, "1e-07"),
        (1.5e-10, "1.5e-10"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.25e100, "1.25e+100"),
        (123456789.125, "123456789.125"),
    ] {
        let mut out = String::new();
        write_float(&mut out, float);
        assert_eq!(out, python);
    }
}

#[test]
fn keys_are_sorted_at_every_level_and_nothing_is_spaced() {
    let mut out = String::new();
    write_value(&mut out, &json!({"b": [1, {"z": 0, "a": false}], "a": "/"}));
    assert_eq!(out, r#"{"a":"/","b":[1,{"a":false,"z":0}]}"#);
}

#[test]
fn times_of_a_chain_never_stand_still() {
    let mut chain = ChainAppender::default();
    let times: Vec<i64> = [5, 5, 3, 9]
        .into_iter()
        .map(|at| chain.append(draft("t", "", json!({})), at).unwrap().occurred_us)
        .collect();
    assert_eq!(times, [5, 6, 7, 9]);
}

#[test]
fn a_number_that_jsonb_would_change_is_refused_and_leaves_the_chain_alone() {
    let mut chain = ChainAppender::default();
    let before = chain.clone();
    assert!(chain.append(draft("t", "", json!({"a": [1e16]})), 1).is_err());
    assert!(chain.append(draft("t", "", json!({"a": {"b": -0.0}})), 1).is_err());
    assert_eq!(chain, before);
}

#[test]
fn an_empty_chain_is_valid() {
    assert_eq!(verify([]), Ok(Verified { count: 0 }));
}

fn details() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    prop::collection::btree_map("[a-zé]{1,6}", leaf, 0..4).prop_map(|m| m.into_iter().collect())
}

fn chain() -> impl Strategy<Value = Vec<AuditEvent>> {
    prop::collection::vec((".{0,20}", details(), 0..1000_i64), 2..12).prop_map(|drafts| {
        let mut chain = ChainAppender::default();
        drafts
            .into_iter()
            .map(|(text, details, at)| {
                let mut draft = draft("decision_created", &text, json!({}));
                draft.details = details;
                chain.append(draft, DAY_US + at).unwrap()
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_appended_chain_verifies(events in chain()) {
        prop_assert_eq!(verify(&events), Ok(Verified { count: events.len() as u64 }));
    }

    #[test]
    fn a_change_to_any_covered_field_is_caught_at_its_event(
        events in chain(), at in any::<prop::sample::Index>(), field in 0..9_u8,
    ) {
        let mut events = events;
        let index = at.index(events.len());
        let event = &mut events[index];
        match field {
            0 => event.draft.event_type.push('x'),
            1 => event.draft.entity_type.push('x'),
            2 => event.draft.entity_id.push('x'),
            3 => event.draft.actor_id.push('x'),
            4 => event.draft.description.push('x'),
            5 => { event.draft.details.insert("\u{1}new".to_owned(), Value::Null); }
            6 => event.occurred_us += 1,
            7 => event.previous_hash = "f".repeat(64),
            _ => event.event_hash = "f".repeat(64),
        }
        prop_assert_eq!(verify(&events).unwrap_err().index, index as u64);
    }

    #[test]
    fn two_swapped_events_are_caught(events in chain(), a in any::<prop::sample::Index>()) {
        let mut events = events;
        let a = a.index(events.len() - 1);
        events.swap(a, a + 1);
        prop_assert!(verify(&events).is_err());
    }

    #[test]
    fn a_removed_event_is_caught_by_a_link_or_at_the_end_by_the_count(
        events in chain(), at in any::<prop::sample::Index>(),
    ) {
        let sent = events.len() as u64;
        let mut events = events;
        let index = at.index(events.len());
        events.remove(index);
        match verify(&events) {
            Err(broken) => prop_assert_eq!(broken.index, index as u64),
            Ok(verified) => {
                prop_assert_eq!(index as u64, sent - 1);
                prop_assert!(verified.count < sent);
            }
        }
    }

    #[test]
    fn a_chain_goes_on_after_its_last_event(events in chain()) {
        let mut events = events;
        let mut chain = ChainAppender::after(events.last().unwrap());
        events.push(chain.append(draft("t", "", json!({})), 0).unwrap());
        prop_assert!(verify(&events).is_ok());
    }
}
