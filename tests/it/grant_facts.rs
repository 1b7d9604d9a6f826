//! What other systems' tests and manuals say about grants, the order in which they are used up,
//! rollover, windows and reservations, held here.

use crate::metered::{CREDITS, credits};
use crate::support::World;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tenure::{
    AccessPatch, Commit, Correction, CustomerId, Entitlement, EntitlementId, Error, FeatureDraft,
    LimitWindow, NewGrant, Overage, Quantity, Reserve, ResetPeriod, Rollover, UsageResult,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

stories![every_fact_holds];

const FACTS: &str = include_str!("../data/grant_facts.json");

/// The first instant of the facts.
const ZERO: OffsetDateTime = datetime!(2024-01-01 0:00 UTC);

/// How many grants are made of those that a fact speaks of; more are in a story of their own.
const GRANTS_MAX: i64 = 300;

/// What is not done here.
const OUTSIDE: [&str; 9] = [
    "credit-cap-1",
    "credit-cap-2",
    "credit-cap-3",
    "credit-cap-4",
    "prorate-4",
    "prorate-5",
    "tier-1",
    "tier-2",
    "agg-wsum-error",
];

fn every_fact_holds(world: &World) {
    let file: Json = serde_json::from_str(FACTS).unwrap();
    let mut count: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut outside = Vec::new();
    let facts = file["facts"].as_array().unwrap();
    for (place, fact) in facts.iter().enumerate() {
        let id = fact["id"].as_str().unwrap();
        if fact["outside"].is_string() {
            outside.push(id);
            continue;
        }
        let stance = fact["stance"].as_str().unwrap();
        assert_eq!(fact["by"].is_string(), stance == "policy", "{id}: who decides?");
        world.clock.set(ZERO);
        let fact = Fact { fact, id, world: world.beside(&format!("{place} {id}")) };
        fact.check();
        fact.world.assert_sound();
        *count.entry((facts[place]["topic"].as_str().unwrap(), stance)).or_default() += 1;
    }
    assert_eq!(outside, OUTSIDE);
    let expected = [
        (("addon-additive-window", "adopt"), 1),
        (("burn-down", "adopt"), 6),
        (("burn-down", "policy"), 3),
        (("burn-order", "adopt"), 2),
        (("invariant", "adopt"), 1),
        (("most-generous-merge", "policy"), 3),
        (("parallel-window-overage", "adopt"), 1),
        (("parallel-window-overage", "policy"), 1),
        (("reservation", "adopt"), 1),
        (("rollover", "adopt"), 4),
        (("rollover", "policy"), 1),
        (("rollover-formula", "adopt"), 5),
    ];
    assert_eq!(count, expected.into());
}

struct Fact<'f> {
    fact: &'f Json,
    id: &'f str,
    world: World,
}

/// An offset such as `+1d-1s`.
fn offset(text: &str) -> Duration {
    let (mut sum, mut sign, mut number) = (Duration::ZERO, 1, 0);
    for letter in text.chars() {
        let unit = match letter {
            '+' | '-' => {
                sign = if letter == '+' { 1 } else { -1 };
                continue;
            }
            's' => Duration::SECOND,
            'm' => Duration::MINUTE,
            'h' => Duration::HOUR,
            'd' => Duration::DAY,
            'y' => Duration::DAY * 365,
            digit => {
                number = number * 10 + i32::try_from(digit.to_digit(10).unwrap()).unwrap();
                continue;
            }
        };
        sum += unit * (sign * number);
        number = 0;
    }
    assert_eq!(number, 0, "{text} ends without a unit");
    sum
}

/// A number of the facts as a quantity.
fn quantity(number: &Json) -> Quantity {
    number.as_i64().unwrap_or_else(|| panic!("{number} is no number")).try_into().unwrap()
}

fn minus(a: Quantity, b: Quantity) -> Quantity {
    a.checked_sub(b).unwrap()
}

