//! What other systems' tests and manuals say about keys, concurrency, merged rights and overage,
//! held here.

use crate::metered::{CREDITS, credits};
use crate::support::World;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Barrier;
use tenure::{
    AccessPatch, CustomerId, Error, FeatureDraft, NewGrant, Overage, Quantity, ResetPeriod,
    TierDraft, TierFeature, TierOverride,
};
use time::Duration;

stories![every_fact_holds];

const FACTS: &str = include_str!("../data/metering_facts.json");

fn every_fact_holds(world: &World) {
    let file: Json = serde_json::from_str(FACTS).unwrap();
    let mut count: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let facts = file["facts"].as_array().unwrap();
    for (place, fact) in facts.iter().enumerate() {
        let id = fact["id"].as_str().unwrap();
        let fact = Fact { fact, id, world: world.beside(&format!("{place} {id}")) };
        let stance = fact.fact["stance"].as_str().unwrap();
        let holds = fact.holds();
        match stance {
            "adopt" => assert!(holds, "{id} does not hold"),
            "avoid" => assert!(!holds, "{id} must not hold"),
            other => panic!("{id}: what to make of `{other}`?"),
        }
        *count.entry((fact.fact["topic"].as_str().unwrap(), stance)).or_default() += 1;
    }
    let expected = [
        (("concurrency", "adopt"), 2),
        (("concurrency", "avoid"), 1),
        (("entitlement-merge", "adopt"), 6),
        (("grant-overage", "adopt"), 3),
        (("idempotency", "adopt"), 11),
        (("idempotency", "avoid"), 15),
        (("overage-definition", "avoid"), 1),
    ];
    assert_eq!(count, expected.into());
}

struct Fact<'f> {
    fact: &'f Json,
    id: &'f str,
    world: World,
}

