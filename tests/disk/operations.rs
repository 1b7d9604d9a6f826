//! What is done while the disk fails. Each entry is one transaction, made on a store as
//! [`furnish`](crate::world::Place::furnish) leaves it, an hour later; a second call of it must change
//! nothing.

use crate::world::{BEGINNING, CREDITS, ORG, World};
use tenure::{
    AccessPatch, AliasKind, Commit, ContactDraft, Correction, CustomerDraft, Error, FeatureDraft,
    HealthModel, HealthScope, Hints, NewActivity, NewFlair, NewGrant, NewLink, NewMetric,
    NewSubscription, NpsResponseDraft, NpsSurveyDraft, Onboard, Quantity, Reserve, Result, Stage,
    TicketDraft, TierDraft, TierFeature, Track, UsageResult, UserDraft, When,
};
use time::Duration;

/// A change, by name.
pub type Operation = (&'static str, fn(&World) -> Result<()>);

/// The one that is made of several transactions, of which some can be kept and some not.
pub const IN_PARTS: &str = "tick";

/// The one that counts in a window which is over.
const LATE: &str = "track late";

/// How long the store has been left alone before a change.
pub fn pause(name: &str) -> Duration {
    if [IN_PARTS, LATE].contains(&name) { Duration::days(40) } else { Duration::ZERO }
}

/// Every change that is tried. To try another, add it here.
pub const OPERATIONS: &[Operation] = &[
    ("create a customer", |world| {
        let draft = CustomerDraft::named("Globex").external_id("globex");
        match world.tenure.write(|tx| tx.create_customer(&draft)) {
            Err(Error::Taken { .. }) => Ok(()),
            other => other.map(drop),
        }
    }),
    ("update a customer", |world| {
        let draft = CustomerDraft::default().name("Acme GmbH");
        world.tenure.write(|tx| tx.update_customer(world.customer, &draft).map(drop))
    }),
    ("delete a customer", |world| {
        match world.tenure.write(|tx| tx.delete_customer(world.customer)) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }),
    ("link", |world| {
        world.tenure.write(|tx| tx.link(world.customer, &NewLink::to("org_2")).map(drop))
    }),
    ("link, and learn", |world| {
        let hints = Hints::new().company_name("Acme Rockets").domain("rockets.example");
        let new = NewLink::to("org_5").hints(hints);
        world.tenure.write(|tx| tx.link(world.customer, &new).map(drop))
    }),
    ("give an alias", |world| {
        let (kind, alias) = (AliasKind::Name, "Wile E.");
        world.tenure.write(|tx| tx.add_alias(world.customer, kind, alias).map(drop))
    }),
    ("unlink", |world| world.tenure.write(|tx| tx.unlink(ORG).map(drop))),
    ("register a user", |world| {
        world
            .tenure
            .write(|tx| tx.register_user("ann", &UserDraft::default().name("Ann")).map(drop))
    }),
    ("add a contact", |world| {
        let draft = ContactDraft::default().name("Ann").email("ann@acme.example");
        world.tenure.write(|tx| tx.upsert_contact(world.customer, &draft).map(drop))
    }),
    ("record metrics", |world| {
        let reading = |name: &str| NewMetric::new(world.customer, name, 0.5, BEGINNING);
        world.tenure.write(|tx| tx.record_metrics(&[reading("a"), reading("b")]).map(drop))
    }),
    ("record an activity", |world| {
        let login = NewActivity::login("u_1").at(BEGINNING).key("login");
        world.tenure.write(|tx| tx.record_activity(world.customer, &login).map(drop))
    }),
    ("record a ticket", |world| {
        let ticket = TicketDraft::default().opened_at(BEGINNING).csat(4_i64);
        world.tenure.write(|tx| tx.upsert_ticket(world.customer, "t_1", &ticket).map(drop))
    }),
    ("evaluate, and begin to save", |world| {
        let silent = NewMetric::new(world.customer, "days_since_last_login", 20.0, BEGINNING);
        world.tenure.write(|tx| {
            tx.record_metrics(std::slice::from_ref(&silent))?;
            tx.evaluate(world.customer).map(drop)
        })
    }),
    ("move to a stage", |world| {
        let why = "the pilot went live";
        world.tenure.write(|tx| tx.move_stage(world.customer, Stage::Adopting, why).map(drop))
    }),
    ("override a health score", |world| {
        let until = BEGINNING + Duration::days(90);
        world
            .tenure
            .write(|tx| tx.override_health(world.customer, 30, "no sponsor", until).map(drop))
    }),
    ("define a health model", |world| {
        let (model, all) = (HealthModel::default(), HealthScope::default());
        world.tenure.write(|tx| tx.define_health_model("plain", &model, &all, 1).map(drop))
    }),
    ("answer a survey", |world| {
        let answered = world.tenure.write(|tx| {
            let survey = tx.send_nps_survey(&NpsSurveyDraft::to(world.customer, "quarterly"))?;
            tx.record_nps_response(&NpsResponseDraft::to(survey.id, 3))
        });
        match answered {
            Err(Error::TooSoon { .. }) => Ok(()),
            other => other.map(drop),
        }
    }),
    ("ask to cancel", |world| {
        world.tenure.write(|tx| tx.request_cancellation(world.customer, "Too dear").map(drop))
    }),
    ("award a flair", |world| {
        let flair = NewFlair {
            flair_id: "pioneer".into(),
            name: "Pioneer".into(),
            icon: None,
            description: None,
            category: None,
            earned_at: None,
        };
        world.tenure.write(|tx| tx.award_flair(world.customer, &flair).map(drop))
    }),
    ("define a feature", |world| {
        world.tenure.write(|tx| tx.define_feature("sso", &FeatureDraft::default()).map(drop))
    }),
    ("define a tier", |world| {
        let draft = TierDraft::new("scale").feature(TierFeature::new(CREDITS).unwrap());
        world.tenure.write(|tx| tx.define_tier(&draft).map(drop))
    }),
    ("give a tier", |world| {
        world.tenure.write(|tx| tx.apply_tier(world.customer, "starter", &[]).map(drop))
    }),
    ("give a right", |world| {
        let patch = AccessPatch::new().limit(Quantity::from(7));
        world.tenure.write(|tx| tx.set_access(world.customer, "storage", &patch).map(drop))
    }),
    ("grant", |world| {
        let grant = NewGrant::of(CREDITS, 50).key("promotion");
        world.tenure.write(|tx| tx.grant(world.customer, &grant).map(drop))
    }),
    ("track", |world| {
        world.tenure.write(|tx| tx.track(&Track::new(ORG, CREDITS).quantity(3).key("k1")).map(drop))
    }),
    ("track past a threshold", |world| {
        let track = Track::new(ORG, CREDITS).quantity(900).key("k2");
        world.tenure.write(|tx| tx.track(&track).map(drop))
    }),
    (LATE, |world| {
        let track = Track::new(ORG, CREDITS).at(BEGINNING + Duration::days(20)).key("k3");
        world.tenure.write(|tx| tx.track(&track).map(drop))
    }),
    ("track a batch", |world| {
        let credits = (0..60).map(|n| Track::new(ORG, CREDITS).key(format!("b{n}")));
        let storage = (0..20).map(|n| Track::new(world.customer, "storage").key(format!("b{n}")));
        let batch: Vec<Track> = credits.chain(storage).collect();
        counted(world.tenure.track_batch(&batch)?)
    }),
    ("track a small batch, all or none", |world| {
        let batch: Vec<Track> =
            (0..9).map(|n| Track::new(ORG, CREDITS).key(format!("w{n}"))).collect();
        world.tenure.track_batch_whole(&batch).map(drop)
    }),
    ("track a batch that is refused in part", |world| {
        let track = |n: u32| Track::new(ORG, CREDITS).quantity(30).key(format!("r{n}"));
        let batch: Vec<Track> = (0..70).map(track).collect();
        let answers = world.tenure.track_batch(&batch)?;
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 33);
        Ok(())
    }),
    ("track all", |world| {
        let tracks = [CREDITS, "storage"].map(|feature| Track::new(ORG, feature).key("all"));
        world.tenure.track_all(&tracks).map(drop)
    }),
    ("set a level", |world| {
        world.tenure.write(|tx| tx.set_level(world.customer, "seats", 7).map(drop))
    }),
    ("reserve", |world| world.tenure.write(|tx| tx.reserve(&hold(40)).map(drop))),
    ("reserve and commit", |world| {
        world.tenure.write(|tx| {
            let hold = tx.reserve(&hold(41))?;
            tx.commit(&Commit::new(hold.id, 30)).map(drop)
        })
    }),
    ("reserve and release", |world| {
        world.tenure.write(|tx| {
            let hold = tx.reserve(&hold(42))?;
            tx.release(hold.id).map(drop)
        })
    }),
    ("set the usage", |world| {
        let correction = Correction::new(ORG, CREDITS, 2, "counted by hand").key("c1");
        world.tenure.write(|tx| tx.set_usage(&correction).map(drop))
    }),
    ("take usage back", |world| {
        let correction = Correction::new(ORG, CREDITS, -2, "refund").key("c2");
        world.tenure.write(|tx| tx.adjust_usage(&correction).map(drop))
    }),
    ("start a subscription", |world| {
        let new = NewSubscription::to("starter");
        match world.tenure.write(|tx| tx.add_subscription(world.customer, &new)) {
            // Known by what it says of the one that would be the second.
            Err(Error::Rule(_) | Error::Taken { .. }) => Ok(()),
            other => other.map(drop),
        }
    }),
    ("cancel a subscription", |world| {
        world.tenure.write(|tx| {
            let all = tx.view().subscriptions(world.customer)?;
            let running =
                all.iter().find(|it| it.status.is_running() && it.tier_code.as_str() == "pro");
            running.map_or(Ok(()), |it| tx.cancel_subscription(it.id, When::Now).map(drop))
        })
    }),
    ("reconcile", |world| world.tenure.write(|tx| tx.reconcile(ORG, CREDITS).map(drop))),
    (IN_PARTS, |world| world.tenure.tick().map(drop)),
    ("onboard", |world| {
        let request = Onboard::org("org_3").company("Initech").tier("starter");
        world.tenure.onboard(&request.contact("bill@initech.example", "Bill")).map(drop)
    }),
    ("acknowledge what happened", |world| {
        world.tenure.write(|tx| {
            let events: Vec<_> = tx.view().events(None, 3)?.iter().map(|it| it.id).collect();
            // The same three, whatever was acknowledged before.
            tx.acknowledge(events.into_iter().filter(|id| first_three(*id))).map(drop)
        })
    }),
    ("several at once", |world| {
        world.tenure.write(|tx| {
            let draft = CustomerDraft::named("Umbrella").external_id("umbrella");
            if tx.view().customer_by_external_id("umbrella")?.is_some() {
                return Ok(());
            }
            let customer = tx.create_customer(&draft)?.id;
            tx.link(customer, &NewLink::to("org_4"))?;
            tx.apply_tier(customer, "starter", &[])?;
            tx.track(&Track::new(customer, CREDITS).quantity(30).key("m1"))?;
            tx.grant(customer, &NewGrant::of(CREDITS, 5).key("m2"))?;
            tx.track(&Track::new(ORG, CREDITS).key("m3")).map(drop)
        })
    }),
];

/// Room for so many credits.
fn hold(quantity: u32) -> Reserve {
    Reserve::new(ORG, CREDITS, quantity, Duration::HOUR).key(format!("hold-{quantity}"))
}

fn counted(answers: Vec<Result<UsageResult>>) -> Result<()> {
    answers.into_iter().try_for_each(|answer| answer.map(drop))
}

fn first_three(id: tenure::EventId) -> bool {
    id.sequence() <= 3
}