impl Fact<'_> {
    fn at(&self, pointer: &str) -> &Json {
        self.fact.pointer(pointer).unwrap_or(&Json::Null)
    }

    fn text(&self, pointer: &str) -> &str {
        let text = self.at(pointer).as_str();
        text.unwrap_or_else(|| panic!("{} has no text at {pointer}", self.id))
    }

    fn quantity(&self, pointer: &str) -> Quantity {
        quantity(self.at(pointer))
    }

    fn list(&self, pointer: &str) -> &[Json] {
        let list = self.at(pointer).as_array();
        list.unwrap_or_else(|| panic!("{} has no list at {pointer}", self.id))
    }

    fn is<T: PartialEq + std::fmt::Debug>(&self, actual: T, expected: T) {
        assert_eq!(actual, expected, "{}", self.id);
    }

    /// Moves the clock to an offset.
    fn wait(&self, until: &str) {
        self.world.clock.set(ZERO + offset(until));
    }

    fn uses(&self, who: CustomerId, quantity: Quantity) -> UsageResult {
        self.world.track(&credits(who, quantity)).unwrap()
    }

    fn held(&self, id: EntitlementId) -> Entitlement {
        self.world.seen(|view| view.entitlement(id))
    }

    /// What is left of a grant.
    fn left(&self, id: EntitlementId) -> Quantity {
        self.held(id).remaining_amount.unwrap()
    }

    fn check(&self) {
        match self.text("/topic") {
            "burn-down" if self.text("/input/at") == "-1d" => self.check_overage(),
            "burn-down" if !self.at("/input/aggregation").is_null() => self.check_level(),
            "burn-down" if !self.at("/decided").is_null() => self.check_overage(),
            "burn-down" => self.check_burn_down(),
            "burn-order" | "rollover" if !self.at("/input/steps").is_null() => self.check_steps(),
            "burn-order" => self.check_rolled_first(),
            "rollover" => self.check_reset(),
            "rollover-formula" => self.check_formula(),
            "invariant" => self.check_invariant(),
            "most-generous-merge" => self.check_merge(),
            "reservation" => self.check_reservation(),
            "parallel-window-overage" => self.check_windows(),
            "addon-additive-window" => self.check_addon(),
            other => panic!("{}: what is `{other}`?", self.id),
        }
    }

    /// A customer, and the grants of the fact by name; without a base that would give first.
    fn granted(
        &self,
        overage: Overage,
        carries: bool,
    ) -> (CustomerId, BTreeMap<String, EntitlementId>) {
        let (world, begins) = (&self.world, self.text("/input/at"));
        if begins.starts_with('-') {
            self.wait(begins);
        }
        let draft = FeatureDraft::default().overage(overage).carries_overage(carries);
        let draft =
            if self.at("/input/aggregation").is_null() { draft } else { draft.measure("level") };
        world.done(|tx| tx.define_feature(CREDITS, &draft));
        let acme = world.someone(&format!("Acme {carries}"));
        let mut ids = BTreeMap::new();
        for grant in self.list("/input/grants") {
            for number in 0..grant["n"].as_i64().unwrap_or(1).min(GRANTS_MAX) {
                let name = grant["id"].as_str().map_or(format!("other {number}"), str::to_owned);
                let new = self.new_grant(grant);
                ids.insert(name, world.done(|tx| tx.grant(acme, &new)).id);
            }
        }
        (acme, ids)
    }

    fn new_grant(&self, grant: &Json) -> NewGrant {
        let amount = quantity(&grant["amount"]);
        let instant = |name: &str| Some(ZERO + offset(grant[name].as_str()?));
        let mut new = NewGrant::once(CREDITS, amount);
        new.priority = grant["priority"].as_i64().unwrap_or(new.priority);
        new.valid_from = instant("effective");
        new.valid_until = instant("expires");
        match grant["recurs"].as_str().map(|it| it.split_once('@').unwrap()) {
            None => new,
            Some(("daily", "+0" | "+1d")) => new.resets(ResetPeriod::Daily),
            Some(("weekly", from)) => {
                let anchor =
                    (ZERO + offset(from)).format(&time::format_description::well_known::Rfc3339);
                let window = json!({
                    "kind": "anchored", "length": "P1W", "anchor": anchor.unwrap(), "limit": amount,
                });
                let window: LimitWindow = serde_json::from_value(window).unwrap();
                new.unlimited().window(window)
            }
            other => panic!("{}: what is {other:?}?", self.id),
        }
    }

    fn balances(&self, ids: &BTreeMap<String, EntitlementId>, expected: &Json) {
        for (name, expected) in expected.as_object().unwrap() {
            let of = |(known, _): &(&String, &EntitlementId)| *known == name;
            let others = |(known, _): &(&String, &EntitlementId)| known.starts_with("other ");
            let meant: Vec<_> = if name == "others" {
                ids.iter().filter(others).collect()
            } else {
                ids.iter().filter(of).collect()
            };
            assert!(!meant.is_empty(), "{}: who is {name}?", self.id);
            for (name, id) in meant {
                assert_eq!(self.left(*id), quantity(expected), "{}: {name}", self.id);
            }
        }
    }

    fn play(&self, who: CustomerId) {
        for usage in self.list("/input/usage") {
            self.wait(usage["at"].as_str().unwrap());
            self.uses(who, quantity(&usage["q"]));
        }
        if let Some(until) = self.at("/input/until").as_str() {
            self.wait(until);
        }
    }

    fn check_burn_down(&self) {
        let (acme, ids) = self.granted(Overage::Reject, false);
        let mut starts = self.list_or_none("/expected/segment_balance_start_g1").iter().skip(1);
        for usage in self.list("/input/usage") {
            let at = usage["at"].as_str().unwrap();
            if let Some(start) = starts.next() {
                // The hour in which something changed: its beginning.
                let hour = (ZERO + offset(at)).truncate_to_hour();
                self.world.clock.set(hour);
                self.is(self.left(ids["g1"]), quantity(start));
            }
            self.wait(at);
            self.uses(acme, quantity(&usage["q"]));
        }
        self.wait(self.at("/input/until").as_str().unwrap_or("+1h"));
        self.balances(&ids, self.at("/expected/balances"));
    }

    fn list_or_none(&self, pointer: &str) -> &[Json] {
        self.at(pointer).as_array().map_or(&[], Vec::as_slice)
    }

    /// Usage beyond what there is, of which a later grant pays only if the feature says so.
    fn check_overage(&self) {
        for (carries, expected) in [(true, "/expected/balances"), (false, "/decided/plain")] {
            let (acme, ids) = self.granted(Overage::Allow, carries);
            if self.text("/input/at").starts_with('-') {
                self.world.allow(acme, CREDITS, &AccessPatch::new().limit(Quantity::ZERO));
            }
            self.play(acme);
            self.balances(&ids, self.at(expected));
            self.wait("+0");
        }
    }

    /// Grants as the limit of what exists.
    fn check_level(&self) {
        let (acme, _) = self.granted(Overage::Reject, false);
        let mut seen = Vec::new();
        for usage in self.list("/input/usage") {
            self.wait(usage["at"].as_str().unwrap());
            // What is said at the end of the fact lies beyond it.
            if usage["at"] == *self.at("/input/until") {
                break;
            }
            let before = self.world.credits(acme).remaining.unwrap();
            self.world.done(|tx| tx.set_level(acme, CREDITS, quantity(&usage["q"])));
            seen.push((before, self.world.credits(acme).remaining.unwrap()));
        }
        let segment =
            |n: usize, name: &str| self.quantity(&format!("/expected/segments/{n}/{name}"));
        self.is(seen[0], (segment(0, "start"), segment(0, "end")));
        let access = self.world.credits(acme);
        self.is(access.quantity_limit, Some(segment(1, "start")));
        self.is(access.remaining, Some(segment(1, "end")));
        self.is(access.remaining, Some(self.quantity("/expected/balance")));
    }

    /// A month's credits, and others beside them or carried on from it.
    fn check_steps(&self) {
        let world = &self.world;
        world.feature(CREDITS, Overage::Reject);
        let acme = world.someone("Acme");
        let grants = self.list_or_none("/input/grants");
        let included = grants.first().map_or(self.at("/input/included"), |it| &it["amount"]);
        let mut patch = AccessPatch::new().limit(quantity(included)).resets(ResetPeriod::Monthly);
        if !self.at("/input/rollover_max").is_null() {
            let max = self.quantity("/input/rollover_max");
            patch = patch.rollover(Rollover { max, min: Quantity::ZERO });
        }
        world.allow(acme, CREDITS, &patch);
        let base = world.seen(|view| view.entitlements(acme))[0].id;
        let other = grants.get(1).map(|it| {
            world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, quantity(&it["amount"])))).id
        });
        let mut months = 0;
        for (number, step) in self.list("/input/steps").iter().enumerate() {
            if step["use"].is_number() {
                self.uses(acme, quantity(&step["use"]));
            } else {
                months += 1;
                world
                    .clock
                    .set(ZERO.replace_month(time::Month::try_from(1 + months).unwrap()).unwrap());
            }
            if let Some(other) = other {
                let expected =
                    |name: &str| self.quantity(&format!("/expected/after/{number}/{name}"));
                self.is(self.left(base), expected("monthly"));
                self.is(self.left(other), expected("lifetime"));
            }
        }
        if other.is_some() {
            let last = self.list("/input/steps").len() - 1;
            let total = self.quantity(&format!("/expected/after/{last}/total"));
            return self.is(world.credits(acme).remaining, Some(total));
        }
        let tally = self.held(base).tallies[0].clone();
        let rollovers = self.list_or_none("/expected/rollovers_oldest_first");
        let rolled: i64 = match self.at("/expected/rollover").as_i64() {
            Some(rolled) => rolled,
            None => rollovers.iter().map(|it| it.as_i64().unwrap()).sum(),
        };
        // What was carried on is used first.
        self.is(tally.carried.beyond(tally.used), quantity(&json!(rolled)));
        if !self.at("/expected/balance").is_null() {
            self.is(world.credits(acme).remaining, Some(self.quantity("/expected/balance")));
        }
    }

    fn check_rolled_first(&self) {
        let world = &self.world;
        let (monthly, rolled) = (self.quantity("/input/monthly"), self.quantity("/input/rollover"));
        world.feature(CREDITS, Overage::Reject);
        let acme = world.someone("Acme");
        let patch = AccessPatch::new().limit(monthly).resets(ResetPeriod::Monthly);
        world.allow(acme, CREDITS, &patch.rollover(Rollover { max: rolled, min: Quantity::ZERO }));
        self.wait("+31d");
        self.uses(acme, self.quantity("/input/use"));
        let base = world.seen(|view| view.entitlements(acme)).remove(0);
        let tally = &base.tallies[0];
        self.is(tally.carried.beyond(tally.used), self.quantity("/expected/rollover"));
        self.is(
            minus(monthly, tally.used.beyond(tally.carried)),
            self.quantity("/expected/monthly"),
        );
    }

    /// A grant over windows of which one ends: what is carried into the next.
    fn check_reset(&self) {
        let world = &self.world;
        let carries = self.at("/input/preserve_overage") == true;
        let overage = if carries { Overage::Allow } else { Overage::Reject };
        let draft = FeatureDraft::default().overage(overage).carries_overage(carries);
        world.done(|tx| tx.define_feature(CREDITS, &draft));
        let acme = world.someone("Acme");
        let amount = self.quantity("/input/grants/0/amount");
        let rollover = |name: &str| self.quantity(&format!("/input/grants/0/{name}_rollover"));
        let rollover = Rollover { max: rollover("max"), min: rollover("min") };
        let grant = NewGrant::once(CREDITS, amount).resets(ResetPeriod::Daily).rollover(rollover);
        let grant = world.done(|tx| tx.grant(acme, &grant)).id;
        for usage in self.list("/input/usage") {
            self.wait(usage["at"].as_str().unwrap());
            self.uses(acme, quantity(&usage["q"]));
        }
        if let Some(overage) = self.at("/expected/overage_before_reset").as_i64() {
            let over = world.used(acme).beyond(world.credits(acme).quantity_limit.unwrap());
            self.is(over, quantity(&json!(overage)));
        }
        self.wait("+1d");
        let kept = self.quantity("/expected/balances/g1");
        self.is(minus(self.left(grant), amount), kept);
        if !carries {
            self.is(world.used(acme), self.quantity("/expected/usage_since_reset"));
        }
    }

    fn check_formula(&self) {
        let rollover = Rollover {
            max: self.quantity("/input/max_rollover"),
            min: self.quantity("/input/min_rollover"),
        };
        let (balance, rolled) =
            (self.quantity("/input/balance"), self.quantity("/expected/rolled"));
        self.is(rollover.carried(balance), rolled);
        let acme = self.world.meter(100);
        self.world.allow(acme, CREDITS, &AccessPatch::new().rollover(rollover));
        self.uses(acme, minus(100.into(), balance));
        self.wait("+31d");
        self.is(self.world.credits(acme).remaining, Some(whole(rolled, 100.into())));
    }

    /// What was used and what is left, without what lies beyond it, are what was granted.
    fn check_invariant(&self) {
        self.is(self.text("/expected/holds"), "usage + balance - overage == grant amount");
        let world = &self.world;
        world.feature(CREDITS, Overage::Allow);
        let (acme, amount) = (world.someone("Acme"), Quantity::from(100));
        let grant = world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, amount)));
        let holds = || {
            let (used, access) = (world.used(acme), world.credits(acme));
            let overage = used.beyond(access.quantity_limit.unwrap());
            assert_eq!(minus(whole(used, self.left(grant.id)), overage), amount);
            assert_eq!(self.held(grant.id).used_amount, used);
        };
        holds();
        self.wait("+2h");
        self.uses(acme, 30.into());
        holds();
        let late = credits(acme, 20).at(ZERO + offset("+1h"));
        world.track(&late).unwrap();
        holds();
        self.uses(acme, 90.into());
        holds();
        world.done(|tx| tx.adjust_usage(&Correction::new(acme, CREDITS, -70, "it failed")));
        holds();
        world.done(|tx| tx.reconcile(acme, CREDITS));
        holds();
        self.is(self.left(grant.id), 30.into());
    }

    /// Two rights to one feature, of which another system takes the more generous: here both count.
    fn check_merge(&self) {
        let world = &self.world;
        world.feature(CREDITS, Overage::Reject);
        let acme = world.someone("Acme");
        let mut sum = Some(Quantity::ZERO);
        for side in ["a", "b"] {
            let limit = match self.at(&format!("/input/{side}/allocation")) {
                Json::Null => None,
                Json::Number(number) => Some(quantity(&json!(number))),
                _ => Some(100.into()),
            };
            let period: Option<ResetPeriod> =
                self.at(&format!("/input/{side}/period")).as_str().map(|it| it.parse().unwrap());
            let mut grant = NewGrant::of(CREDITS, 0).resets(period.unwrap_or(ResetPeriod::Never));
            grant.limit = limit;
            world.done(|tx| tx.grant(acme, &grant));
            sum = sum.zip(limit).map(|(sum, limit)| whole(sum, limit));
        }
        self.is(world.credits(acme).quantity_limit, sum);
        self.is(world.credits(acme).remaining, sum);
        let all = sum.unwrap_or(1_000_000.into());
        self.uses(acme, all);
        self.is(world.track(&credits(acme, 1)).is_err(), sum.is_some());
    }

    fn check_reservation(&self) {
        let world = &self.world;
        let balance = self.quantity("/input/balance");
        let acme = world.meter(balance);
        let reserve = self.quantity("/input/reserve");
        let wanted = Reserve::new(acme, CREDITS, reserve, Duration::HOUR);
        let hold = world.done(|tx| tx.reserve(&wanted));
        let left = || world.credits(acme).remaining.unwrap();
        let kept = left();
        self.is(kept, minus(balance, reserve));
        let actual = self.quantity("/input/finalize_with");
        world.done(|tx| tx.commit(&Commit::new(hold.id, actual)));
        self.is(minus(left(), kept), self.quantity("/expected/returned"));
        self.is(world.used(acme), self.quantity("/expected/used"));
    }

    /// What is billed when several windows are full at once.
    fn check_windows(&self) {
        let acme = self.world.meter_with(1_000_000, Overage::Allow);
        let included = self.quantity("/input/included");
        let mut patch = AccessPatch::new().included(included);
        for window in self.list("/input/windows") {
            let length = window["length"].as_str().unwrap().parse().unwrap();
            patch = patch.window(LimitWindow::fixed(length, quantity(&window["quota"])));
        }
        self.world.allow(acme, CREDITS, &patch);
        let mut billed = Quantity::ZERO;
        for usage in self.list("/input/usage") {
            self.wait(usage["at"].as_str().unwrap());
            billed = self.uses(acme, quantity(&usage["q"])).billable_quantity;
        }
        let decided = self.at("/decided/billable");
        let expected = if decided.is_null() { self.at("/expected/overage") } else { decided };
        self.is(billed, quantity(expected));
        if !self.at("/expected/not_").is_null() {
            assert_ne!(billed, self.quantity("/expected/not_"), "{}", self.id);
        }
    }

    fn check_addon(&self) {
        let world = &self.world;
        let thousands = |pointer: &str| {
            let number = self.text(pointer).strip_suffix("K per day").unwrap();
            Quantity::try_from(number.parse::<i64>().unwrap() * 1_000).unwrap()
        };
        let acme = world.meter(thousands("/input/plan"));
        world.allow(acme, CREDITS, &AccessPatch::new().resets(ResetPeriod::Daily));
        world.done(|tx| tx.grant(acme, &NewGrant::of(CREDITS, thousands("/input/addon"))));
        let quota = self.quantity("/expected/quota");
        for day in ["+1h", "+25h"] {
            self.wait(day);
            self.is(world.credits(acme).quantity_limit, Some(quota));
            self.uses(acme, quota);
            let refused = world.track(&credits(acme, 1)).unwrap_err();
            assert!(matches!(refused, Error::LimitExceeded(_)), "{}: {refused}", self.id);
        }
    }
}

fn whole(a: Quantity, b: Quantity) -> Quantity {
    a.checked_add(b).unwrap()
}
