use super::*;
use serde_json::json;
use time::macros::datetime;

fn event() -> Value {
    json!({
        "specversion": "1.0", "type": "tokens", "source": "/inference", "id": "run-17",
        "subject": "org_42",
    })
}

/// The event with some attributes otherwise.
fn with(other: &Value) -> String {
    let mut event = event();
    for (name, value) in other.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string()
}

fn fields(error: &Error) -> Vec<&str> {
    error.faults().iter().map(|fault| fault.field.as_str()).collect()
}

#[test]
fn an_event_is_the_usage_that_it_tells_of() {
    let track = Track::from_cloud_event(&event().to_string()).unwrap();
    let plain = Track::new("org_42", "tokens").key("ce:10:/inference:run-17");
    assert_eq!(track, plain);
    let track = Track::from_cloud_event(&with(&json!({
        "time": "2026-01-31T13:00:00.5+01:00", "dataschema": null, "traceparent": "00-1-2-3",
        "data": { "quantity": 3, "model": "large" },
    })));
    let metadata = Document::try_from(json!({ "model": "large" })).unwrap();
    let full = plain.quantity(3).at(datetime!(2026-01-31 12:00:00.5 UTC)).metadata(metadata);
    assert_eq!(track.unwrap(), full);
}

#[test]
fn quantities_are_exact_or_refused() {
    let quantity = |json: Value| {
        Track::from_cloud_event(&with(&json!({ "data": { "quantity": json } })))
            .map(|it| it.quantity)
    };
    for (given, exact) in [
        (json!(0.1), "0.1"),
        (json!("0.1"), "0.1"),
        (json!("12"), "12"),
        (json!(9_007_199_254_740_i64), "9007199254740"),
        (json!("9223372036854.775807"), "9223372036854.775807"),
        (json!(null), "1"),
    ] {
        assert_eq!(quantity(given).unwrap().to_string(), exact);
    }
    let bad = [
        json!(0),
        json!(-1),
        json!(true),
        json!("1e3"),
        json!(1_234_567_890.123_456),
        json!("0.1234567"),
        json!([1]),
    ];
    for given in bad {
        assert_eq!(fields(&quantity(given.clone()).unwrap_err()), ["data.quantity"], "{given}");
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let bad = json!({
        "specversion": "0.3", "type": "No Code", "source": "", "subject": " x", "time": "yesterday",
        "data": [1], "data_base64": "AA==",
    });
    let error = Track::from_cloud_event(&bad.to_string()).unwrap_err();
    assert_eq!(
        fields(&error),
        ["specversion", "id", "source", "type", "subject", "time", "data_base64", "data"]
    );
    let deep = (0..40).fold(json!({}), |inner, _| json!({ "a": inner }));
    let error = Track::from_cloud_event(&with(&json!({ "data": deep }))).unwrap_err();
    assert_eq!(fields(&error), ["data"]);
    for (nonsense, field) in
        [("", "event"), ("[]", "event"), ("{", "event"), ("null", "event"), ("{}{}", "event")]
    {
        assert_eq!(fields(&Track::from_cloud_event(nonsense).unwrap_err())[0], field, "{nonsense}");
    }
    let endless = "[".repeat(100_000);
    assert!(Track::from_cloud_event(&endless).is_err(), "and the stack holds");
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let text = event().to_string();
    for twice in
        [r#""id":"run-18","#, r#""data":{"quantity":1,"quantity":2},"#, r#""x":[{"a":1,"a":1}],"#]
    {
        let error =
            Track::from_cloud_event(&text.replacen('{', &format!("{{{twice}"), 1)).unwrap_err();
        assert_eq!(fields(&error), ["event"], "{twice}");
    }
}

#[test]
fn a_batch_tells_the_place_of_every_fault() {
    let batch =
        format!("[{},{},{},7]", event(), with(&json!({ "id": "" })), with(&json!({ "type": "X" })));
    let error = Track::batch_from_cloud_events(&batch).unwrap_err();
    assert_eq!(fields(&error), ["events[1].id", "events[2].type", "events[3]"]);
    let batch = format!("[{},{}]", event(), with(&json!({ "id": "run-18" })));
    let tracks = Track::batch_from_cloud_events(&batch).unwrap();
    assert!(tracks.iter().all(|track| track.source == UsageSource::Batch));
    assert_eq!(tracks[1].idempotency_key.as_deref(), Some("ce:10:/inference:run-18"));
    assert_eq!(Track::batch_from_cloud_events("[]").unwrap(), []);
    let many = format!("[{}]", vec!["{}"; BATCH_EVENTS_MAX + 1].join(","));
    for bad in ["{}", "", "[{}", &many, &" ".repeat(BATCH_BYTES_MAX + 1)] {
        assert_eq!(fields(&Track::batch_from_cloud_events(bad).unwrap_err()), ["events"]);
    }
}

#[test]
fn two_events_never_share_a_key_and_one_always_has_the_same() {
    let pairs = [("a", "b:c"), ("a:b", "c"), ("a", "b:c "), ("1:a", "b"), ("", "a:b:c")];
    let long = "x".repeat(300);
    let pairs = pairs.into_iter().chain([(long.as_str(), "1"), (long.as_str(), "2"), ("s", &long)]);
    let keys: Vec<String> = pairs.map(|(source, id)| key(source, id)).collect();
    for (place, one) in keys.iter().enumerate() {
        assert!(IdempotencyKey::parse(one).is_ok(), "{one}");
        assert!(!keys[..place].contains(one), "{one}");
    }
    assert_eq!(keys.iter().filter(|key| key.starts_with("ce#")).count(), 4);
    assert_eq!(key("a", "b"), "ce:1:a:b");
    // Keys are kept for ever: the digest must never become another.
    assert_eq!(key("s", &"x".repeat(300)), "ce#d2a56516688759d291de757df04cff0e");
}

#[test]
fn a_type_can_be_mapped_to_a_feature() {
    let events = CloudEvents::new().feature("com.acme.Completion", "tokens");
    let other = with(&json!({ "type": "com.acme.Completion" }));
    assert_eq!(events.read(&other).unwrap().feature, "tokens");
    assert_eq!(fields(&Track::from_cloud_event(&other).unwrap_err()), ["type"]);
    assert_eq!(
        events.read(&event().to_string()).unwrap().feature,
        "tokens",
        "others are as they are"
    );
}