impl Fact<'_> {
    fn at(&self, pointer: &str) -> &Json {
        self.fact.pointer(pointer).unwrap_or(&Json::Null)
    }

    fn number(&self, pointer: &str) -> i64 {
        let number = self.at(pointer).as_i64();
        number.unwrap_or_else(|| panic!("{} has no number at {pointer}", self.id))
    }

    fn quantity(&self, pointer: &str) -> Quantity {
        self.number(pointer).try_into().unwrap()
    }

    fn holds(&self) -> bool {
        match self.at("/topic").as_str() {
            Some("idempotency") => self.idempotency(),
            Some("concurrency") => self.concurrency(),
            Some("entitlement-merge") => self.merge(),
            Some("grant-overage") => self.grant_overage(),
            Some("overage-definition") => self.overage_definition(),
            topic => panic!("{}: what is {topic:?}?", self.id),
        }
    }

    /// Whether what became of the second call is what the fact calls it.
    fn idempotency(&self) -> bool {
        let world = &self.world;
        let acme = world.meter(10);
        let refused = !self.at("/input/first").is_null();
        let first = credits(acme, if refused { 11 } else { 10 }).key("k");
        assert_eq!(world.track(&first).is_err(), refused, "{}", self.id);
        if !self.at("/input/limit_raised").is_null() {
            world.limit(acme, 100);
        }
        if let Some(years) = self.at("/input/years_later").as_i64() {
            world.clock.advance(Duration::days(366 * years));
        }
        if self.at("/input/at_limit").is_null() && !refused {
            world.limit(acme, 100);
        }
        let second = match self.at("/input/second").as_str() {
            Some("same content") => first,
            Some("other content") => credits(acme, 9).key("k"),
            other => panic!("{}: what is {other:?}?", self.id),
        };
        let events = world.history(acme).len();
        let outcome = world.track(&second);
        let counted = world.history(acme).len() - events;
        let words: &[&str] = match outcome {
            Ok(result) if result.duplicate && counted == 0 => &["first answer", "counted once"],
            Ok(_) if counted == 1 => &["counted"],
            Ok(_) => &["ignored"],
            Err(Error::KeyReused { field: "quantity", .. }) => {
                &["conflict", "conflict that names the field"]
            }
            Err(Error::LimitExceeded(_)) => &["limit exceeded", "sticky refusal"],
            Err(error) => panic!("{}: {error}", self.id),
        };
        words.contains(&self.at("/expected/outcome").as_str().unwrap())
    }

    /// So many tracks at once, and how many were accepted, how much was used, what is left of what
    /// is included.
    fn concurrency(&self) -> bool {
        let world = &self.world;
        let limit = if self.at("/input/usage_limit").is_null() {
            self.quantity("/input/included")
        } else {
            self.quantity("/input/usage_limit")
        };
        let acme = world.meter(limit);
        let included = AccessPatch::new().included(self.quantity("/input/included"));
        world.allow(acme, CREDITS, &included);
        let other = world.someone("Globex");
        world.allow(other, CREDITS, &included.clone().limit(limit));
        let callers = usize::try_from(self.number("/input/concurrent")).unwrap();
        let track = credits(acme, self.quantity("/input/each"));
        let barrier = Barrier::new(callers);
        let accepted = std::thread::scope(|scope| {
            let call = || {
                barrier.wait();
                i64::from(world.track(&track).is_ok())
            };
            let callers: Vec<_> = (0..callers).map(|_| scope.spawn(call)).collect();
            callers.into_iter().map(|it| it.join().unwrap()).sum::<i64>()
        });
        world.assert_sound();
        let usage = world.used(acme);
        let balance = included.included_quantity.unwrap().checked_sub(usage).unwrap();
        let left = |customer: CustomerId| {
            let access = world.credits(customer);
            access.included_quantity.checked_sub(access.current_usage).unwrap()
        };
        let whole = |quantity: Quantity| quantity.millionths() / 1_000_000;
        let found: BTreeMap<&str, i64> = [
            ("accepted", accepted),
            ("rejected", i64::try_from(callers).unwrap() - accepted),
            ("usage", whole(usage)),
            ("balance", whole(balance)),
            ("other_entities_untouched", whole(left(other))),
        ]
        .into();
        let expected = self.at("/expected").as_object().unwrap();
        expected.iter().all(|(name, value)| found[name.as_str()] == value.as_i64().unwrap())
    }

    /// A chain of rights to one feature, and what they amount to.
    fn merge(&self) -> bool {
        let world = &self.world;
        let acme = world.someone("Acme Inc.");
        world.feature(CREDITS, Overage::Reject);
        let chain = self.at("/input/chain").as_array().unwrap();
        for link in chain.iter().map(|link| link.as_str().unwrap()) {
            self.apply(acme, link);
        }
        let access = world.credits(acme);
        let whole = |limit: Option<Quantity>| limit.map(|it| it.millionths() / 1_000_000);
        self.at("/expected").as_object().unwrap().iter().all(|(name, value)| {
            match name.as_str() {
                "limit" => whole(access.quantity_limit) == value.as_i64(),
                "enabled" => Some(access.can_use) == value.as_bool(),
                "present" => Some(access.is_enabled) == value.as_bool(),
                "reset" => access.reset_at.is_some() && value == "billing_cycle",
                "overage" => {
                    value == "allow" && {
                        let beyond = access.quantity_limit.unwrap().checked_add(Quantity::ONE);
                        world.track(&credits(acme, beyond.unwrap())).is_ok()
                    }
                }
                // Warnings are at the host's percentages, for all features alike.
                "warning_pct" => tenure::Config::default()
                    .thresholds
                    .iter()
                    .any(|it| Some(u64::from(*it)) == value.as_u64()),
                other => panic!("{}: what is `{other}`?", self.id),
            }
        })
    }

    fn apply(&self, acme: CustomerId, link: &str) {
        let tenure = &self.world.tenure;
        let tier = |given: TierFeature| {
            tenure.write(|tx| {
                tx.define_tier(&TierDraft::new("plan").feature(given.clone()))?;
                tx.apply_tier(acme, "plan", &[])
            })
        };
        let overridden = |limit: u32| {
            let change = TierOverride::of(CREDITS).limit(Quantity::from(limit));
            tenure.write(|tx| tx.apply_tier(acme, "plan", std::slice::from_ref(&change)))
        };
        let addon = |limit: Option<u32>| {
            let mut grant = NewGrant::of(CREDITS, 0).source(tenure::EntitlementSource::Addon);
            grant.limit = limit.map(Quantity::from);
            tenure.write(|tx| tx.grant(acme, &grant))
        };
        let given = || TierFeature::new(CREDITS).unwrap();
        match link {
            "plan stack 100" => drop(tier(given().limit(100, ResetPeriod::Monthly)).unwrap()),
            "subscription override 500" => drop(overridden(500).unwrap()),
            "subscription override 200 (billing cycle, allow overage, warn 90%)" => {
                let allowed = FeatureDraft::default().overage(Overage::Allow);
                tenure.write(|tx| tx.define_feature(CREDITS, &allowed)).unwrap();
                drop(overridden(200).unwrap());
            }
            "addon#1 stack 100" => drop(addon(Some(100)).unwrap()),
            "addon#2 stack 50 (multi-instance)" => drop(addon(Some(50)).unwrap()),
            "addon stack unlimited" => drop(addon(None).unwrap()),
            "plan boolean false" => drop(tier(given().disabled()).unwrap()),
            "subscription boolean true (both stack)" => drop(addon(None).unwrap()),
            "feature itself disabled" => {
                drop(tier(given()).unwrap());
                let off = FeatureDraft::default().is_active(false);
                tenure.write(|tx| tx.define_feature(CREDITS, &off)).unwrap();
            }
            other => panic!("{}: what is `{other}`?", self.id),
        }
    }

    /// What is granted, and what use of it amounts to.
    fn grant_overage(&self) -> bool {
        let granted = self.quantity("/input/granted");
        let acme = self.world.meter_with(granted, Overage::Allow);
        self.world.allow(acme, CREDITS, &AccessPatch::new().included(granted));
        let result = self.world.track(&credits(acme, self.quantity("/input/used"))).unwrap();
        result.billable_quantity == self.quantity("/expected/overage")
            && Some(result.is_at_limit) == self.at("/expected/exhausted").as_bool()
            && self.world.times_told("entitlement.exhausted") == usize::from(result.is_at_limit)
    }

    /// Whether what is shown as billable of several meters can differ from what is billed.
    fn overage_definition(&self) -> bool {
        let world = &self.world;
        world.feature(CREDITS, Overage::Allow);
        let rows = self.at("/input/rows").as_array().unwrap();
        let mut shown = Quantity::ZERO;
        for (place, row) in rows.iter().enumerate() {
            let quantity = |name: &str| Quantity::try_from(row[name].as_i64().unwrap()).unwrap();
            let customer = world.someone(&format!("Customer {place}"));
            world.allow(customer, CREDITS, &AccessPatch::new().included(quantity("granted")));
            if quantity("usage").is_positive() {
                let result = world.track(&credits(customer, quantity("usage"))).unwrap();
                shown = shown.checked_add(result.billable_quantity).unwrap();
            }
        }
        assert_eq!(shown, self.quantity("/expected/billable"), "{}", self.id);
        shown == self.quantity("/expected/displayed")
    }
}
