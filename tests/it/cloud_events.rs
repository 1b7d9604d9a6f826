//! `CloudEvents`: what other systems tell counts as usage, once.

use crate::metered::q;
use crate::support::{BEGINNING, World};
use serde_json::json;
use tenure::{AccessPatch, FeatureDraft, HistoryFilter, NewLink, Track, UsageSource};
use time::Duration;

stories! { a_batch_that_comes_twice_counts_once }

fn a_batch_that_comes_twice_counts_once(world: &World) {
    let id = world.customer("Acme").id;
    world.done(|tx| {
        tx.define_feature("tokens", &FeatureDraft::default())?;
        tx.set_access(id, "tokens", &AccessPatch::new())?;
        tx.link(id, &NewLink::to("org_42"))
    });
    world.clock.advance(Duration::HOUR);
    let event = |id: &str, quantity: &str| {
        json!({
            "specversion": "1.0", "type": "tokens", "source": "/inference", "id": id,
            "subject": "org_42", "time": "2026-01-31T12:30:00Z",
            "data": { "quantity": quantity, "model": "large" },
        })
    };
    let batch = json!([event("run-1", "0.1"), event("run-2", "0.2"), event("run-1", "0.1")]);
    for round in 0..2 {
        let tracks = Track::batch_from_cloud_events(&batch.to_string()).unwrap();
        let duplicates: Vec<bool> =
            tracks.iter().map(|it| world.done(|tx| tx.track(it)).duplicate).collect();
        assert_eq!(duplicates, [round > 0, round > 0, true]);
    }
    assert_eq!(world.check(id, "tokens").current_usage, q("0.3"));
    let all = HistoryFilter::all();
    let events = world.seen(|view| view.usage_history(id, "tokens", &all, 10, None)).items;
    assert_eq!(events.len(), 2);
    assert!(
        events.iter().all(|it| it.source == UsageSource::Batch
            && it.event_time == BEGINNING + Duration::minutes(30))
    );
    assert_eq!(events[0].metadata.as_ref().unwrap().get("model"), Some(&json!("large")));
}
