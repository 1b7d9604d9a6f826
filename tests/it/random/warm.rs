//! The same histories, told to a handle that is the only writer: after every step each of its checks,
//! most of them from memory, says what a handle without a memory says.

use super::perform::{self, Known};
use super::steps::{self, Call, Step};
use super::{ORGS, World};
use crate::support::{BEGINNING, Clock};
use proptest::prelude::*;
use tenure::store::memory::MemoryStore;
use tenure::{CustomerId, CustomerRef, Quantity, Tenure};
use time::Duration;

const FEATURES: [&str; 5] = ["credits", "seats", "disk", "sso", "nothing"];
const EXTERNAL: [&str; 3] = ["org_1", "org_2", "org_3"];

fn tell(calls: &[Call]) {
    let clock = Clock::at(BEGINNING);
    // So few answers are kept that some are given up.
    let world = World::with(MemoryStore::new(), &clock, |it| it.sole_writer_keeping(64));
    let shown = clock.clone();
    let plain = Tenure::builder(world.glass.clone()).clock(move || shown.now()).open().unwrap();
    for (number, Call { org, product, step }) in calls.iter().enumerate() {
        let rows = ORGS.map(|org| world.rows(org));
        let here = ORGS.iter().position(|it| it == org).unwrap();
        let known = Known::of(&rows[here], &rows[1 - here]);
        if let Step::Clock(seconds) = step {
            clock.advance(Duration::seconds(*seconds));
        }
        let warm = world.tenure.for_org(org).for_product(product).unwrap();
        perform::perform(&warm, &world.billing, step, &known);
        let cold = plain.for_org(org).for_product(product).unwrap();
        let ids = world.rows(org).ids("customer").into_iter();
        let customers = ids.map(|id| CustomerRef::from(CustomerId::from(id)));
        for customer in customers.chain(EXTERNAL.map(CustomerRef::from)) {
            for feature in FEATURES {
                for quantity in [Quantity::ONE, Quantity::from(3)] {
                    let wanted =
                        cold.read(|view| view.check_quantity(&customer, feature, quantity));
                    let wanted = wanted.unwrap();
                    for time in ["from the step before", "again"] {
                        let told = warm.check_quantity(&customer, feature, quantity).unwrap();
                        assert_eq!(told, wanted, "step {number} {step:?}, {customer:?}, {time}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(100),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_warm_check_says_what_a_cold_one_says(calls in steps::calls()) {
        tell(&calls);
    }
}
